"""The ledger and the task's tables, by SQLAlchemy Core: queries by topic, one dialect file per database."""
