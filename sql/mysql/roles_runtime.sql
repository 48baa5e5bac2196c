-- What batchd may do with its own tables while it runs, MySQL and MariaDB.
--
-- Run by an administrator, in the database that holds the ledger, once all the numbered scripts have run:
--     mysql --database=app < roles_runtime.sql
-- Safe to run again.
--
-- The account that batchd runs as gets the role, and for the table of each task what `batchd db grants TASK` prints:
--     CREATE USER 'batchd_service'@'10.0.0.%' IDENTIFIED BY '…';
--     GRANT batchd_runtime TO 'batchd_service'@'10.0.0.%';
--     SET DEFAULT ROLE batchd_runtime FOR 'batchd_service'@'10.0.0.%';    -- MariaDB
--     SET DEFAULT ROLE batchd_runtime TO 'batchd_service'@'10.0.0.%';     -- MySQL
-- The role makes, changes and drops no table but temporary ones of its own session.

CREATE ROLE IF NOT EXISTS batchd_runtime;
CREATE ROLE IF NOT EXISTS batchd_reader;

-- Which installation this is changes by `batchd db adopt` only, an act of the installer.
GRANT SELECT ON batchd_installation TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd_task TO batchd_runtime;
GRANT SELECT, INSERT ON batchd_task_version TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd_batch TO batchd_runtime;
GRANT SELECT, INSERT ON batchd_watch TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd_quota TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd_enqueued TO batchd_runtime;
-- Requests, and what is kept of their rows, are removed where keep_ledger says so, and nowhere else.
GRANT SELECT, INSERT, UPDATE, DELETE ON batchd_request TO batchd_runtime;
-- A row that is done, or due again, has no gate any more.
GRANT SELECT, INSERT, UPDATE, DELETE ON batchd_gate TO batchd_runtime;
GRANT SELECT, INSERT, DELETE ON batchd_content TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd_retention TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd_vendor_files TO batchd_runtime;
-- A process that has ended takes its row away.
GRANT SELECT, INSERT, UPDATE, DELETE ON batchd_process TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd_finding TO batchd_runtime;
-- What happened is written once and never changed.
GRANT SELECT, INSERT ON batchd_event TO batchd_runtime;
GRANT SELECT ON batchd_v_tasks TO batchd_runtime;
GRANT SELECT ON batchd_v_batches TO batchd_runtime;
GRANT SELECT ON batchd_v_failures TO batchd_runtime;
GRANT SELECT ON batchd_v_spend_daily TO batchd_runtime;
GRANT SELECT ON batchd_v_findings TO batchd_runtime;
-- Answers are written by way of a temporary table. The star is the database in use; last, so that a session
-- without one has ended with an error before it gets here.
GRANT CREATE TEMPORARY TABLES ON * TO batchd_runtime;

-- For people who look: everything but batchd_content, the one table with content of rows.
GRANT SELECT ON batchd_installation TO batchd_reader;
GRANT SELECT ON batchd_task TO batchd_reader;
GRANT SELECT ON batchd_task_version TO batchd_reader;
GRANT SELECT ON batchd_batch TO batchd_reader;
GRANT SELECT ON batchd_watch TO batchd_reader;
GRANT SELECT ON batchd_quota TO batchd_reader;
GRANT SELECT ON batchd_enqueued TO batchd_reader;
GRANT SELECT ON batchd_request TO batchd_reader;
GRANT SELECT ON batchd_gate TO batchd_reader;
GRANT SELECT ON batchd_finding TO batchd_reader;
GRANT SELECT ON batchd_event TO batchd_reader;
GRANT SELECT ON batchd_retention TO batchd_reader;
GRANT SELECT ON batchd_vendor_files TO batchd_reader;
GRANT SELECT ON batchd_process TO batchd_reader;
GRANT SELECT ON batchd_v_tasks TO batchd_reader;
GRANT SELECT ON batchd_v_batches TO batchd_reader;
GRANT SELECT ON batchd_v_failures TO batchd_reader;
GRANT SELECT ON batchd_v_spend_daily TO batchd_reader;
GRANT SELECT ON batchd_v_findings TO batchd_reader;
