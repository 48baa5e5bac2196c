-- batchd's ledger for SQLite, version 5: how urgent a finding is, where its page is, how far it was told to people; and
-- since when a task has had a backlog.
--
-- Run by hand a second time, each ALTER says "duplicate column name": SQLite can't add a column only where there is
-- none. Nothing is changed by that, and `batchd db upgrade` passes over columns that are there.

-- Since when the last sweeps have left rows unclaimed; NULL while the last one left none.
ALTER TABLE batchd_task ADD COLUMN backlog_since TEXT;

-- 1: money or data is at stake, or everything stands still; 2: a task, a batch or rows do; 3: worth knowing.
ALTER TABLE batchd_finding ADD COLUMN priority INTEGER NOT NULL DEFAULT 2;
-- Where [notify] asks for it: how often batchd tried to tell somebody, which ways have worked, and when the next try is
-- due. notified_at is when all of them had.
ALTER TABLE batchd_finding ADD COLUMN notify_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batchd_finding ADD COLUMN notified_by TEXT;
ALTER TABLE batchd_finding ADD COLUMN notify_after TEXT;

-- Findings of older versions. What is written from now on has its priority from batchd.
UPDATE batchd_finding SET priority = 1 WHERE priority = 2 AND kind IN (
    'unknown-submit', 'stranger', 'list-unread', 'batch-vanished', 'results-unread', 'short-results',
    'billing-stop', 'vendor-auth', 'account-moved', 'spool-full', 'spool-unusable');

UPDATE batchd_finding SET priority = 3 WHERE priority = 2 AND kind IN (
    'extra-batch', 'late-batch', 'unknown-status', 'missing-lines', 'strange-lines', 'input-lost');

-- The most urgent first: SELECT * FROM batchd_v_findings ORDER BY priority, since
DROP VIEW IF EXISTS batchd_v_findings;
CREATE VIEW batchd_v_findings AS
SELECT
    f.kind                              AS kind,
    f.subject                           AS subject,
    f.detail                            AS detail,
    f.opened_at                         AS since,
    f.next_command                      AS next_command,
    f.priority                          AS priority,
    'docs/runbook/' || f.kind || '.md'  AS page
FROM batchd_finding f
WHERE f.closed_at IS NULL;
