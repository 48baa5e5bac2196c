-- What has become of each candidate, for people: dbo.aicandidateBatchStatus, one row per candidate.
-- It reads batchd's own tables, so run it after `batchd db upgrade`. 'resumes' is the name of the task in config.toml.
-- Whoever reads it needs SELECT on it and, where the schema batchd has another owner than dbo, the role batchd_reader.
-- Safe to run again; the grants on it are lost then.

SET ANSI_NULLS ON;
SET QUOTED_IDENTIFIER ON;
GO

IF OBJECT_ID(N'dbo.aicandidateBatchStatus', N'V') IS NOT NULL DROP VIEW dbo.aicandidateBatchStatus;
GO

CREATE VIEW dbo.aicandidateBatchStatus AS
SELECT
    c.userid                                AS userid,
    CASE
        WHEN g.state = N'open' AND b.state IN (N'built', N'submitting') THEN N'in a batch that is being sent'
        WHEN g.state = N'open' AND b.state = N'submitted' THEN N'at the vendor'
        WHEN g.state = N'open' AND b.state IN (N'ended', N'collected') THEN N'answered, about to be written'
        WHEN g.state = N'open' THEN N'in a batch that waits for a person'
        WHEN g.state = N'retry' THEN N'waits for its next try'
        WHEN g.state = N'failed' THEN N'failed, needs a person'
        WHEN g.state = N'held' THEN N'cancelled, needs a person'
        WHEN g.state = N'done' THEN N'processed, but still pending by the task''s condition'
        WHEN c.LastProcessed IS NOT NULL THEN N'processed'
        ELSE N'waiting'
    END                                     AS status,
    g.outcome                               AS outcome,
    g.error_text                            AS reason,
    g.paid_tries                            AS paid_tries,
    g.batch_id                              AS batch,
    b.vendor_batch_id                       AS vendor_batch_id,
    COALESCE(g.changed_at, c.LastProcessed) AS since
FROM dbo.aicandidate AS c
LEFT JOIN batchd.batchd_task AS t ON t.name = N'resumes'
-- A key of one integer column is kept as it is, in key_int, with an empty key_hash.
LEFT JOIN batchd.batchd_gate AS g ON g.task_id = t.id AND g.key_int = c.userid AND g.key_hash = N''
LEFT JOIN batchd.batchd_batch AS b ON b.id = g.batch_id;
GO
