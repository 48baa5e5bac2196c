-- batchd's views for people, SQL Server, version 1. They show states, figures and row keys, never content of rows.
--
-- Safe to run again. A view that is made anew has lost the grants on it: run roles_runtime.sql again afterwards.
-- Views and tables have one owner, so whoever may read a view needs no right on the tables.

SET XACT_ABORT ON;
SET ANSI_NULLS ON;
SET QUOTED_IDENTIFIER ON;
GO

IF OBJECT_ID(N'batchd.batchd_v_tasks', N'V') IS NOT NULL DROP VIEW batchd.batchd_v_tasks;
GO

CREATE VIEW batchd.batchd_v_tasks AS
SELECT
    t.name                                              AS task,
    t.paused                                            AS paused,
    t.pause_reason                                      AS pause_reason,
    t.last_sweep_count                                  AS backlog,
    t.last_sweep_at                                     AS backlog_at,
    (SELECT count(*) FROM batchd.batchd_gate g WHERE g.task_id = t.id AND g.state = N'open')    AS in_flight,
    (SELECT count(*) FROM batchd.batchd_gate g WHERE g.task_id = t.id AND g.state = N'retry')   AS waiting,
    (SELECT count(*) FROM batchd.batchd_gate g WHERE g.task_id = t.id AND g.state = N'failed')  AS failed,
    (SELECT count(*) FROM batchd.batchd_gate g WHERE g.task_id = t.id AND g.state = N'held')    AS held,
    (SELECT count(*) FROM batchd.batchd_batch b WHERE b.task_id = t.id
        AND b.state NOT IN (N'closed', N'failed', N'abandoned'))       AS open_batches,
    (SELECT coalesce(sum(CAST(b.applied AS BIGINT)), 0) FROM batchd.batchd_batch b WHERE b.task_id = t.id) AS applied,
    (SELECT coalesce(sum(CAST(b.stale AS BIGINT)), 0) FROM batchd.batchd_batch b WHERE b.task_id = t.id) AS stale,
    (SELECT CAST(coalesce(sum(b.cost_nano_usd), 0) * 0.000000001 AS DECIMAL(18, 6))
        FROM batchd.batchd_batch b WHERE b.task_id = t.id)  AS cost_usd,
    (SELECT max(b.applied_at) FROM batchd.batchd_batch b WHERE b.task_id = t.id) AS last_apply_at
FROM batchd.batchd_task t;
GO

IF OBJECT_ID(N'batchd.batchd_v_batches', N'V') IS NOT NULL DROP VIEW batchd.batchd_v_batches;
GO

CREATE VIEW batchd.batchd_v_batches AS
SELECT
    b.id                                AS batch,
    t.name                              AS task,
    b.state                             AS state,
    b.held_from                         AS held_from,
    b.account                           AS vendor,
    b.vendor_batch_id                   AS vendor_batch_id,
    b.vendor_status                     AS vendor_status,
    b.requests                          AS requests,
    b.counted_completed                 AS vendor_completed,
    b.counted_failed                    AS vendor_failed,
    b.applied                           AS applied,
    b.requests - b.applied              AS not_applied,
    b.input_tokens                      AS input_tokens,
    b.output_tokens                     AS output_tokens,
    CAST(b.cost_nano_usd * 0.000000001 AS DECIMAL(18, 6)) AS cost_usd,
    b.error_code                        AS error_code,
    b.error_text                        AS error_text,
    CASE
        WHEN b.held_from = N'submitting' THEN N'a person, and it is still looked for'
        WHEN b.state = N'held' THEN N'a person'
        WHEN b.state = N'submitting' THEN N'the vendor to show whether it was created'
        WHEN b.state = N'built' AND b.not_before > SYSUTCDATETIME() THEN N'the next try to send it'
    END                                 AS waits_for,
    CASE WHEN b.state IN (N'built', N'submitting', N'held') THEN (SELECT max(e.at) FROM batchd.batchd_event e
        WHERE e.subject = N'batch' AND e.subject_id = b.id AND e.to_state = b.state)
    END                                 AS waits_since,
    b.not_before                        AS not_before,
    CASE b.state WHEN N'submitting' THEN b.settle_by END AS settle_by,
    b.created_at                        AS created_at,
    b.submitted_at                      AS submitted_at,
    b.ended_at                          AS ended_at,
    b.closed_at                         AS closed_at,
    b.uid                               AS uid
FROM batchd.batchd_batch b
JOIN batchd.batchd_task t ON t.id = b.task_id;
GO

IF OBJECT_ID(N'batchd.batchd_v_failures', N'V') IS NOT NULL DROP VIEW batchd.batchd_v_failures;
GO

CREATE VIEW batchd.batchd_v_failures AS
SELECT
    t.name                              AS task,
    CASE
        WHEN g.key_text = N'' THEN CAST(g.key_int AS NVARCHAR(20))
        -- A key of one column is kept as '<length>:<value>'; composites keep all their lengths. The length counts
        -- characters, LEN counts UTF-16 units (and no spaces at the end, hence the dot): a key with a character
        -- beyond the first 65,536, such as an emoji, is shown with its length in front.
        WHEN g.key_text LIKE CONCAT(LEN(g.key_text + N'.') - 1 - CHARINDEX(N':', g.key_text), N':%')
            THEN SUBSTRING(g.key_text, CHARINDEX(N':', g.key_text) + 1, LEN(g.key_text + N'.'))
        ELSE g.key_text
    END                                 AS row_key,
    g.state                             AS state,
    g.outcome                           AS outcome,
    g.error_code                        AS code,
    g.error_text                        AS reason,
    g.paid_tries                        AS paid_tries,
    g.unpaid_tries                      AS unpaid_tries,
    g.batch_id                          AS batch,
    g.changed_at                        AS since
FROM batchd.batchd_gate g
JOIN batchd.batchd_task t ON t.id = g.task_id
WHERE g.state IN (N'failed', N'held', N'done');
GO

-- Days are days in UTC.
IF OBJECT_ID(N'batchd.batchd_v_spend_daily', N'V') IS NOT NULL DROP VIEW batchd.batchd_v_spend_daily;
GO

CREATE VIEW batchd.batchd_v_spend_daily AS
SELECT
    CAST(r.finished_at AS DATE) AS day,
    t.name                              AS task,
    count(*)                            AS requests,
    sum(CASE WHEN r.outcome = N'applied' THEN 1 ELSE 0 END) AS applied,
    coalesce(sum(r.input_tokens), 0) AS input_tokens,
    coalesce(sum(r.output_tokens), 0) AS output_tokens,
    CAST(coalesce(sum(r.cost_nano_usd), 0) * 0.000000001 AS DECIMAL(18, 6)) AS cost_usd
FROM batchd.batchd_request r
JOIN batchd.batchd_batch b ON b.id = r.batch_id
JOIN batchd.batchd_task t ON t.id = b.task_id
WHERE r.finished_at IS NOT NULL
GROUP BY CAST(r.finished_at AS DATE), t.name;
GO

IF OBJECT_ID(N'batchd.batchd_v_findings', N'V') IS NOT NULL DROP VIEW batchd.batchd_v_findings;
GO

CREATE VIEW batchd.batchd_v_findings AS
SELECT
    f.kind                              AS kind,
    f.subject                           AS subject,
    f.detail                            AS detail,
    f.opened_at                         AS since,
    f.next_command                      AS next_command
FROM batchd.batchd_finding f
WHERE f.closed_at IS NULL;
GO
