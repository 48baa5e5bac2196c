-- What the vendor lets wait in its queue, MySQL and MariaDB, version 3: its limit on enqueued tokens, and what
-- batchd's batches take of it.
--
-- What is enqueued is no counter: it is the sum of tokens over the batches that the vendor has or may have.
-- Safe to run again. Afterwards run roles_runtime.sql again: the two tables are new.

-- One row per vendor account and model. Set learnt_tokens to NULL to have batchd forget what refusals have taught it.
CREATE TABLE IF NOT EXISTS batchd_quota (
    account              VARCHAR(200) NOT NULL,         -- [vendors.NAME] of the config
    model                VARCHAR(200) NOT NULL,         -- '' where an endpoint needs none
    learnt_tokens        BIGINT       NULL,             -- the limit, as refusals have shown it
    told                 INT          NOT NULL DEFAULT 0,  -- 1: the vendor has named that number
    learnt_at            DATETIME(3)  NULL,             -- when that last changed
    asked_at             DATETIME(3)  NOT NULL,         -- when a batch last asked for room; its UPDATE is the lock
    PRIMARY KEY (account, model),
    CONSTRAINT batchd_quota_learnt_tokens_check CHECK (learnt_tokens > 0),
    CONSTRAINT batchd_quota_told_check CHECK (told IN (0, 1))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One row per batch.
CREATE TABLE IF NOT EXISTS batchd_enqueued (
    batch_id             BIGINT       NOT NULL,
    task_id              BIGINT       NOT NULL,
    account              VARCHAR(200) NOT NULL,
    model                VARCHAR(200) NOT NULL,
    tokens               BIGINT       NOT NULL,         -- input tokens, estimated from its bytes
    reserved_at          DATETIME(3)  NULL,             -- when it was last let through to be sent
    beside               BIGINT       NULL,             -- tokens that were enqueued then, beside its own
    waits_since          DATETIME(3)  NULL,             -- it waits for tokens to be freed
    turn_at              DATETIME(3)  NULL,             -- since when it is the next one, and does not fit
    PRIMARY KEY (batch_id),
    KEY batchd_enqueued_created (account, reserved_at),
    KEY batchd_enqueued_task (task_id, model, batch_id),
    CONSTRAINT batchd_enqueued_batch_fk FOREIGN KEY (batch_id) REFERENCES batchd_batch (id),
    CONSTRAINT batchd_enqueued_task_fk FOREIGN KEY (task_id) REFERENCES batchd_task (id),
    CONSTRAINT batchd_enqueued_tokens_check CHECK (tokens > 0)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The view of batches, as in 002_views.sql, with one more thing that a batch may wait for.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW batchd_v_batches AS
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
    round(b.cost_nano_usd * 0.000000001, 6) AS cost_usd,
    b.error_code                        AS error_code,
    b.error_text                        AS error_text,
    CASE
        WHEN b.held_from = 'submitting' THEN 'a person, and it is still looked for'
        WHEN b.state = 'held' THEN 'a person'
        WHEN b.state = 'submitting' THEN 'the vendor to show whether it was created'
        WHEN b.state = 'built' AND b.not_before > UTC_TIMESTAMP(3) THEN 'the next try to send it'
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
