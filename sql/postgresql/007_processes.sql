-- batchd's ledger for PostgreSQL, version 7: which processes run, and batches by when they ended.
--
-- Safe to run again: every statement leaves what is there alone. Run roles_runtime.sql again afterwards: there is a new
-- table.

-- One row per `batchd run` that has begun and not ended. It says again and again that it is there; one that was killed
-- leaves its row behind.
CREATE TABLE IF NOT EXISTS batchd.batchd_process (
    owner                varchar(200)   COLLATE "C" NOT NULL,  -- host/namespace/pid/start
    version              varchar(100)   COLLATE "C" NOT NULL,  -- of batchd
    started_at           timestamptz(3) NOT NULL,
    seen_at              timestamptz(3) NOT NULL,        -- when it last said that it is there
    expires_at           timestamptz(3) NOT NULL,        -- it will have said so again by then, if it lives
    CONSTRAINT batchd_process_pk PRIMARY KEY (owner)
);

-- What ended today: for the spend of a day, and the pace of an hour.
CREATE INDEX IF NOT EXISTS batchd_batch_closed ON batchd.batchd_batch (closed_at);
