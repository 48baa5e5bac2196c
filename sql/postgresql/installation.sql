-- Which installation this ledger is, PostgreSQL: the one row of batchd_installation, and the version that the numbered
-- scripts have brought it to.
--
-- `batchd db upgrade` writes both by itself. For a DBA `batchd db upgrade --sql` prints this after the scripts, with
-- the two values put in; run it once they have all run without an error. Safe to run again: an installation that is
-- there stays as it is, and a newer ledger keeps its version.
--
-- bound_to is server and database as database.url of the config names them. A server that is localhost there, or a
-- socket, has the name of the machine that printed this: print it where batchd will run. batchd refuses to work at
-- another place, and names both; before the first batch an UPDATE of bound_to sets it right, later `batchd db adopt`.

INSERT INTO batchd.batchd_installation (id, installation_id, bound_to, ledger_version, created_at)
SELECT 1, replace(CAST(gen_random_uuid() AS text), '-', ''), :bound_to, :ledger_version, clock_timestamp()
WHERE NOT EXISTS (SELECT 1 FROM batchd.batchd_installation);

UPDATE batchd.batchd_installation SET ledger_version = :ledger_version WHERE ledger_version < :ledger_version;
