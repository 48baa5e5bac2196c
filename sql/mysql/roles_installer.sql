-- Who may make batchd's tables: the account of `batchd db upgrade`, MySQL and MariaDB.
--
-- Run once, by an administrator, in the database that is to hold the ledger:
--     mysql --database=app < roles_installer.sql
-- Safe to run again. The tables need not be there yet: a right to CREATE is a right to a name.
--
-- batchd does not need this role while it runs: give it to the account that installs and upgrades, and to no other.
--     CREATE USER 'batchd_install'@'10.0.0.%' IDENTIFIED BY '…';
--     GRANT batchd_installer TO 'batchd_install'@'10.0.0.%';
--     SET DEFAULT ROLE batchd_installer FOR 'batchd_install'@'10.0.0.%';    -- MariaDB
--     SET DEFAULT ROLE batchd_installer TO 'batchd_install'@'10.0.0.%';     -- MySQL
--
-- Every right is on a table of batchd's by its name, so that the other tables of the database stay out of reach.

CREATE ROLE IF NOT EXISTS batchd_installer;

GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_installation TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_task TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_task_version TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_batch TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_watch TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_request TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_gate TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_content TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_finding TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_event TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_quota TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_enqueued TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_retention TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_vendor_files TO batchd_installer;
GRANT CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON batchd_process TO batchd_installer;

-- A view is replaced by dropping it.
GRANT CREATE, CREATE VIEW, SHOW VIEW, DROP, SELECT ON batchd_v_tasks TO batchd_installer;
GRANT CREATE, CREATE VIEW, SHOW VIEW, DROP, SELECT ON batchd_v_batches TO batchd_installer;
GRANT CREATE, CREATE VIEW, SHOW VIEW, DROP, SELECT ON batchd_v_failures TO batchd_installer;
GRANT CREATE, CREATE VIEW, SHOW VIEW, DROP, SELECT ON batchd_v_spend_daily TO batchd_installer;
GRANT CREATE, CREATE VIEW, SHOW VIEW, DROP, SELECT ON batchd_v_findings TO batchd_installer;
