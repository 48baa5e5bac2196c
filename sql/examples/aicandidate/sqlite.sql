-- The example of batchd's documentation, for SQLite: résumés, and the columns that a model fills in.
-- Run it by hand (sqlite3 my.db < sqlite.sql) or let the demo do it. Safe to run again.

CREATE TABLE IF NOT EXISTS aicandidate (
    userid           INTEGER NOT NULL PRIMARY KEY,
    Resume           TEXT,                     -- read: it goes into the prompt
    FullName         VARCHAR(200),             -- written from here on
    YearsExperience  NUMERIC,
    Skills           TEXT,                     -- a JSON array
    Level            VARCHAR(10),
    Summary          VARCHAR(1000),
    LastProcessed    TEXT                      -- NULL means pending; otherwise when it was done, in UTC
);

-- Keeps the search for pending rows short, however large the table grows.
CREATE INDEX IF NOT EXISTS aicandidate_pending ON aicandidate (userid) WHERE LastProcessed IS NULL;

-- What became of each row, for people. It reads batchd's own tables, so use it after `batchd db upgrade`.
-- 'resumes' is the name of the task in config.toml.
DROP VIEW IF EXISTS aicandidateBatchStatus;
CREATE VIEW aicandidateBatchStatus AS
SELECT
    c.userid,
    c.FullName,
    CASE
        WHEN g.state = 'open'            THEN 'in a batch'
        WHEN g.state = 'retry'           THEN 'waits for its next try'
        WHEN g.state IS NOT NULL         THEN 'needs a person'
        WHEN c.LastProcessed IS NOT NULL THEN 'done'
        ELSE 'pending'
    END                  AS status,
    g.outcome            AS last_outcome,
    g.error_text         AS reason,
    g.paid_tries         AS paid_tries,
    g.batch_id           AS batch,
    c.LastProcessed
FROM aicandidate c
LEFT JOIN batchd_task t ON t.name = 'resumes'
LEFT JOIN batchd_gate g ON g.task_id = t.id AND g.key_int = c.userid AND g.key_hash = '';
