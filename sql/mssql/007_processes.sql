-- batchd's ledger for SQL Server 2016 and later and Azure SQL, version 7: which processes run, and batches by when they
-- ended.
--
--     sqlcmd -b -I -d YourDatabase -i 007_processes.sql
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

-- One row per `batchd run` that has begun and not ended. It says again and again that it is there; one that was killed
-- leaves its row behind.
IF OBJECT_ID(N'batchd.batchd_process', N'U') IS NULL
    CREATE TABLE batchd.batchd_process (
        owner                NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,  -- host/namespace/pid/start
        version              NVARCHAR(100) COLLATE Latin1_General_100_BIN2 NOT NULL,  -- of batchd
        started_at           DATETIME2(3)   NOT NULL,
        seen_at              DATETIME2(3)   NOT NULL,       -- when it last said that it is there
        expires_at           DATETIME2(3)   NOT NULL,       -- it will have said so again by then, if it lives
        CONSTRAINT PK_batchd_process PRIMARY KEY CLUSTERED (owner)
    );
GO

-- What ended today: for the spend of a day, and the pace of an hour.
IF INDEXPROPERTY(OBJECT_ID(N'batchd.batchd_batch', N'U'), N'IX_batchd_batch_closed', N'IndexID') IS NULL
    CREATE INDEX IX_batchd_batch_closed ON batchd.batchd_batch (closed_at);
GO
