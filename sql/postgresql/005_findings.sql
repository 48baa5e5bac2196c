-- batchd's ledger for PostgreSQL, version 5: how urgent a finding is, where its page is, how far it was told to people;
-- and since when a task has had a backlog.
--
-- Safe to run again: columns that are there are left alone. Each is added without writing the table anew, under a lock
-- that lasts a moment. The view keeps its columns and its grants, so no role has to be granted anything again.

-- Since when the last sweeps have left rows unclaimed; NULL while the last one left none.
ALTER TABLE batchd.batchd_task ADD COLUMN IF NOT EXISTS backlog_since timestamptz(3);

-- 1: money or data is at stake, or everything stands still; 2: a task, a batch or rows do; 3: worth knowing.
ALTER TABLE batchd.batchd_finding ADD COLUMN IF NOT EXISTS priority integer NOT NULL DEFAULT 2;
-- Where [notify] asks for it: how often batchd tried to tell somebody, which ways have worked, and when the next try is
-- due. notified_at is when all of them had.
ALTER TABLE batchd.batchd_finding ADD COLUMN IF NOT EXISTS notify_tries integer NOT NULL DEFAULT 0;
ALTER TABLE batchd.batchd_finding ADD COLUMN IF NOT EXISTS notified_by varchar(40) COLLATE "C";
ALTER TABLE batchd.batchd_finding ADD COLUMN IF NOT EXISTS notify_after timestamptz(3);

-- Findings of older versions. What is written from now on has its priority from batchd.
UPDATE batchd.batchd_finding SET priority = 1 WHERE priority = 2 AND kind IN (
    'unknown-submit', 'stranger', 'list-unread', 'batch-vanished', 'results-unread', 'short-results',
    'billing-stop', 'vendor-auth', 'account-moved', 'spool-full', 'spool-unusable');

UPDATE batchd.batchd_finding SET priority = 3 WHERE priority = 2 AND kind IN (
    'extra-batch', 'late-batch', 'unknown-status', 'missing-lines', 'strange-lines', 'input-lost');

-- The most urgent first: SELECT * FROM batchd.batchd_v_findings ORDER BY priority, since
CREATE OR REPLACE VIEW batchd.batchd_v_findings AS
SELECT
    f.kind                              AS kind,
    f.subject                           AS subject,
    f.detail                            AS detail,
    f.opened_at                         AS since,
    f.next_command                      AS next_command,
    f.priority                          AS priority,
    'docs/runbook/' || f.kind || '.md'  AS page
FROM batchd.batchd_finding f
WHERE f.closed_at IS NULL;
