-- batchd's ledger for MySQL and MariaDB, version 5: how urgent a finding is, where its page is, how far it was told to
-- people; and since when a task has had a backlog.
--
-- Run it in the ledger's database, as 001_ledger.sql was. Safe to run again: columns that are there are left alone.
-- MySQL commits each statement by itself; after an interruption, run it again. No role has to be granted anything
-- again: rights are on the tables and on the view's name.

-- Since when the last sweeps have left rows unclaimed; NULL while the last one left none. MySQL can't add a column only
-- where there is none, so it is asked for by a statement that is made up here.
SET @made = (SELECT CASE count(*)
        WHEN 0 THEN 'ALTER TABLE batchd_task ADD COLUMN backlog_since DATETIME(3) NULL' ELSE 'DO 0' END
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'batchd_task' AND column_name = 'backlog_since');
PREPARE made FROM @made;
EXECUTE made;

-- 1: money or data is at stake, or everything stands still; 2: a task, a batch or rows do; 3: worth knowing.
SET @made = (SELECT CASE count(*)
        WHEN 0 THEN 'ALTER TABLE batchd_finding ADD COLUMN priority INT NOT NULL DEFAULT 2' ELSE 'DO 0' END
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'batchd_finding' AND column_name = 'priority');
PREPARE made FROM @made;
EXECUTE made;

-- Where [notify] asks for it: how often batchd tried to tell somebody, which ways have worked, and when the next try is
-- due. notified_at is when all of them had.
SET @made = (SELECT CASE count(*)
        WHEN 0 THEN 'ALTER TABLE batchd_finding ADD COLUMN notify_tries INT NOT NULL DEFAULT 0' ELSE 'DO 0' END
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'batchd_finding' AND column_name = 'notify_tries');
PREPARE made FROM @made;
EXECUTE made;

SET @made = (SELECT CASE count(*)
        WHEN 0 THEN 'ALTER TABLE batchd_finding ADD COLUMN notified_by VARCHAR(40) NULL' ELSE 'DO 0' END
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'batchd_finding' AND column_name = 'notified_by');
PREPARE made FROM @made;
EXECUTE made;

SET @made = (SELECT CASE count(*)
        WHEN 0 THEN 'ALTER TABLE batchd_finding ADD COLUMN notify_after DATETIME(3) NULL' ELSE 'DO 0' END
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'batchd_finding' AND column_name = 'notify_after');
PREPARE made FROM @made;
EXECUTE made;

-- Findings of older versions. What is written from now on has its priority from batchd.
UPDATE batchd_finding SET priority = 1 WHERE priority = 2 AND kind IN (
    'unknown-submit', 'stranger', 'list-unread', 'batch-vanished', 'results-unread', 'short-results',
    'billing-stop', 'vendor-auth', 'account-moved', 'spool-full', 'spool-unusable');

UPDATE batchd_finding SET priority = 3 WHERE priority = 2 AND kind IN (
    'extra-batch', 'late-batch', 'unknown-status', 'missing-lines', 'strange-lines', 'input-lost');

-- The most urgent first: SELECT * FROM batchd_v_findings ORDER BY priority, since
CREATE OR REPLACE SQL SECURITY INVOKER VIEW batchd_v_findings AS
SELECT
    f.kind                              AS kind,
    f.subject                           AS subject,
    f.detail                            AS detail,
    f.opened_at                         AS since,
    f.next_command                      AS next_command,
    f.priority                          AS priority,
    CONCAT('docs/runbook/', f.kind, '.md') AS page
FROM batchd_finding f
WHERE f.closed_at IS NULL;
