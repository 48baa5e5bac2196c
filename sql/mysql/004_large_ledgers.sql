-- batchd's ledger for MySQL and MariaDB, version 4: indexes for ledgers of millions of rows, what retention remembers,
-- and a view that does not read every request.
--
-- Run it in the ledger's database, as 001_ledger.sql was. Safe to run again: every statement leaves what is there
-- alone, and the view is made anew. MySQL commits each statement by itself; after an interruption, run it again.
-- Run roles_runtime.sql again afterwards: there is a new table, and retention removes requests.

-- When the last batch was built: for an account at each start, for a task at each claim. MySQL can't make an index
-- only where there is none, so it is asked for by a statement that is made up here.
SET @made = (SELECT CASE count(*)
        WHEN 0 THEN 'CREATE INDEX batchd_batch_account ON batchd_batch (account, created_at)' ELSE 'DO 0' END
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'batchd_batch' AND index_name = 'batchd_batch_account');
PREPARE made FROM @made;
EXECUTE made;

SET @made = (SELECT CASE count(*)
        WHEN 0 THEN 'CREATE INDEX batchd_batch_built ON batchd_batch (task_id, created_at)' ELSE 'DO 0' END
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'batchd_batch' AND index_name = 'batchd_batch_built');
PREPARE made FROM @made;
EXECUTE made;

-- One row per batch that has ended and whose files in the spool are removed. Its requests, and what is kept of their
-- rows, are removed keep_ledger later, if the config says so; the batch and its events stay.
CREATE TABLE IF NOT EXISTS batchd_retention (
    batch_id             BIGINT       NOT NULL,
    due_from             DATETIME(3)  NULL,             -- keep_ledger counts from then; NULL: no request is left
    trimmed_at           DATETIME(3)  NULL,             -- when requests were last removed; NULL: all are there
    PRIMARY KEY (batch_id),
    KEY batchd_retention_due (due_from),
    CONSTRAINT batchd_retention_batch_fk FOREIGN KEY (batch_id) REFERENCES batchd_batch (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Batches that ended under an older version.
INSERT INTO batchd_retention (batch_id, due_from)
SELECT b.id, b.closed_at
FROM batchd_batch b
LEFT JOIN batchd_retention t ON t.batch_id = b.id
WHERE b.closed_at IS NOT NULL AND b.files_removed_at IS NOT NULL AND t.batch_id IS NULL;

-- What a batch that has ended came to stands in its own row, on the day it ended; the requests of others are counted.
-- Days are days in UTC.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW batchd_v_spend_daily AS
SELECT
    s.day                               AS day,
    t.name                              AS task,
    CAST(sum(s.requests) AS SIGNED)     AS requests,
    CAST(sum(s.applied) AS SIGNED)      AS applied,
    CAST(sum(s.input_tokens) AS SIGNED) AS input_tokens,
    CAST(sum(s.output_tokens) AS SIGNED) AS output_tokens,
    round(sum(s.cost_nano_usd) * 0.000000001, 6) AS cost_usd
FROM (
    SELECT b.task_id, CAST(b.closed_at AS DATE) AS day, b.requests, b.applied, b.input_tokens, b.output_tokens,
        b.cost_nano_usd
    FROM batchd_batch b
    WHERE b.state IN ('closed', 'failed', 'abandoned')
    UNION ALL
    SELECT b.task_id, CAST(r.finished_at AS DATE), 1, CASE r.outcome WHEN 'applied' THEN 1 ELSE 0 END,
        coalesce(r.input_tokens, 0), coalesce(r.output_tokens, 0), coalesce(r.cost_nano_usd, 0)
    FROM batchd_batch b
    JOIN batchd_request r ON r.batch_id = b.id
    WHERE b.state IN ('built', 'submitting', 'submitted', 'ended', 'collected', 'held') AND r.finished_at IS NOT NULL
) s
JOIN batchd_task t ON t.id = s.task_id
GROUP BY s.day, t.name;
