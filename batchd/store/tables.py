"""The ledger's tables for SQLAlchemy Core. A test holds them against the SQL under ``sql/``.

They carry the symbolic schema ``ledger``; the engine translates it to the one a DBA chose, or to none.
"""

from sqlalchemy import BigInteger, Column, FetchedValue, Integer, MetaData, Table, Unicode, UnicodeText

from batchd.core.outcomes import Outcome
from batchd.store.types import Moment

LEDGER = "ledger"
metadata = MetaData(schema=LEDGER)

# Ids are the database's to give; they are looked up afterwards, since a trigger on the table, which is its owner's
# affair, would forbid SQL Server to return them.

# Outcomes a sent request can have; the last two belong to rows that were never sent.
REQUEST_OUTCOMES = tuple(one for one in Outcome if one not in {Outcome.UNRENDERABLE, Outcome.TOO_LARGE})

installation = Table(
    "batchd_installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("installation_id", Unicode(32), nullable=False),
    Column("bound_to", Unicode(500), nullable=False),
    Column("ledger_version", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
)

task = Table(
    "batchd_task",
    metadata,
    Column("id", BigInteger, FetchedValue(), primary_key=True),
    Column("name", Unicode(200), nullable=False),
    Column("paused", Integer, nullable=False),
    Column("pause_reason", UnicodeText, nullable=False),
    Column("batch_size", Integer),
    Column("max_open_batches", Integer),
    Column("fingerprint", Unicode(64), nullable=False),
    Column("resume_key", BigInteger),
    Column("last_sweep_at", Moment),
    Column("last_sweep_count", Integer),
    Column("backlog_since", Moment),
    Column("lease_owner", Unicode(200)),
    Column("lease_expires_at", Moment),
    Column("lease_epoch", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    implicit_returning=False,
)

task_version = Table(
    "batchd_task_version",
    metadata,
    Column("id", BigInteger, FetchedValue(), primary_key=True),
    Column("task_id", BigInteger, nullable=False),
    Column("version", Unicode(64), nullable=False),
    Column("definition", UnicodeText, nullable=False),
    Column("created_at", Moment, nullable=False),
    implicit_returning=False,
)

batch = Table(
    "batchd_batch",
    metadata,
    Column("id", BigInteger, FetchedValue(), primary_key=True),
    Column("uid", Unicode(64), nullable=False),
    Column("task_id", BigInteger, nullable=False),
    Column("version_id", BigInteger, nullable=False),
    Column("state", Unicode(20), nullable=False),
    Column("held_from", Unicode(20)),
    Column("attempt", Integer, nullable=False),
    Column("account", Unicode(200), nullable=False),
    Column("account_fingerprint", Unicode(64), nullable=False),
    Column("requests", Integer, nullable=False),
    Column("input_bytes", BigInteger, nullable=False),
    Column("input_sha256", Unicode(64), nullable=False),
    Column("vendor_file_id", Unicode(200)),
    Column("vendor_batch_id", Unicode(200)),
    Column("vendor_status", Unicode(64)),
    Column("output_file_id", Unicode(200)),
    Column("error_file_id", Unicode(200)),
    Column("counted_total", Integer),
    Column("counted_completed", Integer),
    Column("counted_failed", Integer),
    Column("output_bytes", BigInteger),
    Column("output_sha256", Unicode(64)),
    Column("error_bytes", BigInteger),
    Column("error_sha256", Unicode(64)),
    Column("looks", Integer, nullable=False),
    Column("absent_since", Moment),
    Column("settle_by", Moment),
    Column("checks_waived", Integer, nullable=False),
    Column("error_code", Unicode(200)),
    Column("error_text", UnicodeText),
    *(Column(outcome.value, Integer, nullable=False) for outcome in REQUEST_OUTCOMES),
    *(
        Column(name, BigInteger, nullable=False)
        for name in (
            "input_tokens",
            "cached_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cost_nano_usd",
            "unpriced",
        )
    ),
    Column("lease_owner", Unicode(200)),
    Column("lease_expires_at", Moment),
    Column("lease_epoch", Integer, nullable=False),
    Column("not_before", Moment),
    Column("created_at", Moment, nullable=False),
    *(
        Column(name, Moment)
        for name in (
            "intent_at",
            "submitted_at",
            "polled_at",
            "expires_at",
            "ended_at",
            "collected_at",
            "applied_at",
            "closed_at",
            "files_removed_at",
        )
    ),
    implicit_returning=False,
)

watch = Table(
    "batchd_watch",
    metadata,
    Column("batch_id", BigInteger, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("file_id", Unicode(200), nullable=False),
    Column("since", Moment, nullable=False),
)

request = Table(
    "batchd_request",
    metadata,
    Column("batch_id", BigInteger, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("key_int", BigInteger, nullable=False),
    Column("key_text", UnicodeText, nullable=False),
    Column("key_hash", Unicode(64), nullable=False),
    Column("guard", Unicode(32), nullable=False),
    Column("guard_value", Unicode(400)),
    Column("outcome", Unicode(20)),
    Column("finish_reason", Unicode(64)),
    Column("error_code", Unicode(200)),
    Column("error_text", UnicodeText),
    Column("input_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("output_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("cost_nano_usd", BigInteger),
    Column("finished_at", Moment),
    Column("reapplied_version_id", BigInteger),
)

gate = Table(
    "batchd_gate",
    metadata,
    Column("task_id", BigInteger, primary_key=True),
    Column("key_int", BigInteger, primary_key=True),
    Column("key_hash", Unicode(64), primary_key=True),
    Column("key_text", UnicodeText, nullable=False),
    Column("state", Unicode(20), nullable=False),
    Column("paid_tries", Integer, nullable=False),
    Column("unpaid_tries", Integer, nullable=False),
    Column("not_before", Moment),
    Column("batch_id", BigInteger),
    Column("seq", Integer),
    Column("outcome", Unicode(20)),
    Column("error_code", Unicode(200)),
    Column("error_text", UnicodeText),
    Column("changed_at", Moment, nullable=False),
)

content = Table(
    "batchd_content",
    metadata,
    Column("batch_id", BigInteger, primary_key=True),
    Column("kind", Unicode(20), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("body", UnicodeText, nullable=False),
    Column("created_at", Moment, nullable=False),
)

finding = Table(
    "batchd_finding",
    metadata,
    Column("id", BigInteger, FetchedValue(), primary_key=True),
    Column("kind", Unicode(60), nullable=False),
    Column("subject", Unicode(400), nullable=False),
    Column("detail", UnicodeText, nullable=False),
    Column("next_command", UnicodeText, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("notified_at", Moment),
    Column("priority", Integer, nullable=False),
    Column("notify_tries", Integer, FetchedValue(), nullable=False),
    Column("notified_by", Unicode(40)),
    Column("notify_after", Moment),
    implicit_returning=False,
)

event = Table(
    "batchd_event",
    metadata,
    Column("id", BigInteger, FetchedValue(), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", Unicode(200), nullable=False),
    Column("subject", Unicode(20), nullable=False),
    Column("subject_id", BigInteger, nullable=False),
    Column("action", Unicode(40), nullable=False),
    Column("from_state", Unicode(40)),
    Column("to_state", Unicode(40)),
    Column("reason", UnicodeText, nullable=False),
    implicit_returning=False,
)

retention = Table(
    "batchd_retention",
    metadata,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("due_from", Moment),
    Column("trimmed_at", Moment),
)

vendor_files = Table(
    "batchd_vendor_files",
    metadata,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("due_from", Moment),
    Column("deleted_at", Moment),
)

process = Table(
    "batchd_process",
    metadata,
    Column("owner", Unicode(200), primary_key=True),
    Column("version", Unicode(100), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

# A view that the command line reads too, apart from the tables: its words are said in one place.
batches_view = Table(
    "batchd_v_batches",
    MetaData(schema=LEDGER),
    Column("batch", Integer),
    Column("task", UnicodeText),
    Column("state", Unicode(20)),
    Column("held_from", Unicode(20)),
    Column("waits_for", UnicodeText),
    Column("waits_since", Moment),
    Column("not_before", Moment),
    Column("settle_by", Moment),
    Column("closed_at", Moment),
)

quota = Table(
    "batchd_quota",
    metadata,
    Column("account", Unicode(200), primary_key=True),
    Column("model", Unicode(200), primary_key=True),
    Column("learnt_tokens", BigInteger),
    Column("told", Integer, nullable=False),
    Column("learnt_at", Moment),
    Column("asked_at", Moment, nullable=False),
)

enqueued = Table(
    "batchd_enqueued",
    metadata,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("task_id", BigInteger, nullable=False),
    Column("account", Unicode(200), nullable=False),
    Column("model", Unicode(200), nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("reserved_at", Moment),
    Column("beside", BigInteger),
    Column("waits_since", Moment),
    Column("turn_at", Moment),
)
