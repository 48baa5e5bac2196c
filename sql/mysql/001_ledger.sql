-- batchd's ledger for MySQL 8.0.16 and later and MariaDB 10.5 and later, version 1.
--
-- Everything batchd remembers, in the server of the tables it works on, so that a row's update and its
-- accounting commit together. Times are UTC, by this database's clock. Row keys do appear (key_int, key_text);
-- no table but batchd_content holds content of your rows.
--
-- The tables are made in the database that is in use. Run it as an account that may create tables there
-- (roles_installer.sql), for example:
--     mysql --database=app < 001_ledger.sql
-- or let `batchd db upgrade` run it. Safe to run again: every statement leaves what is there alone.
-- MySQL commits each CREATE TABLE by itself; after an interruption, run it again.
--
-- Texts compare byte by byte (utf8mb4_bin, ascii_bin). InnoDB only: promises hang on transactions.

CREATE TABLE IF NOT EXISTS batchd_installation (
    id                   BIGINT       NOT NULL,
    -- names this ledger towards vendors
    installation_id      VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    bound_to             VARCHAR(500) NOT NULL,         -- where this ledger lives; a copy elsewhere is another one
    ledger_version       INT          NOT NULL,
    created_at           DATETIME(3)  NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT batchd_installation_one_check CHECK (id = 1)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One row per task of the config. A DBA may set batch_size and max_open_batches here.
CREATE TABLE IF NOT EXISTS batchd_task (
    id                   BIGINT       NOT NULL AUTO_INCREMENT,
    name                 VARCHAR(200) NOT NULL,
    paused               INT          NOT NULL DEFAULT 0,  -- 1 stops claiming, submitting, applying
    pause_reason         TEXT         NOT NULL DEFAULT (''),
    batch_size           INT          NULL,             -- wins over the config where set
    max_open_batches     INT          NULL,             -- wins over the config where set
    fingerprint          VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- over table and key
    resume_key           BIGINT       NULL,             -- where the next claim starts; only ever makes it faster
    last_sweep_at        DATETIME(3)  NULL,
    last_sweep_count     INT          NULL,             -- rows the last full sweep left unclaimed
    lease_owner          VARCHAR(200) NULL,
    lease_expires_at     DATETIME(3)  NULL,
    lease_epoch          INT          NOT NULL DEFAULT 0,
    created_at           DATETIME(3)  NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT batchd_task_name_key UNIQUE (name),
    CONSTRAINT batchd_task_paused_check CHECK (paused IN (0, 1)),
    CONSTRAINT batchd_task_batch_size_check CHECK (batch_size > 0),
    CONSTRAINT batchd_task_max_open_batches_check CHECK (max_open_batches >= 0)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Every definition that a task ever had, whole: what was submitted is what is applied.
CREATE TABLE IF NOT EXISTS batchd_task_version (
    id                   BIGINT       NOT NULL AUTO_INCREMENT,
    task_id              BIGINT       NOT NULL,
    version              VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- SHA-256 of the definition
    definition           LONGTEXT     NOT NULL,         -- JSON, complete
    created_at           DATETIME(3)  NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT batchd_task_version_version_key UNIQUE (task_id, version),
    CONSTRAINT batchd_task_version_task_fk FOREIGN KEY (task_id) REFERENCES batchd_task (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS batchd_batch (
    id                   BIGINT       NOT NULL AUTO_INCREMENT,
    -- 128 random bits in hex; in file names and vendor metadata
    uid                  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    task_id              BIGINT       NOT NULL,
    version_id           BIGINT       NOT NULL,
    state                VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    held_from            VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NULL,  -- the state to go on from, where held
    attempt              INT          NOT NULL DEFAULT 0,  -- how often it was uploaded to be created
    account              VARCHAR(200) NOT NULL,         -- [vendors.NAME] of the config
    account_fingerprint  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- over kind, URL and project
    requests             INT          NOT NULL DEFAULT 0,
    input_bytes          BIGINT       NOT NULL,
    input_sha256         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    vendor_file_id       VARCHAR(200) NULL,
    vendor_batch_id      VARCHAR(200) NULL,
    vendor_status        VARCHAR(64)  NULL,
    output_file_id       VARCHAR(200) NULL,
    error_file_id        VARCHAR(200) NULL,
    counted_total        INT          NULL,             -- the vendor's request_counts
    counted_completed    INT          NULL,
    counted_failed       INT          NULL,
    output_bytes         BIGINT       NULL,
    output_sha256        VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    error_bytes          BIGINT       NULL,
    error_sha256         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    looks                INT          NOT NULL DEFAULT 0,  -- looks at result files that fell short
    absent_since         DATETIME(3)  NULL,             -- first listing that proves that it is not shown
    settle_by            DATETIME(3)  NULL,             -- an unknown create is settled by then, or held
    checks_waived        INT          NOT NULL DEFAULT 0,  -- a person let it go on
    error_code           VARCHAR(200) NULL,
    error_text           TEXT         NULL,             -- batchd's own sentence
    applied              INT          NOT NULL DEFAULT 0,  -- requests per outcome, filled as the batch closes
    stale                INT          NOT NULL DEFAULT 0,
    gone                 INT          NOT NULL DEFAULT 0,
    invalid              INT          NOT NULL DEFAULT 0,
    truncated            INT          NOT NULL DEFAULT 0,
    refused              INT          NOT NULL DEFAULT 0,
    poison               INT          NOT NULL DEFAULT 0,
    conflict             INT          NOT NULL DEFAULT 0,
    rejected             INT          NOT NULL DEFAULT 0,
    errored              INT          NOT NULL DEFAULT 0,
    expired              INT          NOT NULL DEFAULT 0,
    cancelled            INT          NOT NULL DEFAULT 0,
    missing              INT          NOT NULL DEFAULT 0,
    unsent               INT          NOT NULL DEFAULT 0,
    input_tokens         BIGINT       NOT NULL DEFAULT 0,
    cached_tokens        BIGINT       NOT NULL DEFAULT 0,
    output_tokens        BIGINT       NOT NULL DEFAULT 0,
    reasoning_tokens     BIGINT       NOT NULL DEFAULT 0,
    cost_nano_usd        BIGINT       NOT NULL DEFAULT 0,  -- billionths of a dollar
    unpriced             BIGINT       NOT NULL DEFAULT 0,  -- paid requests whose price is not known
    lease_owner          VARCHAR(200) NULL,
    lease_expires_at     DATETIME(3)  NULL,
    lease_epoch          INT          NOT NULL DEFAULT 0,
    not_before           DATETIME(3)  NULL,             -- left alone until then
    created_at           DATETIME(3)  NOT NULL,
    intent_at            DATETIME(3)  NULL,             -- the create was about to be called
    submitted_at         DATETIME(3)  NULL,
    polled_at            DATETIME(3)  NULL,
    expires_at           DATETIME(3)  NULL,             -- end of the vendor's window
    ended_at             DATETIME(3)  NULL,
    collected_at         DATETIME(3)  NULL,
    applied_at           DATETIME(3)  NULL,             -- last chunk applied
    closed_at            DATETIME(3)  NULL,
    files_removed_at     DATETIME(3)  NULL,             -- its files in the spool are gone, keep_files after its end
    PRIMARY KEY (id),
    KEY batchd_batch_state (state, not_before),
    KEY batchd_batch_task (task_id, state),
    KEY batchd_batch_vendor (vendor_batch_id),
    KEY batchd_batch_files (closed_at),
    CONSTRAINT batchd_batch_uid_key UNIQUE (uid),
    CONSTRAINT batchd_batch_task_fk FOREIGN KEY (task_id) REFERENCES batchd_task (id),
    CONSTRAINT batchd_batch_version_fk FOREIGN KEY (version_id) REFERENCES batchd_task_version (id),
    CONSTRAINT batchd_batch_state_check CHECK (state IN (
        'built', 'submitting', 'submitted', 'ended', 'collected', 'held', 'closed', 'failed', 'abandoned')),
    CONSTRAINT batchd_batch_held_from_check CHECK (held_from IN (
        'built', 'submitting', 'submitted', 'ended', 'collected')),
    CONSTRAINT batchd_batch_checks_waived_check CHECK (checks_waived IN (0, 1)),
    CONSTRAINT batchd_batch_held_check CHECK ((state = 'held') = (held_from IS NOT NULL))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Creates whose outcome was unknown: what else they made, or make late, is looked for and cancelled.
CREATE TABLE IF NOT EXISTS batchd_watch (
    batch_id             BIGINT       NOT NULL,
    attempt              INT          NOT NULL,         -- the batch's try
    file_id              VARCHAR(200) NOT NULL,         -- the input file of that try
    since                DATETIME(3)  NOT NULL,         -- on watch for two days from then
    PRIMARY KEY (batch_id, attempt),
    CONSTRAINT batchd_watch_batch_fk FOREIGN KEY (batch_id) REFERENCES batchd_batch (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One row's one try: one line of one batch.
CREATE TABLE IF NOT EXISTS batchd_request (
    batch_id             BIGINT       NOT NULL,
    seq                  INT          NOT NULL,
    key_int              BIGINT       NOT NULL,         -- a single integer key itself, otherwise 0
    key_text             TEXT         NOT NULL,         -- canonical text of any other key, otherwise ''
    -- SHA-256 over what the table takes for equal; '' for integers
    key_hash             VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- hash of the row's inputs and output columns as read
    guard                VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    guard_value          VARCHAR(400) NULL,             -- the guard column as read, where one is configured
    outcome              VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NULL,
    finish_reason        VARCHAR(64)  NULL,
    error_code           VARCHAR(200) NULL,
    error_text           TEXT         NULL,             -- batchd's own sentence
    input_tokens         BIGINT       NULL,
    cached_tokens        BIGINT       NULL,
    output_tokens        BIGINT       NULL,
    reasoning_tokens     BIGINT       NULL,
    cost_nano_usd        BIGINT       NULL,
    finished_at          DATETIME(3)  NULL,
    reapplied_version_id BIGINT       NULL,             -- its kept answer was written later, with this
    PRIMARY KEY (batch_id, seq),
    CONSTRAINT batchd_request_batch_fk FOREIGN KEY (batch_id) REFERENCES batchd_batch (id),
    CONSTRAINT batchd_request_version_fk FOREIGN KEY (reapplied_version_id) REFERENCES batchd_task_version (id),
    CONSTRAINT batchd_request_seq_check CHECK (seq > 0),
    CONSTRAINT batchd_request_outcome_check CHECK (outcome IN (
        'applied', 'stale', 'gone', 'invalid', 'truncated', 'refused', 'poison', 'conflict', 'rejected',
        'errored', 'expired', 'cancelled', 'missing', 'unsent'))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What batchd must not claim now. Its primary key is promise 1: one open request per row.
CREATE TABLE IF NOT EXISTS batchd_gate (
    task_id              BIGINT       NOT NULL,
    key_int              BIGINT       NOT NULL,
    -- SHA-256 over what the table takes for equal; '' for integers
    key_hash             VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    key_text             TEXT         NOT NULL,
    state                VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    paid_tries           INT          NOT NULL DEFAULT 0,
    unpaid_tries         INT          NOT NULL DEFAULT 0,
    not_before           DATETIME(3)  NULL,
    batch_id             BIGINT       NULL,             -- last request of this row
    seq                  INT          NULL,
    outcome              VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NULL,
    error_code           VARCHAR(200) NULL,
    error_text           TEXT         NULL,             -- batchd's own sentence
    changed_at           DATETIME(3)  NOT NULL,
    PRIMARY KEY (task_id, key_int, key_hash),
    KEY batchd_gate_request (batch_id, seq),
    KEY batchd_gate_due (task_id, state, not_before),
    CONSTRAINT batchd_gate_task_fk FOREIGN KEY (task_id) REFERENCES batchd_task (id),
    CONSTRAINT batchd_gate_state_check CHECK (state IN ('open', 'retry', 'failed', 'held', 'done')),
    CONSTRAINT batchd_gate_outcome_check CHECK (outcome IN (
        'applied', 'stale', 'gone', 'invalid', 'truncated', 'refused', 'poison', 'conflict', 'rejected',
        'errored', 'expired', 'cancelled', 'missing', 'unsent', 'unrenderable', 'too_large'))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The only ledger table with content of your rows: before-images, answers that were paid for and not applied,
-- lines that belong to nobody, the vendor's own error texts.
CREATE TABLE IF NOT EXISTS batchd_content (
    batch_id             BIGINT       NOT NULL,
    seq                  INT          NOT NULL,         -- 0 where it belongs to no request
    kind                 VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    part                 INT          NOT NULL DEFAULT 0,
    body                 LONGTEXT     NOT NULL,
    created_at           DATETIME(3)  NOT NULL,
    PRIMARY KEY (batch_id, kind, seq, part),
    CONSTRAINT batchd_content_batch_fk FOREIGN KEY (batch_id) REFERENCES batchd_batch (id),
    CONSTRAINT batchd_content_kind_check CHECK (kind IN ('before', 'line', 'stranger', 'vendor_errors'))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What needs a person. One open finding per kind and subject: kept by the unique key over is_open, which is NULL
-- -- where a finding is closed, and NULLs never collide.
CREATE TABLE IF NOT EXISTS batchd_finding (
    id                   BIGINT       NOT NULL AUTO_INCREMENT,
    kind                 VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    subject              VARCHAR(400) NOT NULL,         -- what it is about, such as 'batch 12'
    detail               TEXT         NOT NULL DEFAULT (''),
    next_command         TEXT         NOT NULL DEFAULT (''),
    opened_at            DATETIME(3)  NOT NULL,
    closed_at            DATETIME(3)  NULL,
    notified_at          DATETIME(3)  NULL,
    is_open              TINYINT GENERATED ALWAYS AS (CASE WHEN closed_at IS NULL THEN 1 END) STORED,
    PRIMARY KEY (id),
    CONSTRAINT batchd_finding_open UNIQUE (kind, subject, is_open)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Every move, recorded in the transaction that makes it.
CREATE TABLE IF NOT EXISTS batchd_event (
    id                   BIGINT       NOT NULL AUTO_INCREMENT,
    at                   DATETIME(3)  NOT NULL,
    actor                VARCHAR(200) NOT NULL,
    subject              VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    subject_id           BIGINT       NOT NULL,
    action               VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    from_state           VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NULL,
    to_state             VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NULL,
    reason               TEXT         NOT NULL DEFAULT (''),
    PRIMARY KEY (id),
    KEY batchd_event_subject (subject, subject_id, id),
    CONSTRAINT batchd_event_subject_check CHECK (subject IN ('batch', 'task', 'row', 'installation'))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
