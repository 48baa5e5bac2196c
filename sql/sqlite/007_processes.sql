-- batchd's ledger for SQLite, version 7: which processes run, and batches by when they ended.
--
-- Safe to run again: every statement leaves what is there alone.

-- One row per `batchd run` that has begun and not ended. It says again and again that it is there; one that was killed
-- leaves its row behind.
CREATE TABLE IF NOT EXISTS batchd_process (
    owner             TEXT    NOT NULL PRIMARY KEY,   -- host/namespace/pid/start
    version           TEXT    NOT NULL,               -- of batchd
    started_at        TEXT    NOT NULL,
    seen_at           TEXT    NOT NULL,               -- when it last said that it is there
    expires_at        TEXT    NOT NULL                -- it will have said so again by then, if it lives
);

-- What ended today: for the spend of a day, and the pace of an hour.
CREATE INDEX IF NOT EXISTS batchd_batch_closed ON batchd_batch (closed_at);
