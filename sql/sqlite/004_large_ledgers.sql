-- batchd's ledger for SQLite, version 4: indexes for ledgers of millions of rows, what retention remembers, and a
-- view that does not read every request. Safe to run again: every statement leaves what is there alone, and the view
-- is made anew.

-- Batches on their way: few, whatever is closed.
CREATE INDEX IF NOT EXISTS batchd_batch_open ON batchd_batch (state, not_before) WHERE closed_at IS NULL;

-- When the last batch was built: for an account at each start, for a task at each claim.
CREATE INDEX IF NOT EXISTS batchd_batch_account ON batchd_batch (account, created_at);
CREATE INDEX IF NOT EXISTS batchd_batch_built ON batchd_batch (task_id, created_at);

-- Findings are never removed; whether one has been told before is asked about closed ones too.
CREATE INDEX IF NOT EXISTS batchd_finding_told ON batchd_finding (kind, subject);

-- One row per batch that has ended and whose files in the spool are removed. Its requests, and what is kept of their
-- rows, are removed keep_ledger later, if the config says so; the batch and its events stay.
CREATE TABLE IF NOT EXISTS batchd_retention (
    batch_id          INTEGER NOT NULL PRIMARY KEY REFERENCES batchd_batch (id),
    due_from          TEXT,                           -- keep_ledger counts from then; NULL: no request is left
    trimmed_at        TEXT                            -- when requests were last removed; NULL: all are there
);

CREATE INDEX IF NOT EXISTS batchd_retention_due ON batchd_retention (due_from);

-- Batches that ended under an older version.
INSERT INTO batchd_retention (batch_id, due_from)
SELECT b.id, b.closed_at
FROM batchd_batch b
WHERE b.closed_at IS NOT NULL AND b.files_removed_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM batchd_retention t WHERE t.batch_id = b.id);

-- What a batch that has ended came to stands in its own row, on the day it ended; the requests of others are counted.
DROP VIEW IF EXISTS batchd_v_spend_daily;
CREATE VIEW batchd_v_spend_daily AS
SELECT
    s.day                                                   AS day,
    t.name                                                  AS task,
    sum(s.requests)                                         AS requests,
    sum(s.applied)                                          AS applied,
    sum(s.input_tokens)                                     AS input_tokens,
    sum(s.output_tokens)                                    AS output_tokens,
    round(sum(s.cost_nano_usd) / 1e9, 6)                    AS cost_usd
FROM (
    SELECT b.task_id, substr(b.closed_at, 1, 10) AS day, b.requests, b.applied, b.input_tokens, b.output_tokens,
        b.cost_nano_usd
    FROM batchd_batch b
    WHERE b.state IN ('closed', 'failed', 'abandoned')
    UNION ALL
    SELECT b.task_id, substr(r.finished_at, 1, 10), 1, r.outcome = 'applied', coalesce(r.input_tokens, 0),
        coalesce(r.output_tokens, 0), coalesce(r.cost_nano_usd, 0)
    FROM batchd_batch b
    JOIN batchd_request r ON r.batch_id = b.id
    WHERE b.state IN ('built', 'submitting', 'submitted', 'ended', 'collected', 'held') AND r.finished_at IS NOT NULL
) s
JOIN batchd_task t ON t.id = s.task_id
GROUP BY s.day, t.name;
