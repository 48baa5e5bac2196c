-- What the vendor lets wait in its queue, SQL Server, version 3: its limit on enqueued tokens, and what batchd's
-- batches take of it.
--
-- What is enqueued is no counter: it is the sum of tokens over the batches that the vendor has or may have.
-- Safe to run again. Afterwards run roles_runtime.sql again: the two tables are new.

SET XACT_ABORT ON;
SET ANSI_NULLS ON;
SET QUOTED_IDENTIFIER ON;
GO

-- One row per vendor account and model. Set learnt_tokens to NULL to have batchd forget what refusals have taught it.
IF OBJECT_ID(N'batchd.batchd_quota', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_quota (
        account              NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,  -- [vendors.NAME] of the config
        model                NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,  -- '' where an endpoint needs none
        learnt_tokens        BIGINT         NULL,           -- the limit, as refusals have shown it
        -- 1: the vendor has named that number
        told                 INT            NOT NULL CONSTRAINT DF_batchd_quota_told DEFAULT (0),
        learnt_at            DATETIME2(3)   NULL,           -- when that last changed
        asked_at             DATETIME2(3)   NOT NULL,       -- when a batch last asked for room; its UPDATE is the lock
        CONSTRAINT PK_batchd_quota PRIMARY KEY CLUSTERED (account, model),
        CONSTRAINT CK_batchd_quota_learnt_tokens CHECK (learnt_tokens > 0),
        CONSTRAINT CK_batchd_quota_told CHECK (told IN (0, 1))
    );
END
GO

-- One row per batch.
IF OBJECT_ID(N'batchd.batchd_enqueued', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_enqueued (
        batch_id             BIGINT         NOT NULL,
        task_id              BIGINT         NOT NULL,
        account              NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
        model                NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
        tokens               BIGINT         NOT NULL,       -- input tokens, estimated from its bytes
        reserved_at          DATETIME2(3)   NULL,           -- when it was last let through to be sent
        beside               BIGINT         NULL,           -- tokens that were enqueued then, beside its own
        waits_since          DATETIME2(3)   NULL,           -- it waits for tokens to be freed
        turn_at              DATETIME2(3)   NULL,           -- since when it is the next one, and does not fit
        CONSTRAINT PK_batchd_enqueued PRIMARY KEY CLUSTERED (batch_id),
        CONSTRAINT FK_batchd_enqueued_batch FOREIGN KEY (batch_id) REFERENCES batchd.batchd_batch (id),
        CONSTRAINT FK_batchd_enqueued_task FOREIGN KEY (task_id) REFERENCES batchd.batchd_task (id),
        CONSTRAINT CK_batchd_enqueued_tokens CHECK (tokens > 0)
    );
    CREATE INDEX IX_batchd_enqueued_created ON batchd.batchd_enqueued (account, reserved_at);
    CREATE INDEX IX_batchd_enqueued_task ON batchd.batchd_enqueued (task_id, model, batch_id);
END
GO

-- The view of batches, as in 002_views.sql, with one more thing that a batch may wait for. It has lost the grants on
-- it: run roles_runtime.sql again.
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
        WHEN b.state = N'built' AND EXISTS (SELECT 1 FROM batchd.batchd_enqueued e
            WHERE e.batch_id = b.id AND e.waits_since IS NOT NULL) THEN N'the vendor''s quota'
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
