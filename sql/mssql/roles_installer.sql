-- Who may make batchd's tables: the role of `batchd db upgrade`, SQL Server.
--
-- Run once, by a member of db_owner, in the database that is to hold the ledger:
--     sqlcmd -b -I -d YourDatabase -i roles_installer.sql
-- Another schema: put its name in place of the schema batchd below. Safe to run again.
--
-- batchd does not need this role while it runs: give it to the user that installs and upgrades, and to no other.
--     CREATE LOGIN batchd_install WITH PASSWORD = N'...';
--     CREATE USER batchd_install FOR LOGIN batchd_install;
--     ALTER ROLE batchd_installer ADD MEMBER batchd_install;
-- On Azure SQL Database CREATE LOGIN runs in master only; there, in place of the first two, a user of this database:
--     CREATE USER batchd_install WITH PASSWORD = N'...';
--
-- The role owns the schema, so it may make and change anything in it, and nothing elsewhere: CREATE TABLE and
-- CREATE VIEW work only in schemas that one may alter. The schema is not dbo's on purpose: a view in a schema of
-- dbo's reads every table of dbo's, whatever its maker may read.

IF DATABASE_PRINCIPAL_ID(N'batchd_installer') IS NULL CREATE ROLE batchd_installer;
GO
IF SCHEMA_ID(N'batchd') IS NULL EXEC(N'CREATE SCHEMA batchd AUTHORIZATION batchd_installer');
GO

GRANT CREATE TABLE TO batchd_installer;
GRANT CREATE VIEW TO batchd_installer;
GO
