-- batchd's ledger for SQL Server 2016 and later and Azure SQL, version 5: how urgent a finding is, where its page is,
-- how far it was told to people; and since when a task has had a backlog.
--
--     sqlcmd -b -I -d YourDatabase -i 005_findings.sql
-- Safe to run again: columns that are there are left alone, and the view is altered, so that it keeps its grants.

SET XACT_ABORT ON;
SET ANSI_NULLS ON;
SET ANSI_PADDING ON;
SET ANSI_WARNINGS ON;
SET ARITHABORT ON;
SET CONCAT_NULL_YIELDS_NULL ON;
SET QUOTED_IDENTIFIER ON;
SET NUMERIC_ROUNDABORT OFF;
GO

-- Since when the last sweeps have left rows unclaimed; NULL while the last one left none.
IF COL_LENGTH(N'batchd.batchd_task', N'backlog_since') IS NULL
    ALTER TABLE batchd.batchd_task ADD backlog_since DATETIME2(3) NULL;
GO

-- 1: money or data is at stake, or everything stands still; 2: a task, a batch or rows do; 3: worth knowing.
IF COL_LENGTH(N'batchd.batchd_finding', N'priority') IS NULL
    ALTER TABLE batchd.batchd_finding ADD priority INT NOT NULL CONSTRAINT DF_batchd_finding_priority DEFAULT (2);
GO

-- Where [notify] asks for it: how often batchd tried to tell somebody, which ways have worked, and when the next try is
-- due. notified_at is when all of them had.
IF COL_LENGTH(N'batchd.batchd_finding', N'notify_tries') IS NULL
    ALTER TABLE batchd.batchd_finding ADD notify_tries INT NOT NULL
        CONSTRAINT DF_batchd_finding_notify_tries DEFAULT (0);
GO

IF COL_LENGTH(N'batchd.batchd_finding', N'notified_by') IS NULL
    ALTER TABLE batchd.batchd_finding ADD notified_by NVARCHAR(40) NULL;
GO

IF COL_LENGTH(N'batchd.batchd_finding', N'notify_after') IS NULL
    ALTER TABLE batchd.batchd_finding ADD notify_after DATETIME2(3) NULL;
GO

-- Findings of older versions. What is written from now on has its priority from batchd.
UPDATE batchd.batchd_finding SET priority = 1 WHERE priority = 2 AND kind IN (
    N'unknown-submit', N'stranger', N'list-unread', N'batch-vanished', N'results-unread', N'short-results',
    N'billing-stop', N'vendor-auth', N'account-moved', N'spool-full', N'spool-unusable');
GO
UPDATE batchd.batchd_finding SET priority = 3 WHERE priority = 2 AND kind IN (
    N'extra-batch', N'late-batch', N'unknown-status', N'missing-lines', N'strange-lines', N'input-lost');
GO
-- The most urgent first: SELECT * FROM batchd.batchd_v_findings ORDER BY priority, since
ALTER VIEW batchd.batchd_v_findings AS
SELECT
    f.kind                              AS kind,
    f.subject                           AS subject,
    f.detail                            AS detail,
    f.opened_at                         AS since,
    f.next_command                      AS next_command,
    f.priority                          AS priority,
    N'docs/runbook/' + f.kind + N'.md'  AS page
FROM batchd.batchd_finding f
WHERE f.closed_at IS NULL;
GO
