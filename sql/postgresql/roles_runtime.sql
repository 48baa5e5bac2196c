-- What batchd may do with its own tables while it runs, PostgreSQL.
--
-- Run by a superuser, or by the tables' owner with CREATEROLE, once all the numbered scripts have run:
--     psql -d app --single-transaction -v ON_ERROR_STOP=1 -f roles_runtime.sql
-- Another schema: put its name in place of the schema batchd below. Safe to run again.
--
-- The login that batchd runs as gets the role, and for the table of each task what `batchd db grants TASK` prints:
--     CREATE ROLE batchd_service LOGIN PASSWORD '…';
--     GRANT batchd_runtime TO batchd_service;
-- The role makes, changes and drops no table, temporary ones included. Ids come from identity columns, whose
-- sequences need no grant.

DO $$ BEGIN IF to_regrole('batchd_runtime') IS NULL THEN CREATE ROLE batchd_runtime NOLOGIN; END IF; END $$;
DO $$ BEGIN IF to_regrole('batchd_reader') IS NULL THEN CREATE ROLE batchd_reader NOLOGIN; END IF; END $$;

GRANT USAGE ON SCHEMA batchd TO batchd_runtime, batchd_reader;

-- Which installation this is changes by `batchd db adopt` only, an act of the installer.
GRANT SELECT ON batchd.batchd_installation TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd.batchd_task TO batchd_runtime;
GRANT SELECT, INSERT ON batchd.batchd_task_version TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd.batchd_batch TO batchd_runtime;
GRANT SELECT, INSERT ON batchd.batchd_watch TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd.batchd_quota TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd.batchd_enqueued TO batchd_runtime;
-- Requests, and what is kept of their rows, are removed where keep_ledger says so, and nowhere else.
GRANT SELECT, INSERT, UPDATE, DELETE ON batchd.batchd_request TO batchd_runtime;
-- A row that is done, or due again, has no gate any more.
GRANT SELECT, INSERT, UPDATE, DELETE ON batchd.batchd_gate TO batchd_runtime;
GRANT SELECT, INSERT, DELETE ON batchd.batchd_content TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd.batchd_retention TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd.batchd_vendor_files TO batchd_runtime;
-- A process that has ended takes its row away.
GRANT SELECT, INSERT, UPDATE, DELETE ON batchd.batchd_process TO batchd_runtime;
GRANT SELECT, INSERT, UPDATE ON batchd.batchd_finding TO batchd_runtime;
-- What happened is written once and never changed.
GRANT SELECT, INSERT ON batchd.batchd_event TO batchd_runtime;
GRANT SELECT ON batchd.batchd_v_tasks TO batchd_runtime;
GRANT SELECT ON batchd.batchd_v_batches TO batchd_runtime;
GRANT SELECT ON batchd.batchd_v_failures TO batchd_runtime;
GRANT SELECT ON batchd.batchd_v_spend_daily TO batchd_runtime;
GRANT SELECT ON batchd.batchd_v_findings TO batchd_runtime;

-- For people who look: everything but batchd_content, the one table with content of rows.
GRANT SELECT ON batchd.batchd_installation TO batchd_reader;
GRANT SELECT ON batchd.batchd_task TO batchd_reader;
GRANT SELECT ON batchd.batchd_task_version TO batchd_reader;
GRANT SELECT ON batchd.batchd_batch TO batchd_reader;
GRANT SELECT ON batchd.batchd_watch TO batchd_reader;
GRANT SELECT ON batchd.batchd_quota TO batchd_reader;
GRANT SELECT ON batchd.batchd_enqueued TO batchd_reader;
GRANT SELECT ON batchd.batchd_request TO batchd_reader;
GRANT SELECT ON batchd.batchd_gate TO batchd_reader;
GRANT SELECT ON batchd.batchd_finding TO batchd_reader;
GRANT SELECT ON batchd.batchd_event TO batchd_reader;
GRANT SELECT ON batchd.batchd_retention TO batchd_reader;
GRANT SELECT ON batchd.batchd_vendor_files TO batchd_reader;
GRANT SELECT ON batchd.batchd_process TO batchd_reader;
GRANT SELECT ON batchd.batchd_v_tasks TO batchd_reader;
GRANT SELECT ON batchd.batchd_v_batches TO batchd_reader;
GRANT SELECT ON batchd.batchd_v_failures TO batchd_reader;
GRANT SELECT ON batchd.batchd_v_spend_daily TO batchd_reader;
GRANT SELECT ON batchd.batchd_v_findings TO batchd_reader;
