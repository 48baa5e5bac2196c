-- batchd's views for people, PostgreSQL, version 1. They show states, figures and row keys, never content of rows.
--
-- Safe to run again; grants on the views stay. They read the ledger with the rights of their owner, the installer,
-- so whoever may read a view needs no right on the tables.

CREATE OR REPLACE VIEW batchd.batchd_v_tasks AS
SELECT
    t.name                                              AS task,
    t.paused                                            AS paused,
    t.pause_reason                                      AS pause_reason,
    t.last_sweep_count                                  AS backlog,
    t.last_sweep_at                                     AS backlog_at,
    (SELECT count(*) FROM batchd.batchd_gate g WHERE g.task_id = t.id AND g.state = 'open')    AS in_flight,
    (SELECT count(*) FROM batchd.batchd_gate g WHERE g.task_id = t.id AND g.state = 'retry')   AS waiting,
    (SELECT count(*) FROM batchd.batchd_gate g WHERE g.task_id = t.id AND g.state = 'failed')  AS failed,
    (SELECT count(*) FROM batchd.batchd_gate g WHERE g.task_id = t.id AND g.state = 'held')    AS held,
    (SELECT count(*) FROM batchd.batchd_batch b WHERE b.task_id = t.id
        AND b.state NOT IN ('closed', 'failed', 'abandoned'))       AS open_batches,
    (SELECT coalesce(sum(b.applied), 0) FROM batchd.batchd_batch b WHERE b.task_id = t.id) AS applied,
    (SELECT coalesce(sum(b.stale), 0) FROM batchd.batchd_batch b WHERE b.task_id = t.id) AS stale,
    (SELECT round(coalesce(sum(b.cost_nano_usd), 0) / 1000000000.0, 6)
        FROM batchd.batchd_batch b WHERE b.task_id = t.id)  AS cost_usd,
    (SELECT max(b.applied_at) FROM batchd.batchd_batch b WHERE b.task_id = t.id) AS last_apply_at
FROM batchd.batchd_task t;

CREATE OR REPLACE VIEW batchd.batchd_v_batches AS
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
    round(b.cost_nano_usd / 1000000000.0, 6) AS cost_usd,
    b.error_code                        AS error_code,
    b.error_text                        AS error_text,
    CASE
        WHEN b.held_from = 'submitting' THEN 'a person, and it is still looked for'
        WHEN b.state = 'held' THEN 'a person'
        WHEN b.state = 'submitting' THEN 'the vendor to show whether it was created'
        WHEN b.state = 'built' AND b.not_before > clock_timestamp() THEN 'the next try to send it'
    END                                 AS waits_for,
    CASE WHEN b.state IN ('built', 'submitting', 'held') THEN (SELECT max(e.at) FROM batchd.batchd_event e
        WHERE e.subject = 'batch' AND e.subject_id = b.id AND e.to_state = b.state)
    END                                 AS waits_since,
    b.not_before                        AS not_before,
    CASE b.state WHEN 'submitting' THEN b.settle_by END AS settle_by,
    b.created_at                        AS created_at,
    b.submitted_at                      AS submitted_at,
    b.ended_at                          AS ended_at,
    b.closed_at                         AS closed_at,
    b.uid                               AS uid
FROM batchd.batchd_batch b
JOIN batchd.batchd_task t ON t.id = b.task_id;

CREATE OR REPLACE VIEW batchd.batchd_v_failures AS
SELECT
    t.name                              AS task,
    CASE
        WHEN g.key_text = '' THEN CAST(g.key_int AS text)
        -- A key of one column is kept as '<length>:<value>'; composites keep all their lengths.
        WHEN g.key_text LIKE concat(length(g.key_text) - strpos(g.key_text, ':'), ':%')
            THEN substr(g.key_text, strpos(g.key_text, ':') + 1)
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
WHERE g.state IN ('failed', 'held', 'done');

-- Days are days in UTC.
CREATE OR REPLACE VIEW batchd.batchd_v_spend_daily AS
SELECT
    CAST(r.finished_at AT TIME ZONE 'UTC' AS date) AS day,
    t.name                              AS task,
    count(*)                            AS requests,
    count(*) FILTER (WHERE r.outcome = 'applied') AS applied,
    CAST(coalesce(sum(r.input_tokens), 0) AS bigint) AS input_tokens,
    CAST(coalesce(sum(r.output_tokens), 0) AS bigint) AS output_tokens,
    round(coalesce(sum(r.cost_nano_usd), 0) / 1000000000.0, 6) AS cost_usd
FROM batchd.batchd_request r
JOIN batchd.batchd_batch b ON b.id = r.batch_id
JOIN batchd.batchd_task t ON t.id = b.task_id
WHERE r.finished_at IS NOT NULL
GROUP BY CAST(r.finished_at AT TIME ZONE 'UTC' AS date), t.name;

-- Left alone where it is: 005_findings.sql has given it more columns by then.
DO $$ BEGIN IF to_regclass('batchd.batchd_v_findings') IS NULL THEN
CREATE VIEW batchd.batchd_v_findings AS
SELECT
    f.kind                              AS kind,
    f.subject                           AS subject,
    f.detail                            AS detail,
    f.opened_at                         AS since,
    f.next_command                      AS next_command
FROM batchd.batchd_finding f
WHERE f.closed_at IS NULL;
END IF; END $$;
