-- batchd's ledger for PostgreSQL, version 4: indexes for ledgers of millions of rows, what retention remembers, and a
-- view that does not read every request.
--
-- Safe to run again: every statement leaves what is there alone, and the view is made anew. The indexes are on
-- batchd_batch and batchd_finding, which have a row per batch at most. Run roles_runtime.sql again afterwards: there
-- is a new table, and retention removes requests.

-- Batches on their way: few, whatever is closed.
CREATE INDEX IF NOT EXISTS batchd_batch_open ON batchd.batchd_batch (state, not_before) WHERE closed_at IS NULL;

-- When the last batch was built: for an account at each start, for a task at each claim.
CREATE INDEX IF NOT EXISTS batchd_batch_account ON batchd.batchd_batch (account, created_at);
CREATE INDEX IF NOT EXISTS batchd_batch_built ON batchd.batchd_batch (task_id, created_at);

-- Findings are never removed; whether one has been told before is asked about closed ones too.
CREATE INDEX IF NOT EXISTS batchd_finding_told ON batchd.batchd_finding (kind, subject);

-- One row per batch that has ended and whose files in the spool are removed. Its requests, and what is kept of their
-- rows, are removed keep_ledger later, if the config says so; the batch and its events stay.
CREATE TABLE IF NOT EXISTS batchd.batchd_retention (
    batch_id             bigint         NOT NULL,
    due_from             timestamptz(3),                          -- keep_ledger counts from then; NULL: no request is left
    trimmed_at           timestamptz(3),                          -- when requests were last removed; NULL: all are there
    CONSTRAINT batchd_retention_pk PRIMARY KEY (batch_id),
    CONSTRAINT batchd_retention_batch_fk FOREIGN KEY (batch_id) REFERENCES batchd.batchd_batch (id)
);

CREATE INDEX IF NOT EXISTS batchd_retention_due ON batchd.batchd_retention (due_from);

-- Batches that ended under an older version.
INSERT INTO batchd.batchd_retention (batch_id, due_from)
SELECT b.id, b.closed_at
FROM batchd.batchd_batch b
WHERE b.closed_at IS NOT NULL AND b.files_removed_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM batchd.batchd_retention t WHERE t.batch_id = b.id);

-- What a batch that has ended came to stands in its own row, on the day it ended; the requests of others are counted.
-- Days are days in UTC.
CREATE OR REPLACE VIEW batchd.batchd_v_spend_daily AS
SELECT
    s.day                               AS day,
    t.name                              AS task,
    CAST(sum(s.requests) AS bigint)     AS requests,
    CAST(sum(s.applied) AS bigint)      AS applied,
    CAST(sum(s.input_tokens) AS bigint) AS input_tokens,
    CAST(sum(s.output_tokens) AS bigint) AS output_tokens,
    round(sum(s.cost_nano_usd) / 1000000000.0, 6) AS cost_usd
FROM (
    SELECT b.task_id, CAST(b.closed_at AT TIME ZONE 'UTC' AS date) AS day, b.requests, b.applied, b.input_tokens,
        b.output_tokens, b.cost_nano_usd
    FROM batchd.batchd_batch b
    WHERE b.state IN ('closed', 'failed', 'abandoned')
    UNION ALL
    SELECT b.task_id, CAST(r.finished_at AT TIME ZONE 'UTC' AS date), 1, CASE r.outcome WHEN 'applied' THEN 1 ELSE 0 END,
        coalesce(r.input_tokens, 0), coalesce(r.output_tokens, 0), coalesce(r.cost_nano_usd, 0)
    FROM batchd.batchd_batch b
    JOIN batchd.batchd_request r ON r.batch_id = b.id
    WHERE b.state IN ('built', 'submitting', 'submitted', 'ended', 'collected', 'held') AND r.finished_at IS NOT NULL
) s
JOIN batchd.batchd_task t ON t.id = s.task_id
GROUP BY s.day, t.name;
