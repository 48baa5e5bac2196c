-- Which installation this ledger is, MySQL and MariaDB: the one row of batchd_installation, and the version that the
-- numbered scripts have brought it to.
--
-- `batchd db upgrade` writes both by itself. For a DBA `batchd db upgrade --sql` prints this after the scripts, with
-- the two values put in; run it in the ledger's database, once they have all run without an error. Safe to run again:
-- an installation that is there stays as it is, and a newer ledger keeps its version.
--
-- bound_to is server and database as database.url of the config names them. A server that is localhost there has the
-- name of the machine that printed this: print it where batchd will run. batchd refuses to work at another place, and
-- names both; before the first batch an UPDATE of bound_to sets it right, later `batchd db adopt`.

-- UUID() by itself would tell vendors the server's network address.
INSERT INTO batchd_installation (id, installation_id, bound_to, ledger_version, created_at)
SELECT 1, LEFT(SHA2(CONCAT(UUID(), RAND()), 256), 32), :bound_to, :ledger_version, UTC_TIMESTAMP(3)
FROM DUAL
WHERE NOT EXISTS (SELECT 1 FROM batchd_installation);

UPDATE batchd_installation SET ledger_version = :ledger_version WHERE ledger_version < :ledger_version;
