-- batchd's ledger for MySQL and MariaDB, version 7: which processes run, and batches by when they ended.
--
-- Run it in the ledger's database, as 001_ledger.sql was. Safe to run again: what is there is left alone. MySQL commits
-- each statement by itself; after an interruption, run it again. Run roles_runtime.sql again afterwards: there is a new
-- table.

-- One row per `batchd run` that has begun and not ended. It says again and again that it is there; one that was killed
-- leaves its row behind.
CREATE TABLE IF NOT EXISTS batchd_process (
    owner                VARCHAR(200) NOT NULL,         -- host/namespace/pid/start
    version              VARCHAR(100) NOT NULL,         -- of batchd
    started_at           DATETIME(3)  NOT NULL,
    seen_at              DATETIME(3)  NOT NULL,         -- when it last said that it is there
    expires_at           DATETIME(3)  NOT NULL,         -- it will have said so again by then, if it lives
    PRIMARY KEY (owner)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What ended today: for the spend of a day, and the pace of an hour. MySQL can't make an index only where there is
-- none, so it is asked for by a statement that is made up here.
SET @made = (SELECT CASE count(*)
        WHEN 0 THEN 'CREATE INDEX batchd_batch_closed ON batchd_batch (closed_at)' ELSE 'DO 0' END
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'batchd_batch' AND index_name = 'batchd_batch_closed');
PREPARE made FROM @made;
EXECUTE made;
