-- What batchd may do with its own tables while it runs, SQL Server.
--
-- Run by a member of db_owner, once all the numbered scripts have run, and again whenever one of them has:
--     sqlcmd -b -I -d YourDatabase -i roles_runtime.sql
-- Another schema: put its name in place of the schema batchd below. Safe to run again.
--
-- The user that batchd runs as gets the role, and for the table of each task what `batchd db grants TASK` prints:
--     CREATE LOGIN batchd_service WITH PASSWORD = N'...';
--     CREATE USER batchd_service FOR LOGIN batchd_service;
--     ALTER ROLE batchd_runtime ADD MEMBER batchd_service;
-- On Azure SQL Database CREATE LOGIN runs in master only; there, in place of the first two, a user of this database:
--     CREATE USER batchd_service WITH PASSWORD = N'...';
-- With Entra ID: CREATE USER [name-of-the-managed-identity] FROM EXTERNAL PROVIDER, and the same ALTER ROLE.
-- The role makes, changes and drops no table, temporary ones included.

IF DATABASE_PRINCIPAL_ID(N'batchd_runtime') IS NULL CREATE ROLE batchd_runtime;
GO
IF DATABASE_PRINCIPAL_ID(N'batchd_reader') IS NULL CREATE ROLE batchd_reader;
GO

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
GO

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
GO
