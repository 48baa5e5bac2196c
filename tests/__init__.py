"""The tests of batchd; README.md in this folder says which kind is for what."""
