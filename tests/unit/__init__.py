"""The pure core: no files, no database, no clock."""
