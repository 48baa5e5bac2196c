"""The ledger's tables for SQLAlchemy Core. A test holds them against the SQL under ``sql/``.

They carry the symbolic schema ``ledger``; the engine translates it to the one a DBA chose, or to none.
"""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

from batchd.core.outcomes import Outcome
from batchd.store.types import Moment

LEDGER = "ledger"
metadata = MetaData(schema=LEDGER)

# Outcomes a sent request can have; the last two belong to rows that were never sent.
REQUEST_OUTCOMES = tuple(one for one in Outcome if one not in {Outcome.UNRENDERABLE, Outcome.TOO_LARGE})

installation = Table(
    "batchd_installation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("installation_id", Text, nullable=False),
    Column("bound_to", Text, nullable=False),
    Column("ledger_version", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
)

task = Table(
    "batchd_task",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("paused", Integer, nullable=False),
    Column("pause_reason", Text, nullable=False),
    Column("batch_size", Integer),
    Column("max_open_batches", Integer),
    Column("fingerprint", Text, nullable=False),
    Column("resume_key", BigInteger),
    Column("last_sweep_at", Moment),
    Column("last_sweep_count", Integer),
    Column("lease_owner", Text),
    Column("lease_expires_at", Moment),
    Column("lease_epoch", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
)

task_version = Table(
    "batchd_task_version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("task_id", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

batch = Table(
    "batchd_batch",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", Text, nullable=False),
    Column("task_id", Integer, nullable=False),
    Column("version_id", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("held_from", Text),
    Column("attempt", Integer, nullable=False),
    Column("account", Text, nullable=False),
    Column("account_fingerprint", Text, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("input_bytes", BigInteger, nullable=False),
    Column("input_sha256", Text, nullable=False),
    *(
        Column(name, Text)
        for name in ("vendor_file_id", "vendor_batch_id", "vendor_status", "output_file_id", "error_file_id")
    ),
    Column("counted_total", Integer),
    Column("counted_completed", Integer),
    Column("counted_failed", Integer),
    Column("output_bytes", BigInteger),
    Column("output_sha256", Text),
    Column("error_bytes", BigInteger),
    Column("error_sha256", Text),
    Column("looks", Integer, nullable=False),
    Column("absent_since", Moment),
    Column("settle_by", Moment),
    Column("checks_waived", Integer, nullable=False),
    Column("error_code", Text),
    Column("error_text", Text),
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
    Column("lease_owner", Text),
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
)

watch = Table(
    "batchd_watch",
    metadata,
    Column("batch_id", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("file_id", Text, nullable=False),
    Column("since", Moment, nullable=False),
)

request = Table(
    "batchd_request",
    metadata,
    Column("batch_id", Integer, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("key_int", BigInteger, nullable=False),
    Column("key_text", Text, nullable=False),
    Column("key_hash", Text, nullable=False),
    Column("guard", Text, nullable=False),
    Column("guard_value", Text),
    Column("outcome", Text),
    Column("finish_reason", Text),
    Column("error_code", Text),
    Column("error_text", Text),
    Column("input_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("output_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("cost_nano_usd", BigInteger),
    Column("finished_at", Moment),
    Column("reapplied_version_id", Integer),
)

gate = Table(
    "batchd_gate",
    metadata,
    Column("task_id", Integer, primary_key=True),
    Column("key_int", BigInteger, primary_key=True),
    Column("key_hash", Text, primary_key=True),
    Column("key_text", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("paid_tries", Integer, nullable=False),
    Column("unpaid_tries", Integer, nullable=False),
    Column("not_before", Moment),
    Column("batch_id", Integer),
    Column("seq", Integer),
    Column("outcome", Text),
    Column("error_code", Text),
    Column("error_text", Text),
    Column("changed_at", Moment, nullable=False),
)

content = Table(
    "batchd_content",
    metadata,
    Column("batch_id", Integer, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("body", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

finding = Table(
    "batchd_finding",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("next_command", Text, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("notified_at", Moment),
)

event = Table(
    "batchd_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("subject_id", Integer, nullable=False),
    Column("action", Text, nullable=False),
    Column("from_state", Text),
    Column("to_state", Text),
    Column("reason", Text, nullable=False),
)

# A view that the command line reads too, apart from the tables: its words are said in one place.
batches_view = Table(
    "batchd_v_batches",
    MetaData(schema=LEDGER),
    Column("batch", Integer),
    Column("task", Text),
    Column("state", Text),
    Column("held_from", Text),
    Column("waits_for", Text),
    Column("waits_since", Moment),
    Column("not_before", Moment),
    Column("settle_by", Moment),
)
