-- batchd's ledger for SQLite, version 1.
--
-- Everything batchd remembers, in the database of the tables it works on, so that a row's update and its
-- accounting commit together. Times are UTC text, 'YYYY-MM-DD HH:MM:SS.mmm', by this database's clock.
-- No table but batchd_content holds content of your rows; row keys do appear (key_int, key_text).
-- Safe to run again: every statement leaves what is there alone.

CREATE TABLE IF NOT EXISTS batchd_installation (
    id                INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    installation_id   TEXT    NOT NULL,               -- names this ledger towards vendors
    bound_to          TEXT    NOT NULL,               -- where this ledger lives; a copy elsewhere is another one
    ledger_version    INTEGER NOT NULL,
    created_at        TEXT    NOT NULL
);

CREATE TABLE IF NOT EXISTS batchd_task (
    id                INTEGER NOT NULL PRIMARY KEY,
    name              TEXT    NOT NULL UNIQUE,
    paused            INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),  -- 1 stops claiming, submitting, applying
    pause_reason      TEXT    NOT NULL DEFAULT '',
    batch_size        INTEGER          CHECK (batch_size > 0),              -- wins over the config where set
    max_open_batches  INTEGER          CHECK (max_open_batches >= 0),       -- wins over the config where set
    fingerprint       TEXT    NOT NULL,               -- over table and key
    resume_key        INTEGER,                        -- where the next claim starts; only ever makes it faster
    last_sweep_at     TEXT,
    last_sweep_count  INTEGER,                        -- rows the last full sweep left unclaimed
    lease_owner       TEXT,
    lease_expires_at  TEXT,
    lease_epoch       INTEGER NOT NULL DEFAULT 0,
    created_at        TEXT    NOT NULL
);

CREATE TABLE IF NOT EXISTS batchd_task_version (
    id                INTEGER NOT NULL PRIMARY KEY,
    task_id           INTEGER NOT NULL REFERENCES batchd_task (id),
    version           TEXT    NOT NULL,               -- SHA-256 of the definition
    definition        TEXT    NOT NULL,               -- JSON, complete
    created_at        TEXT    NOT NULL,
    UNIQUE (task_id, version)
);

CREATE TABLE IF NOT EXISTS batchd_batch (
    id                INTEGER NOT NULL PRIMARY KEY,
    uid               TEXT    NOT NULL UNIQUE,        -- 128 random bits in hex; in file names and vendor metadata
    task_id           INTEGER NOT NULL REFERENCES batchd_task (id),
    version_id        INTEGER NOT NULL REFERENCES batchd_task_version (id),
    state             TEXT    NOT NULL CHECK (state IN (
        'built', 'submitting', 'submitted', 'ended', 'collected', 'held', 'closed', 'failed', 'abandoned')),
    held_from         TEXT             CHECK (held_from IN (
        'built', 'submitting', 'submitted', 'ended', 'collected')),
    attempt           INTEGER NOT NULL DEFAULT 0,     -- how often it was uploaded to be created
    account           TEXT    NOT NULL,               -- [vendors.NAME] of the config
    account_fingerprint TEXT  NOT NULL,               -- over kind, URL and project
    requests          INTEGER NOT NULL DEFAULT 0,
    input_bytes       INTEGER NOT NULL,
    input_sha256      TEXT    NOT NULL,
    vendor_file_id    TEXT,
    vendor_batch_id   TEXT,
    vendor_status     TEXT,
    output_file_id    TEXT,
    error_file_id     TEXT,
    counted_total     INTEGER,                        -- the vendor's request_counts
    counted_completed INTEGER,
    counted_failed    INTEGER,
    output_bytes      INTEGER,
    output_sha256     TEXT,
    error_bytes       INTEGER,
    error_sha256      TEXT,
    looks             INTEGER NOT NULL DEFAULT 0,     -- looks at result files that fell short
    absent_since      TEXT,                           -- first listing that proves that it is not shown
    settle_by         TEXT,                           -- an unknown create is settled by then, or held
    checks_waived     INTEGER NOT NULL DEFAULT 0 CHECK (checks_waived IN (0, 1)),  -- a person let it go on
    error_code        TEXT,
    error_text        TEXT,                           -- batchd's own sentence
    applied           INTEGER NOT NULL DEFAULT 0,     -- requests per outcome, filled as the batch closes
    stale             INTEGER NOT NULL DEFAULT 0,
    gone              INTEGER NOT NULL DEFAULT 0,
    invalid           INTEGER NOT NULL DEFAULT 0,
    truncated         INTEGER NOT NULL DEFAULT 0,
    refused           INTEGER NOT NULL DEFAULT 0,
    poison            INTEGER NOT NULL DEFAULT 0,
    conflict          INTEGER NOT NULL DEFAULT 0,
    rejected          INTEGER NOT NULL DEFAULT 0,
    errored           INTEGER NOT NULL DEFAULT 0,
    expired           INTEGER NOT NULL DEFAULT 0,
    cancelled         INTEGER NOT NULL DEFAULT 0,
    missing           INTEGER NOT NULL DEFAULT 0,
    unsent            INTEGER NOT NULL DEFAULT 0,
    input_tokens      INTEGER NOT NULL DEFAULT 0,
    cached_tokens     INTEGER NOT NULL DEFAULT 0,
    output_tokens     INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens  INTEGER NOT NULL DEFAULT 0,
    cost_nano_usd     INTEGER NOT NULL DEFAULT 0,     -- billionths of a dollar
    unpriced          INTEGER NOT NULL DEFAULT 0,     -- paid requests whose price is not known
    lease_owner       TEXT,
    lease_expires_at  TEXT,
    lease_epoch       INTEGER NOT NULL DEFAULT 0,
    not_before        TEXT,                           -- left alone until then
    created_at        TEXT    NOT NULL,
    intent_at         TEXT,                           -- the create was about to be called
    submitted_at      TEXT,
    polled_at         TEXT,
    expires_at        TEXT,                           -- end of the vendor's window
    ended_at          TEXT,
    collected_at      TEXT,
    applied_at        TEXT,                           -- last chunk applied
    closed_at         TEXT,
    files_removed_at  TEXT,                           -- its files in the spool are gone, keep_files after its end
    CHECK ((state = 'held') = (held_from IS NOT NULL))
);

CREATE INDEX IF NOT EXISTS batchd_batch_state ON batchd_batch (state, not_before);
CREATE INDEX IF NOT EXISTS batchd_batch_task ON batchd_batch (task_id, state);
CREATE INDEX IF NOT EXISTS batchd_batch_vendor ON batchd_batch (vendor_batch_id);
CREATE INDEX IF NOT EXISTS batchd_batch_files ON batchd_batch (closed_at) WHERE files_removed_at IS NULL;

-- Creates whose outcome was unknown: what else they made, or make late, is looked for and cancelled.
CREATE TABLE IF NOT EXISTS batchd_watch (
    batch_id          INTEGER NOT NULL REFERENCES batchd_batch (id),
    attempt           INTEGER NOT NULL,               -- the batch's try
    file_id           TEXT    NOT NULL,               -- the input file of that try
    since             TEXT    NOT NULL,               -- on watch for two days from then
    PRIMARY KEY (batch_id, attempt)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS batchd_request (
    batch_id          INTEGER NOT NULL REFERENCES batchd_batch (id),
    seq               INTEGER NOT NULL CHECK (seq > 0),
    key_int           INTEGER NOT NULL,               -- a single integer key itself, otherwise 0
    key_text          TEXT    NOT NULL,               -- canonical text of any other key, otherwise ''
    key_hash          TEXT    NOT NULL,               -- SHA-256 over what the table takes for equal; '' for integers
    guard             TEXT    NOT NULL,               -- hash of the row's inputs and output columns as read
    guard_value       TEXT,                           -- the guard column as read, where one is configured
    outcome           TEXT             CHECK (outcome IN (
        'applied', 'stale', 'gone', 'invalid', 'truncated', 'refused', 'poison', 'conflict',
        'rejected', 'errored', 'expired', 'cancelled', 'missing', 'unsent')),
    finish_reason     TEXT,
    error_code        TEXT,
    error_text        TEXT,                           -- batchd's own sentence
    input_tokens      INTEGER,
    cached_tokens     INTEGER,
    output_tokens     INTEGER,
    reasoning_tokens  INTEGER,
    cost_nano_usd     INTEGER,
    finished_at       TEXT,
    reapplied_version_id INTEGER REFERENCES batchd_task_version (id),  -- its kept answer was written later, with this
    PRIMARY KEY (batch_id, seq)
) WITHOUT ROWID;

-- What batchd must not claim now. Its primary key is promise 1: one open request per row.
CREATE TABLE IF NOT EXISTS batchd_gate (
    task_id           INTEGER NOT NULL REFERENCES batchd_task (id),
    key_int           INTEGER NOT NULL,
    key_hash          TEXT    NOT NULL,               -- SHA-256 over what the table takes for equal; '' for integers
    key_text          TEXT    NOT NULL,
    state             TEXT    NOT NULL CHECK (state IN ('open', 'retry', 'failed', 'held', 'done')),
    paid_tries        INTEGER NOT NULL DEFAULT 0,
    unpaid_tries      INTEGER NOT NULL DEFAULT 0,
    not_before        TEXT,
    batch_id          INTEGER,                        -- last request of this row
    seq               INTEGER,
    outcome           TEXT             CHECK (outcome IN (
        'applied', 'stale', 'gone', 'invalid', 'truncated', 'refused', 'poison', 'conflict',
        'rejected', 'errored', 'expired', 'cancelled', 'missing', 'unsent', 'unrenderable', 'too_large')),
    error_code        TEXT,
    error_text        TEXT,                           -- batchd's own sentence
    changed_at        TEXT    NOT NULL,
    PRIMARY KEY (task_id, key_int, key_hash)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS batchd_gate_request ON batchd_gate (batch_id, seq);
CREATE INDEX IF NOT EXISTS batchd_gate_due ON batchd_gate (task_id, state, not_before);

-- The only ledger table with content of your rows: before-images, answers that were paid for and not applied,
-- lines that belong to nobody, the vendor's own error texts.
CREATE TABLE IF NOT EXISTS batchd_content (
    batch_id          INTEGER NOT NULL REFERENCES batchd_batch (id),
    seq               INTEGER NOT NULL,               -- 0 where it belongs to no request
    kind              TEXT    NOT NULL CHECK (kind IN ('before', 'line', 'stranger', 'vendor_errors')),
    part              INTEGER NOT NULL DEFAULT 0,
    body              TEXT    NOT NULL,
    created_at        TEXT    NOT NULL,
    PRIMARY KEY (batch_id, kind, seq, part)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS batchd_finding (
    id                INTEGER NOT NULL PRIMARY KEY,
    kind              TEXT    NOT NULL,
    subject           TEXT    NOT NULL,               -- what it is about, such as 'batch 12'
    detail            TEXT    NOT NULL DEFAULT '',
    next_command      TEXT    NOT NULL DEFAULT '',
    opened_at         TEXT    NOT NULL,
    closed_at         TEXT,
    notified_at       TEXT
);

CREATE UNIQUE INDEX IF NOT EXISTS batchd_finding_open ON batchd_finding (kind, subject) WHERE closed_at IS NULL;

CREATE TABLE IF NOT EXISTS batchd_event (
    id                INTEGER NOT NULL PRIMARY KEY,
    at                TEXT    NOT NULL,
    actor             TEXT    NOT NULL,
    subject           TEXT    NOT NULL CHECK (subject IN ('batch', 'task', 'row', 'installation')),
    subject_id        INTEGER NOT NULL,
    action            TEXT    NOT NULL,
    from_state        TEXT,
    to_state          TEXT,
    reason            TEXT    NOT NULL DEFAULT ''
);

CREATE INDEX IF NOT EXISTS batchd_event_subject ON batchd_event (subject, subject_id, id);
