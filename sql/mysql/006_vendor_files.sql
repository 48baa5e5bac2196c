-- batchd's ledger for MySQL and MariaDB, version 6: what is left at vendors of batches that have ended.
--
-- Run it in the ledger's database, as 001_ledger.sql was. Safe to run again: what is there is left alone. MySQL commits
-- each statement by itself; after an interruption, run it again. Run roles_runtime.sql again afterwards: there is a new
-- table.

-- One row per batch that has ended at the vendor and whose files in the spool are removed. Its files at the vendor are
-- deleted keep_vendor_files later, if the config says so.
CREATE TABLE IF NOT EXISTS batchd_vendor_files (
    batch_id             BIGINT       NOT NULL,
    due_from             DATETIME(3)  NULL,             -- keep_vendor_files counts from then; NULL: done with
    deleted_at           DATETIME(3)  NULL,             -- when they were deleted; NULL: they were not
    PRIMARY KEY (batch_id),
    KEY batchd_vendor_files_due (due_from),
    CONSTRAINT batchd_vendor_files_batch_fk FOREIGN KEY (batch_id) REFERENCES batchd_batch (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Batches that ended under an older version.
INSERT INTO batchd_vendor_files (batch_id, due_from)
SELECT b.id, b.closed_at
FROM batchd_batch b
LEFT JOIN batchd_vendor_files f ON f.batch_id = b.id
WHERE b.state IN ('closed', 'failed') AND b.files_removed_at IS NOT NULL AND f.batch_id IS NULL;
