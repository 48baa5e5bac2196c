-- What the vendor lets wait in its queue, version 3: its limit on enqueued tokens, and what batchd's batches take of it.
--
-- What is enqueued is no counter: it is the sum of tokens over the batches that the vendor has or may have.

-- One row per vendor account and model. Set learnt_tokens to NULL to have batchd forget what refusals have taught it.
CREATE TABLE IF NOT EXISTS batchd_quota (
    account           TEXT    NOT NULL,               -- [vendors.NAME] of the config
    model             TEXT    NOT NULL,               -- '' where an endpoint needs none
    learnt_tokens     INTEGER CHECK (learnt_tokens > 0),  -- the limit, as refusals have shown it
    told              INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1)),  -- 1: the vendor has named that number
    learnt_at         TEXT,                           -- when that last changed
    asked_at          TEXT    NOT NULL,               -- when a batch last asked for room; its UPDATE is the lock
    PRIMARY KEY (account, model)
) WITHOUT ROWID;

-- One row per batch.
CREATE TABLE IF NOT EXISTS batchd_enqueued (
    batch_id          INTEGER NOT NULL PRIMARY KEY REFERENCES batchd_batch (id),
    task_id           INTEGER NOT NULL REFERENCES batchd_task (id),
    account           TEXT    NOT NULL,
    model             TEXT    NOT NULL,
    tokens            INTEGER NOT NULL CHECK (tokens > 0),  -- input tokens, estimated from its bytes
    reserved_at       TEXT,                           -- when it was last let through to be sent
    beside            INTEGER,                        -- tokens that were enqueued then, beside its own
    waits_since       TEXT,                           -- it waits for tokens to be freed
    turn_at           TEXT                            -- since when it is the next one, and does not fit
);

CREATE INDEX IF NOT EXISTS batchd_enqueued_created ON batchd_enqueued (account, reserved_at);
CREATE INDEX IF NOT EXISTS batchd_enqueued_task ON batchd_enqueued (task_id, model, batch_id);

-- The view of batches, as in 002_views.sql, with one more thing that a batch may wait for.
DROP VIEW IF EXISTS batchd_v_batches;
CREATE VIEW batchd_v_batches AS
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
    round(b.cost_nano_usd / 1e9, 6)     AS cost_usd,
    b.error_code                        AS error_code,
    b.error_text                        AS error_text,
    CASE
        WHEN b.held_from = 'submitting' THEN 'a person, and it is still looked for'
        WHEN b.state = 'held' THEN 'a person'
        WHEN b.state = 'submitting' THEN 'the vendor to show whether it was created'
        WHEN b.state = 'built' AND b.not_before > strftime('%Y-%m-%d %H:%M:%f', 'now') THEN 'the next try to send it'
        WHEN b.state = 'built' AND EXISTS (SELECT 1 FROM batchd_enqueued e
            WHERE e.batch_id = b.id AND e.waits_since IS NOT NULL) THEN 'the vendor''s quota'
    END                                 AS waits_for,
    CASE WHEN b.state IN ('built', 'submitting', 'held') THEN (SELECT max(e.at) FROM batchd_event e
        WHERE e.subject = 'batch' AND e.subject_id = b.id AND e.to_state = b.state)
    END                                 AS waits_since,
    b.not_before                        AS not_before,
    CASE b.state WHEN 'submitting' THEN b.settle_by END AS settle_by,
    b.created_at                        AS created_at,
    b.submitted_at                      AS submitted_at,
    b.ended_at                          AS ended_at,
    b.closed_at                         AS closed_at,
    b.uid                               AS uid
FROM batchd_batch b
JOIN batchd_task t ON t.id = b.task_id;
