"""A bench whose ledger has a long past: so many requests, gates and batches that reading one table whole shows."""

from pathlib import Path

from batchd.core.tasks import TaskDefinition
from batchd.store.opening import Database
from tests.conformance.linked_bench import MOMENT, PERSON
from tests.conformance.stores import StoreUnderTest
from tests.stages.bench import Bench

REQUESTS = 200_000
A_BATCH = 100
DONE_GATES = 100_000
# Of each kind of gate that waits for somebody.
WAITING_GATES = 300
_BATCHES = REQUESTS // A_BATCH
# Row keys of the past begin behind these, ids of the rows that a test adds.
FIRST_OLD = 1_000_001
_PAST, _FUTURE = "2026-01-01 00:00:00.000", "2099-01-01 00:00:00.000"


# In the words of SQLite and PostgreSQL alike; {numbers} is n(i), from 1 on.
_PERSONS = """
INSERT INTO person (id, resume, name, done_at)
{numbers} SELECT {key}, 'x', 'Ada', '{past}' FROM n
"""
_CLOSED = """
INSERT INTO batchd_batch (uid, task_id, version_id, state, attempt, account, account_fingerprint, requests, input_bytes,
    input_sha256, vendor_file_id, vendor_batch_id, applied, created_at, intent_at, submitted_at, ended_at, collected_at,
    applied_at, closed_at, files_removed_at)
{numbers} SELECT 'old-' || i, {task}, {version}, 'closed', 1, 'fake', 'account-1', {a_batch}, 1,
    's', 'oldfile-' || i, 'oldbatch-' || i, {a_batch}, '{past}', '{past}', '{past}', '{past}', '{past}',
    '{past}', '{past}', '{past}' FROM n
"""
_REQUESTS = """
INSERT INTO batchd_request (batch_id, seq, key_int, key_text, key_hash, guard, outcome, input_tokens, finished_at)
{numbers} SELECT {batch}, {seq}, {key}, '', '', 'g', 'applied', 10, '{past}' FROM n
"""
_IMAGES = """
INSERT INTO batchd_content (batch_id, seq, kind, part, body, created_at)
{numbers} SELECT {batch}, {seq}, 'before', 0, '{{}}', '{past}' FROM n
"""
_MOVES = """
INSERT INTO batchd_event (at, actor, subject, subject_id, action)
{numbers} SELECT '{past}', 'a', 'batch', {first} + (i - 1) / 8, 'moved' FROM n
"""
_FINDINGS = """
INSERT INTO batchd_finding (kind, subject, next_command, opened_at, closed_at)
{numbers} SELECT 'late-batch', 'batch ' || ({first} + i - 1), '', '{past}', '{past}' FROM n
"""
_ENQUEUED = """
INSERT INTO batchd_enqueued (batch_id, task_id, account, model, tokens, reserved_at)
{numbers} SELECT {first} + i - 1, {task}, 'fake', 'gpt-6-luna', 10, '{past}' FROM n
"""
_RETENTION = """
INSERT INTO batchd_retention (batch_id, due_from)
{numbers} SELECT {first} + i - 1, '{future}' FROM n
"""
_VENDOR_FILES = """
INSERT INTO batchd_vendor_files (batch_id, due_from)
{numbers} SELECT {first} + i - 1, '{future}' FROM n
"""
_GATES = """
INSERT INTO batchd_gate (task_id, key_int, key_hash, key_text, state, paid_tries, not_before, batch_id, seq, outcome,
    changed_at)
{numbers} SELECT {task}, {key}, '', '',
    CASE WHEN i <= {waiting} THEN 'held' WHEN i <= 2 * {waiting} THEN 'failed' WHEN i <= 3 * {waiting} THEN 'retry'
        ELSE 'done' END,
    1, '{future}', {batch}, {seq}, 'applied', '{past}' FROM n
"""
_A_PAST = {
    _PERSONS: REQUESTS,
    _CLOSED: _BATCHES,
    _REQUESTS: REQUESTS,
    _IMAGES: REQUESTS,
    _MOVES: 8 * _BATCHES,
    _FINDINGS: _BATCHES,
    _ENQUEUED: _BATCHES,
    _RETENTION: _BATCHES,
    _VENDOR_FILES: _BATCHES,
    _GATES: DONE_GATES,
}


class LargeBench(Bench):
    """The people task in a database that has done it for long; a person there may do anything, and so may it."""

    def __init__(self, folder: Path, db: StoreUnderTest) -> None:
        self.db = db
        super().__init__(folder)

    def opened(self, task: TaskDefinition, table: str) -> Database:
        """The table alone; its past comes once the task is known to the ledger."""
        del table
        self.execute(PERSON.format(key="INTEGER PRIMARY KEY", moment=MOMENT.get(self.db.name, "TEXT")))
        self.db.grant(task)
        return self.db.open_as_owner()

    def execute(self, sql: str, *parameters: object) -> list[object]:
        """As a person at the database would."""
        return self.db.execute(sql, *parameters)

    def give_a_past(self) -> None:
        """Fills the user's table and the ledger behind the one task that is known."""
        (task, version, last), *_ = self.db.execute(
            "SELECT t.id, v.id, (SELECT max(b.id) FROM batchd_batch b) "
            "FROM batchd_task t JOIN batchd_task_version v ON v.task_id = t.id"
        )
        words = {
            "task": task,
            "version": version,
            "first": last + 1,
            "batch": f"{last + 1} + (i - 1) / {A_BATCH}",
            "seq": f"1 + (i - 1) % {A_BATCH}",
            "key": f"{FIRST_OLD} + i - 1",
            "a_batch": A_BATCH,
            "waiting": WAITING_GATES,
            "past": _PAST,
            "future": _FUTURE,
        }
        for sql, rows in _A_PAST.items():
            numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
            self.execute(sql.format(numbers=numbers, **words))
