-- The example of batchd's documentation, for SQL Server: résumés, and the columns that a model fills in.
-- Safe to run again. Then: sample_rows.sql, config.toml, and once the ledger is there view.sql and questions.sql.

SET ANSI_NULLS ON;
SET QUOTED_IDENTIFIER ON;
GO

IF OBJECT_ID(N'dbo.aicandidate', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.aicandidate (
        userid           INT IDENTITY(1, 1) NOT NULL CONSTRAINT PK_aicandidate PRIMARY KEY,
        category         NVARCHAR(100)      NULL,       -- read: it goes into the prompt
        Resume           NVARCHAR(MAX)      NULL,       -- read too
        FullName         NVARCHAR(200)      NULL,       -- written from here on
        YearsExperience  DECIMAL(4, 1)      NULL,
        Skills           NVARCHAR(MAX)      NULL CONSTRAINT CK_aicandidate_Skills CHECK (ISJSON(Skills) = 1),
        Level            NVARCHAR(20)       NULL,
        Summary          NVARCHAR(400)      NULL,
        LastProcessed    DATETIME2(0)       NULL,       -- NULL means pending; otherwise when it was done, in UTC
        row_version      ROWVERSION         NOT NULL    -- the server changes it with every change of the row
    );
    -- Keeps the search for pending rows short, however large the table grows. Programs with QUOTED_IDENTIFIER OFF can't
    -- write to a table with such an index (error 1934): sqlcmd without -I, jobs of SQL Server Agent.
    CREATE INDEX IX_aicandidate_pending ON dbo.aicandidate (userid) WHERE LastProcessed IS NULL;
END
GO
