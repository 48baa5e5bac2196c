-- batchd's ledger for SQL Server 2016 and later and Azure SQL, version 4: indexes for ledgers of millions of rows, what
-- retention remembers, and a view that does not read every request.
--
--     sqlcmd -b -I -d YourDatabase -i 004_large_ledgers.sql
-- Safe to run again: what is there is left alone, and the view is made anew, which takes the grants on it away. Run
-- roles_runtime.sql again afterwards: there is a new table too, and retention removes requests.

SET XACT_ABORT ON;
SET ANSI_NULLS ON;
SET ANSI_PADDING ON;
SET ANSI_WARNINGS ON;
SET ARITHABORT ON;
SET CONCAT_NULL_YIELDS_NULL ON;
SET QUOTED_IDENTIFIER ON;
SET NUMERIC_ROUNDABORT OFF;
GO

-- Batches on their way: few, whatever is closed.
IF INDEXPROPERTY(OBJECT_ID(N'batchd.batchd_batch', N'U'), N'IX_batchd_batch_open', N'IndexID') IS NULL
    CREATE INDEX IX_batchd_batch_open ON batchd.batchd_batch (state, not_before) WHERE closed_at IS NULL;
GO

-- When the last batch was built: for an account at each start, for a task at each claim.
IF INDEXPROPERTY(OBJECT_ID(N'batchd.batchd_batch', N'U'), N'IX_batchd_batch_account', N'IndexID') IS NULL
    CREATE INDEX IX_batchd_batch_account ON batchd.batchd_batch (account, created_at);
GO
IF INDEXPROPERTY(OBJECT_ID(N'batchd.batchd_batch', N'U'), N'IX_batchd_batch_built', N'IndexID') IS NULL
    CREATE INDEX IX_batchd_batch_built ON batchd.batchd_batch (task_id, created_at);
GO

-- Findings are never removed; whether one has been told before is asked about closed ones too.
IF INDEXPROPERTY(OBJECT_ID(N'batchd.batchd_finding', N'U'), N'IX_batchd_finding_told', N'IndexID') IS NULL
    CREATE INDEX IX_batchd_finding_told ON batchd.batchd_finding (kind, subject);
GO

-- One row per batch that has ended and whose files in the spool are removed. Its requests, and what is kept of their
-- rows, are removed keep_ledger later, if the config says so; the batch and its events stay.
IF OBJECT_ID(N'batchd.batchd_retention', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_retention (
        batch_id             BIGINT         NOT NULL,
        due_from             DATETIME2(3)   NULL,           -- keep_ledger counts from then; NULL: no request is left
        trimmed_at           DATETIME2(3)   NULL,           -- when requests were last removed; NULL: all are there
        CONSTRAINT PK_batchd_retention PRIMARY KEY CLUSTERED (batch_id),
        CONSTRAINT FK_batchd_retention_batch FOREIGN KEY (batch_id) REFERENCES batchd.batchd_batch (id)
    );
    CREATE INDEX IX_batchd_retention_due ON batchd.batchd_retention (due_from);
END
GO

-- Batches that ended under an older version.
INSERT INTO batchd.batchd_retention (batch_id, due_from)
SELECT b.id, b.closed_at
FROM batchd.batchd_batch b
WHERE b.closed_at IS NOT NULL AND b.files_removed_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM batchd.batchd_retention t WHERE t.batch_id = b.id);
GO

-- What a batch that has ended came to stands in its own row, on the day it ended; the requests of others are counted.
-- Days are days in UTC.
IF OBJECT_ID(N'batchd.batchd_v_spend_daily', N'V') IS NOT NULL DROP VIEW batchd.batchd_v_spend_daily;
GO

CREATE VIEW batchd.batchd_v_spend_daily AS
SELECT
    s.day                               AS day,
    t.name                              AS task,
    sum(s.requests)                     AS requests,
    sum(s.applied)                      AS applied,
    sum(s.input_tokens)                 AS input_tokens,
    sum(s.output_tokens)                AS output_tokens,
    CAST(sum(s.cost_nano_usd) * 0.000000001 AS DECIMAL(18, 6)) AS cost_usd
FROM (
    SELECT b.task_id, CAST(b.closed_at AS DATE) AS day, CAST(b.requests AS BIGINT) AS requests,
        CAST(b.applied AS BIGINT) AS applied, b.input_tokens, b.output_tokens, b.cost_nano_usd
    FROM batchd.batchd_batch b
    WHERE b.state IN (N'closed', N'failed', N'abandoned')
    UNION ALL
    SELECT b.task_id, CAST(r.finished_at AS DATE), CAST(1 AS BIGINT),
        CAST(CASE r.outcome WHEN N'applied' THEN 1 ELSE 0 END AS BIGINT), CAST(coalesce(r.input_tokens, 0) AS BIGINT),
        CAST(coalesce(r.output_tokens, 0) AS BIGINT), CAST(coalesce(r.cost_nano_usd, 0) AS BIGINT)
    FROM batchd.batchd_batch b
    JOIN batchd.batchd_request r ON r.batch_id = b.id
    WHERE b.state IN (N'built', N'submitting', N'submitted', N'ended', N'collected', N'held')
        AND r.finished_at IS NOT NULL
) s
JOIN batchd.batchd_task t ON t.id = s.task_id
GROUP BY s.day, t.name;
GO
