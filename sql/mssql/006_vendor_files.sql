-- batchd's ledger for SQL Server 2016 and later and Azure SQL, version 6: what is left at vendors of batches that have
-- ended.
--
--     sqlcmd -b -I -d YourDatabase -i 006_vendor_files.sql
-- Safe to run again: what is there is left alone. Run roles_runtime.sql again afterwards: there is a new table.

SET XACT_ABORT ON;
SET ANSI_NULLS ON;
SET ANSI_PADDING ON;
SET ANSI_WARNINGS ON;
SET ARITHABORT ON;
SET CONCAT_NULL_YIELDS_NULL ON;
SET QUOTED_IDENTIFIER ON;
SET NUMERIC_ROUNDABORT OFF;
GO

-- One row per batch that has ended at the vendor and whose files in the spool are removed. Its files at the vendor are
-- deleted keep_vendor_files later, if the config says so.
IF OBJECT_ID(N'batchd.batchd_vendor_files', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_vendor_files (
        batch_id             BIGINT         NOT NULL,
        due_from             DATETIME2(3)   NULL,           -- keep_vendor_files counts from then; NULL: done with
        deleted_at           DATETIME2(3)   NULL,           -- when they were deleted; NULL: they were not
        CONSTRAINT PK_batchd_vendor_files PRIMARY KEY CLUSTERED (batch_id),
        CONSTRAINT FK_batchd_vendor_files_batch FOREIGN KEY (batch_id) REFERENCES batchd.batchd_batch (id)
    );
    CREATE INDEX IX_batchd_vendor_files_due ON batchd.batchd_vendor_files (due_from);
END
GO

-- Batches that ended under an older version.
INSERT INTO batchd.batchd_vendor_files (batch_id, due_from)
SELECT b.id, b.closed_at
FROM batchd.batchd_batch b
WHERE b.state IN (N'closed', N'failed') AND b.files_removed_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM batchd.batchd_vendor_files f WHERE f.batch_id = b.id);
GO
