-- batchd's ledger for PostgreSQL, version 6: what is left at vendors of batches that have ended.
--
-- Safe to run again: every statement leaves what is there alone. Run roles_runtime.sql again afterwards: there is a new
-- table.

-- One row per batch that has ended at the vendor and whose files in the spool are removed. Its files at the vendor are
-- deleted keep_vendor_files later, if the config says so.
CREATE TABLE IF NOT EXISTS batchd.batchd_vendor_files (
    batch_id             bigint         NOT NULL,
    due_from             timestamptz(3),                          -- keep_vendor_files counts from then; NULL: done with
    deleted_at           timestamptz(3),                          -- when they were deleted; NULL: they were not
    CONSTRAINT batchd_vendor_files_pk PRIMARY KEY (batch_id),
    CONSTRAINT batchd_vendor_files_batch_fk FOREIGN KEY (batch_id) REFERENCES batchd.batchd_batch (id)
);

CREATE INDEX IF NOT EXISTS batchd_vendor_files_due ON batchd.batchd_vendor_files (due_from);

-- Batches that ended under an older version.
INSERT INTO batchd.batchd_vendor_files (batch_id, due_from)
SELECT b.id, b.closed_at
FROM batchd.batchd_batch b
WHERE b.state IN ('closed', 'failed') AND b.files_removed_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM batchd.batchd_vendor_files f WHERE f.batch_id = b.id);
