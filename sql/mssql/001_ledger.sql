-- batchd's ledger for SQL Server 2016 and later and Azure SQL, version 1.
--
-- Everything batchd remembers, in the database of the tables it works on, so that a row's update and its
-- accounting commit together. Times are UTC, by this database's clock (SYSUTCDATETIME). Row keys do appear
-- (key_int, key_text); no table but batchd_content holds content of your rows.
--
-- Run it as a user that may create tables in the schema (roles_installer.sql), for example:
--     sqlcmd -b -I -d YourDatabase -i 001_ledger.sql
-- or let `batchd db upgrade` run it. Another schema: put its name in place of batchd, and say it in the config
-- (ledger_schema). Safe to run again: a table that is there is left alone, with its indexes.
--
-- Short texts compare byte by byte (BIN2), whatever the database's own collation is.
-- Whoever writes to batchd_batch or batchd_finding needs the SET options below: they have filtered indexes.
-- Microsoft's ODBC driver and FreeTDS set them by themselves.

SET XACT_ABORT ON;
SET ANSI_NULLS ON;
SET ANSI_PADDING ON;
SET ANSI_WARNINGS ON;
SET ARITHABORT ON;
SET CONCAT_NULL_YIELDS_NULL ON;
SET QUOTED_IDENTIFIER ON;
SET NUMERIC_ROUNDABORT OFF;
GO

IF SCHEMA_ID(N'batchd') IS NULL EXEC(N'CREATE SCHEMA batchd');
GO

IF OBJECT_ID(N'batchd.batchd_installation', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_installation (
        id                   BIGINT         NOT NULL,
        -- names this ledger towards vendors
        installation_id      NVARCHAR(32) COLLATE Latin1_General_100_BIN2 NOT NULL,
        -- where this ledger lives; a copy elsewhere is another one
        bound_to             NVARCHAR(500) COLLATE Latin1_General_100_BIN2 NOT NULL,
        ledger_version       INT            NOT NULL,
        created_at           DATETIME2(3)   NOT NULL,
        CONSTRAINT PK_batchd_installation PRIMARY KEY CLUSTERED (id),
        CONSTRAINT CK_batchd_installation_one CHECK (id = 1)
    );
END
GO

-- One row per task of the config. A DBA may set batch_size and max_open_batches here.
IF OBJECT_ID(N'batchd.batchd_task', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_task (
        id                   BIGINT IDENTITY(1, 1) NOT NULL,
        name                 NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
        -- 1 stops claiming, submitting, applying
        paused               INT            NOT NULL CONSTRAINT DF_batchd_task_paused DEFAULT (0),
        pause_reason         NVARCHAR(MAX)  NOT NULL CONSTRAINT DF_batchd_task_pause_reason DEFAULT (N''),
        batch_size           INT            NULL,           -- wins over the config where set
        max_open_batches     INT            NULL,           -- wins over the config where set
        fingerprint          NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL,  -- over table and key
        resume_key           BIGINT         NULL,           -- where the next claim starts; only ever makes it faster
        last_sweep_at        DATETIME2(3)   NULL,
        last_sweep_count     INT            NULL,           -- rows the last full sweep left unclaimed
        lease_owner          NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
        lease_expires_at     DATETIME2(3)   NULL,
        lease_epoch          INT            NOT NULL CONSTRAINT DF_batchd_task_lease_epoch DEFAULT (0),
        created_at           DATETIME2(3)   NOT NULL,
        CONSTRAINT PK_batchd_task PRIMARY KEY CLUSTERED (id),
        CONSTRAINT UQ_batchd_task_name UNIQUE (name),
        CONSTRAINT CK_batchd_task_paused CHECK (paused IN (0, 1)),
        CONSTRAINT CK_batchd_task_batch_size CHECK (batch_size > 0),
        CONSTRAINT CK_batchd_task_max_open_batches CHECK (max_open_batches >= 0)
    );
END
GO

-- Every definition that a task ever had, whole: what was submitted is what is applied.
IF OBJECT_ID(N'batchd.batchd_task_version', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_task_version (
        id                   BIGINT IDENTITY(1, 1) NOT NULL,
        task_id              BIGINT         NOT NULL,
        version              NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL,  -- SHA-256 of the definition
        definition           NVARCHAR(MAX)  NOT NULL,       -- JSON, complete
        created_at           DATETIME2(3)   NOT NULL,
        CONSTRAINT PK_batchd_task_version PRIMARY KEY CLUSTERED (id),
        CONSTRAINT UQ_batchd_task_version_version UNIQUE (task_id, version),
        CONSTRAINT FK_batchd_task_version_task FOREIGN KEY (task_id) REFERENCES batchd.batchd_task (id)
    );
END
GO

IF OBJECT_ID(N'batchd.batchd_batch', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_batch (
        id                   BIGINT IDENTITY(1, 1) NOT NULL,
        -- 128 random bits in hex; in file names and vendor metadata
        uid                  NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
        task_id              BIGINT         NOT NULL,
        version_id           BIGINT         NOT NULL,
        state                NVARCHAR(20) COLLATE Latin1_General_100_BIN2 NOT NULL,
        held_from            NVARCHAR(20) COLLATE Latin1_General_100_BIN2 NULL,  -- the state to go on from, where held
        -- how often it was uploaded to be created
        attempt              INT            NOT NULL CONSTRAINT DF_batchd_batch_attempt DEFAULT (0),
        account              NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,  -- [vendors.NAME] of the config
        account_fingerprint  NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL,  -- over kind, URL and project
        requests             INT            NOT NULL CONSTRAINT DF_batchd_batch_requests DEFAULT (0),
        input_bytes          BIGINT         NOT NULL,
        input_sha256         NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
        vendor_file_id       NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
        vendor_batch_id      NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
        vendor_status        NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NULL,
        output_file_id       NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
        error_file_id        NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
        counted_total        INT            NULL,           -- the vendor's request_counts
        counted_completed    INT            NULL,
        counted_failed       INT            NULL,
        output_bytes         BIGINT         NULL,
        output_sha256        NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NULL,
        error_bytes          BIGINT         NULL,
        error_sha256         NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NULL,
        -- looks at result files that fell short
        looks                INT            NOT NULL CONSTRAINT DF_batchd_batch_looks DEFAULT (0),
        absent_since         DATETIME2(3)   NULL,           -- first listing that proves that it is not shown
        settle_by            DATETIME2(3)   NULL,           -- an unknown create is settled by then, or held
        -- a person let it go on
        checks_waived        INT            NOT NULL CONSTRAINT DF_batchd_batch_checks_waived DEFAULT (0),
        error_code           NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
        error_text           NVARCHAR(MAX)  NULL,           -- batchd's own sentence
        -- requests per outcome, filled as the batch closes
        applied              INT            NOT NULL CONSTRAINT DF_batchd_batch_applied DEFAULT (0),
        stale                INT            NOT NULL CONSTRAINT DF_batchd_batch_stale DEFAULT (0),
        gone                 INT            NOT NULL CONSTRAINT DF_batchd_batch_gone DEFAULT (0),
        invalid              INT            NOT NULL CONSTRAINT DF_batchd_batch_invalid DEFAULT (0),
        truncated            INT            NOT NULL CONSTRAINT DF_batchd_batch_truncated DEFAULT (0),
        refused              INT            NOT NULL CONSTRAINT DF_batchd_batch_refused DEFAULT (0),
        poison               INT            NOT NULL CONSTRAINT DF_batchd_batch_poison DEFAULT (0),
        conflict             INT            NOT NULL CONSTRAINT DF_batchd_batch_conflict DEFAULT (0),
        rejected             INT            NOT NULL CONSTRAINT DF_batchd_batch_rejected DEFAULT (0),
        errored              INT            NOT NULL CONSTRAINT DF_batchd_batch_errored DEFAULT (0),
        expired              INT            NOT NULL CONSTRAINT DF_batchd_batch_expired DEFAULT (0),
        cancelled            INT            NOT NULL CONSTRAINT DF_batchd_batch_cancelled DEFAULT (0),
        missing              INT            NOT NULL CONSTRAINT DF_batchd_batch_missing DEFAULT (0),
        unsent               INT            NOT NULL CONSTRAINT DF_batchd_batch_unsent DEFAULT (0),
        input_tokens         BIGINT         NOT NULL CONSTRAINT DF_batchd_batch_input_tokens DEFAULT (0),
        cached_tokens        BIGINT         NOT NULL CONSTRAINT DF_batchd_batch_cached_tokens DEFAULT (0),
        output_tokens        BIGINT         NOT NULL CONSTRAINT DF_batchd_batch_output_tokens DEFAULT (0),
        reasoning_tokens     BIGINT         NOT NULL CONSTRAINT DF_batchd_batch_reasoning_tokens DEFAULT (0),
        -- billionths of a dollar
        cost_nano_usd        BIGINT         NOT NULL CONSTRAINT DF_batchd_batch_cost_nano_usd DEFAULT (0),
        -- paid requests whose price is not known
        unpriced             BIGINT         NOT NULL CONSTRAINT DF_batchd_batch_unpriced DEFAULT (0),
        lease_owner          NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
        lease_expires_at     DATETIME2(3)   NULL,
        lease_epoch          INT            NOT NULL CONSTRAINT DF_batchd_batch_lease_epoch DEFAULT (0),
        not_before           DATETIME2(3)   NULL,           -- left alone until then
        created_at           DATETIME2(3)   NOT NULL,
        intent_at            DATETIME2(3)   NULL,           -- the create was about to be called
        submitted_at         DATETIME2(3)   NULL,
        polled_at            DATETIME2(3)   NULL,
        expires_at           DATETIME2(3)   NULL,           -- end of the vendor's window
        ended_at             DATETIME2(3)   NULL,
        collected_at         DATETIME2(3)   NULL,
        applied_at           DATETIME2(3)   NULL,           -- last chunk applied
        closed_at            DATETIME2(3)   NULL,
        files_removed_at     DATETIME2(3)   NULL,           -- its files in the spool are gone, keep_files after its end
        CONSTRAINT PK_batchd_batch PRIMARY KEY CLUSTERED (id),
        CONSTRAINT UQ_batchd_batch_uid UNIQUE (uid),
        CONSTRAINT FK_batchd_batch_task FOREIGN KEY (task_id) REFERENCES batchd.batchd_task (id),
        CONSTRAINT FK_batchd_batch_version FOREIGN KEY (version_id) REFERENCES batchd.batchd_task_version (id),
        CONSTRAINT CK_batchd_batch_state CHECK (state IN (
            N'built', N'submitting', N'submitted', N'ended', N'collected', N'held', N'closed', N'failed',
            N'abandoned')),
        CONSTRAINT CK_batchd_batch_held_from CHECK (held_from IN (
            N'built', N'submitting', N'submitted', N'ended', N'collected')),
        CONSTRAINT CK_batchd_batch_checks_waived CHECK (checks_waived IN (0, 1)),
        CONSTRAINT CK_batchd_batch_held CHECK (
            (state = N'held' AND held_from IS NOT NULL) OR (state <> N'held' AND held_from IS NULL))
    );
    CREATE INDEX IX_batchd_batch_state ON batchd.batchd_batch (state, not_before);
    CREATE INDEX IX_batchd_batch_task ON batchd.batchd_batch (task_id, state);
    CREATE INDEX IX_batchd_batch_vendor ON batchd.batchd_batch (vendor_batch_id);
    CREATE INDEX IX_batchd_batch_files ON batchd.batchd_batch (closed_at) WHERE files_removed_at IS NULL;
END
GO

-- Creates whose outcome was unknown: what else they made, or make late, is looked for and cancelled.
IF OBJECT_ID(N'batchd.batchd_watch', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_watch (
        batch_id             BIGINT         NOT NULL,
        attempt              INT            NOT NULL,       -- the batch's try
        file_id              NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,  -- the input file of that try
        since                DATETIME2(3)   NOT NULL,       -- on watch for two days from then
        CONSTRAINT PK_batchd_watch PRIMARY KEY CLUSTERED (batch_id, attempt),
        CONSTRAINT FK_batchd_watch_batch FOREIGN KEY (batch_id) REFERENCES batchd.batchd_batch (id)
    );
END
GO

-- One row's one try: one line of one batch.
IF OBJECT_ID(N'batchd.batchd_request', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_request (
        batch_id             BIGINT         NOT NULL,
        seq                  INT            NOT NULL,
        key_int              BIGINT         NOT NULL,       -- a single integer key itself, otherwise 0
        -- canonical text of any other key, otherwise ''
        key_text             NVARCHAR(MAX) COLLATE Latin1_General_100_BIN2 NOT NULL,
        -- SHA-256 over what the table takes for equal; '' for integers
        key_hash             NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
        -- hash of the row's inputs and output columns as read
        guard                NVARCHAR(32) COLLATE Latin1_General_100_BIN2 NOT NULL,
        -- the guard column as read, where one is configured
        guard_value          NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NULL,
        outcome              NVARCHAR(20) COLLATE Latin1_General_100_BIN2 NULL,
        finish_reason        NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NULL,
        error_code           NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
        error_text           NVARCHAR(MAX)  NULL,           -- batchd's own sentence
        input_tokens         BIGINT         NULL,
        cached_tokens        BIGINT         NULL,
        output_tokens        BIGINT         NULL,
        reasoning_tokens     BIGINT         NULL,
        cost_nano_usd        BIGINT         NULL,
        finished_at          DATETIME2(3)   NULL,
        reapplied_version_id BIGINT         NULL,           -- its kept answer was written later, with this
        CONSTRAINT PK_batchd_request PRIMARY KEY CLUSTERED (batch_id, seq),
        CONSTRAINT FK_batchd_request_batch FOREIGN KEY (batch_id) REFERENCES batchd.batchd_batch (id),
        CONSTRAINT FK_batchd_request_version FOREIGN KEY (reapplied_version_id)
            REFERENCES batchd.batchd_task_version (id),
        CONSTRAINT CK_batchd_request_seq CHECK (seq > 0),
        CONSTRAINT CK_batchd_request_outcome CHECK (outcome IN (
            N'applied', N'stale', N'gone', N'invalid', N'truncated', N'refused', N'poison', N'conflict',
            N'rejected', N'errored', N'expired', N'cancelled', N'missing', N'unsent'))
    );
END
GO

-- What batchd must not claim now. Its primary key is promise 1: one open request per row.
IF OBJECT_ID(N'batchd.batchd_gate', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_gate (
        task_id              BIGINT         NOT NULL,
        key_int              BIGINT         NOT NULL,
        -- SHA-256 over what the table takes for equal; '' for integers
        key_hash             NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
        key_text             NVARCHAR(MAX) COLLATE Latin1_General_100_BIN2 NOT NULL,
        state                NVARCHAR(20) COLLATE Latin1_General_100_BIN2 NOT NULL,
        paid_tries           INT            NOT NULL CONSTRAINT DF_batchd_gate_paid_tries DEFAULT (0),
        unpaid_tries         INT            NOT NULL CONSTRAINT DF_batchd_gate_unpaid_tries DEFAULT (0),
        not_before           DATETIME2(3)   NULL,
        batch_id             BIGINT         NULL,           -- last request of this row
        seq                  INT            NULL,
        outcome              NVARCHAR(20) COLLATE Latin1_General_100_BIN2 NULL,
        error_code           NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
        error_text           NVARCHAR(MAX)  NULL,           -- batchd's own sentence
        changed_at           DATETIME2(3)   NOT NULL,
        CONSTRAINT PK_batchd_gate PRIMARY KEY CLUSTERED (task_id, key_int, key_hash),
        CONSTRAINT FK_batchd_gate_task FOREIGN KEY (task_id) REFERENCES batchd.batchd_task (id),
        CONSTRAINT CK_batchd_gate_state CHECK (state IN (N'open', N'retry', N'failed', N'held', N'done')),
        CONSTRAINT CK_batchd_gate_outcome CHECK (outcome IN (
            N'applied', N'stale', N'gone', N'invalid', N'truncated', N'refused', N'poison', N'conflict',
            N'rejected', N'errored', N'expired', N'cancelled', N'missing', N'unsent', N'unrenderable',
            N'too_large'))
    );
    CREATE INDEX IX_batchd_gate_request ON batchd.batchd_gate (batch_id, seq);
    CREATE INDEX IX_batchd_gate_due ON batchd.batchd_gate (task_id, state, not_before);
END
GO

-- The only ledger table with content of your rows: before-images, answers that were paid for and not applied,
-- lines that belong to nobody, the vendor's own error texts.
IF OBJECT_ID(N'batchd.batchd_content', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_content (
        batch_id             BIGINT         NOT NULL,
        seq                  INT            NOT NULL,       -- 0 where it belongs to no request
        kind                 NVARCHAR(20) COLLATE Latin1_General_100_BIN2 NOT NULL,
        part                 INT            NOT NULL CONSTRAINT DF_batchd_content_part DEFAULT (0),
        body                 NVARCHAR(MAX)  NOT NULL,
        created_at           DATETIME2(3)   NOT NULL,
        CONSTRAINT PK_batchd_content PRIMARY KEY CLUSTERED (batch_id, kind, seq, part),
        CONSTRAINT FK_batchd_content_batch FOREIGN KEY (batch_id) REFERENCES batchd.batchd_batch (id),
        CONSTRAINT CK_batchd_content_kind CHECK (kind IN (N'before', N'line', N'stranger', N'vendor_errors'))
    );
END
GO

-- What needs a person. One open finding per kind and subject: kept by a filtered unique index.
IF OBJECT_ID(N'batchd.batchd_finding', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_finding (
        id                   BIGINT IDENTITY(1, 1) NOT NULL,
        kind                 NVARCHAR(60) COLLATE Latin1_General_100_BIN2 NOT NULL,
        -- what it is about, such as 'batch 12'
        subject              NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
        detail               NVARCHAR(MAX)  NOT NULL CONSTRAINT DF_batchd_finding_detail DEFAULT (N''),
        next_command         NVARCHAR(MAX)  NOT NULL CONSTRAINT DF_batchd_finding_next_command DEFAULT (N''),
        opened_at            DATETIME2(3)   NOT NULL,
        closed_at            DATETIME2(3)   NULL,
        notified_at          DATETIME2(3)   NULL,
        CONSTRAINT PK_batchd_finding PRIMARY KEY CLUSTERED (id)
    );
    CREATE UNIQUE INDEX UX_batchd_finding_open ON batchd.batchd_finding (kind, subject) WHERE closed_at IS NULL;
END
GO

-- Every move, recorded in the transaction that makes it.
IF OBJECT_ID(N'batchd.batchd_event', N'U') IS NULL
BEGIN
    CREATE TABLE batchd.batchd_event (
        id                   BIGINT IDENTITY(1, 1) NOT NULL,
        at                   DATETIME2(3)   NOT NULL,
        actor                NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
        subject              NVARCHAR(20) COLLATE Latin1_General_100_BIN2 NOT NULL,
        subject_id           BIGINT         NOT NULL,
        action               NVARCHAR(40) COLLATE Latin1_General_100_BIN2 NOT NULL,
        from_state           NVARCHAR(40) COLLATE Latin1_General_100_BIN2 NULL,
        to_state             NVARCHAR(40) COLLATE Latin1_General_100_BIN2 NULL,
        reason               NVARCHAR(MAX)  NOT NULL CONSTRAINT DF_batchd_event_reason DEFAULT (N''),
        CONSTRAINT PK_batchd_event PRIMARY KEY CLUSTERED (id),
        CONSTRAINT CK_batchd_event_subject CHECK (subject IN (N'batch', N'task', N'row', N'installation'))
    );
    CREATE INDEX IX_batchd_event_subject ON batchd.batchd_event (subject, subject_id, id);
END
GO
