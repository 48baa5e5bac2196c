-- batchd's ledger for SQLite, version 6: what is left at vendors of batches that have ended.
--
-- Safe to run again: every statement leaves what is there alone.

-- One row per batch that has ended at the vendor and whose files in the spool are removed. Its files at the vendor are
-- deleted keep_vendor_files later, if the config says so.
CREATE TABLE IF NOT EXISTS batchd_vendor_files (
    batch_id          INTEGER NOT NULL PRIMARY KEY REFERENCES batchd_batch (id),
    due_from          TEXT,                           -- keep_vendor_files counts from then; NULL: done with
    deleted_at        TEXT                            -- when they were deleted; NULL: they were not
);

CREATE INDEX IF NOT EXISTS batchd_vendor_files_due ON batchd_vendor_files (due_from);

-- Batches that ended under an older version.
INSERT INTO batchd_vendor_files (batch_id, due_from)
SELECT b.id, b.closed_at
FROM batchd_batch b
WHERE b.state IN ('closed', 'failed') AND b.files_removed_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM batchd_vendor_files f WHERE f.batch_id = b.id);
