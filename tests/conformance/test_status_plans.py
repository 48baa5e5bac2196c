"""What `status` asks of a ledger with a long past on MariaDB, whose words for making one up are its own."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from batchd.store import overview, reading
from batchd.store.reading import ask
from tests.conformance.statement_watch import MariadbPlanner, StatementWatch
from tests.conformance.stores import StoreUnderTest
from tests.conformance.test_query_plans import ABOUT_ALL_THERE_IS

PAST = "'2026-01-01 00:00:00.000'"
BATCHES, A_BATCH = 1_000, 100
OPEN, WAITING = 5, 300
REQUESTS = BATCHES * A_BATCH
_FILL = (
    f"INSERT INTO batchd_task (id, name, pause_reason, fingerprint, created_at) VALUES (1, 'people', '', 'f', {PAST})",
    (
        "INSERT INTO batchd_task_version (id, task_id, version, definition, created_at)"
        f" VALUES (1, 1, 'v', '{{}}', {PAST})"
    ),
    (
        "INSERT INTO batchd_batch (id, uid, task_id, version_id, state, attempt, account, account_fingerprint,"
        " requests, input_bytes, input_sha256, created_at, applied_at, closed_at)"
        f" SELECT seq, seq, 1, 1, IF(seq > {BATCHES - OPEN}, 'submitted', 'closed'), 1, 'a', 'f', {A_BATCH}, 1, 's',"
        f" {PAST}, IF(seq > {BATCHES - OPEN}, NULL, {PAST}),"
        f" IF(seq > {BATCHES - OPEN}, NULL, {PAST}) FROM seq_1_to_{BATCHES}"
    ),
    (
        "INSERT INTO batchd_request (batch_id, seq, key_int, key_text, key_hash, guard, outcome, finished_at)"
        f" SELECT 1 + (seq - 1) DIV {A_BATCH}, 1 + (seq - 1) MOD {A_BATCH}, seq, '', '', 'g', 'applied', {PAST}"
        f" FROM seq_1_to_{REQUESTS - OPEN * A_BATCH}"
    ),
    (
        "INSERT INTO batchd_gate (task_id, key_int, key_hash, key_text, state, not_before, outcome, changed_at)"
        f" SELECT 1, seq, '', '', CASE WHEN seq <= {WAITING} THEN 'failed' ELSE 'done' END, {PAST}, 'applied', {PAST}"
        f" FROM seq_1_to_{REQUESTS}"
    ),
    (
        "INSERT INTO batchd_event (at, actor, subject, subject_id, action, reason)"
        f" SELECT {PAST}, 'a', 'batch', 1 + seq DIV 8, 'moved', '' FROM seq_1_to_{8 * BATCHES}"
    ),
    (
        "INSERT INTO batchd_finding (kind, subject, detail, next_command, opened_at, closed_at)"
        f" SELECT 'late-batch', CONCAT('batch ', seq), '', '', {PAST}, {PAST} FROM seq_1_to_{BATCHES}"
    ),
    "ANALYZE TABLE batchd_batch, batchd_request, batchd_gate, batchd_event, batchd_finding",
)
_QUESTIONS: tuple[Callable[[Any], object], ...] = (
    overview.in_flight_facts,
    overview.lease_facts,
    overview.process_facts,
    overview.last_move,
    lambda connection: overview.recent_facts(connection, dt.datetime.now(dt.UTC)),
    overview.reason_facts,
    reading.waiting_facts,
    lambda connection: reading.batch_facts(connection, most=10, only_open=True),
    lambda connection: reading.batch_detail(connection, 7),
    reading.task_facts,
    reading.finding_facts,
)


@pytest.mark.parametrize("db", ["mariadb"], indirect=True)
def test_status_reads_no_large_table_whole(db: StoreUnderTest) -> None:
    """Open batches, leases, reasons and a batch's findings are found by an index; sums of batches may read them all."""
    for statement in _FILL:
        db.execute(statement)
    database = db.open_as_owner()
    watch = StatementWatch(database.engine, MariadbPlanner())

    for question in _QUESTIONS:
        ask(database, question)
    database.engine.dispose()

    told = "\n".join(map(str, watch.breaches(frozenset(ABOUT_ALL_THERE_IS))))
    assert watch.seen
    assert not told, f"statements that read too much of a large ledger:\n{told}"
