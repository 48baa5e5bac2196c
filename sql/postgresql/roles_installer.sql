-- Who may make batchd's tables: the role of `batchd db upgrade`, PostgreSQL.
--
-- Run once, by a superuser or by the database's owner with CREATEROLE, in the database that is to hold the ledger:
--     psql -d app --single-transaction -v ON_ERROR_STOP=1 -f roles_installer.sql
-- Another schema: put its name in place of the schema batchd below. Safe to run again.
--
-- batchd does not need this role while it runs: give it to the login that installs and upgrades, and to no other.
--     CREATE ROLE batchd_install LOGIN PASSWORD '…';
--     GRANT batchd_installer TO batchd_install;
--     ALTER ROLE batchd_install IN DATABASE app SET role = 'batchd_installer';
-- The last line makes the role, and not the login, the owner of the tables, so that any login with the role may
-- upgrade them later.

DO $$ BEGIN IF to_regrole('batchd_installer') IS NULL THEN CREATE ROLE batchd_installer NOLOGIN; END IF; END $$;
DO $$ BEGIN IF to_regnamespace('batchd') IS NULL THEN CREATE SCHEMA batchd; END IF; END $$;

GRANT USAGE, CREATE ON SCHEMA batchd TO batchd_installer;
