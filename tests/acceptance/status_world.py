"""A ledger as it stands at one fixed moment, for tests of what `batchd status` makes of it."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

from tests.acceptance.cli_world import TABLE, World

MOMENT = dt.datetime(2026, 11, 20, 14, 30, tzinfo=dt.UTC)
CONFIG = """\
[database]
url = "sqlite:///people.db"

[vendors.openai]
kind = "openai"
api_key = { env = "OPENAI_API_KEY" }
"""
TASK = """
[tasks.NAME]
vendor = "openai"
table = "people"
key = ["id"]
pending = "COLUMN IS NULL"
model = "gpt-6-luna"
prompt = "{{ text }}"

[tasks.NAME.fields]
COLUMN = { type = "string", nullable = true, column = "COLUMN" }
"""
MOVES = (
    (11_000, "built", None, "built", ""),
    (10_998, "moved", "built", "submitting", "try 1: uploaded, about to be created"),
    (10_995, "moved", "submitting", "submitted", "created as batch_00000000000000000000002f"),
    (10_080, "moved", "submitted", "ended", "the vendor reports completed"),
    (10_060, "moved", "ended", "collected", "result files are on disk, complete"),
    (10_000, "held", "collected", "held", "120 of the first 200 rows are stale"),
)
OPEN = ("built", "submitting", "submitted", "ended", "collected", "held")


def stamp(seconds_ago: float) -> str:
    """As the ledger writes a time, so long before the moment."""
    return f"{MOMENT - dt.timedelta(seconds=seconds_ago):%Y-%m-%d %H:%M:%S}.000"


class Told:
    """A world whose ledger is written by SQL; nothing is ever sent."""

    def __init__(self, folder: Path, *tasks: str) -> None:
        self.world = World(folder, CONFIG)
        self.world.make_table(0, TABLE)
        self.world.make_ledger()
        self.tasks = {name: number for number, name in enumerate(tasks, 1)}
        # The ledger may know tasks whose name no config of today takes.
        legal = [name for name in tasks if re.fullmatch(r"[\w-]{1,64}", name, re.ASCII)]
        config = [TASK.replace("NAME", name) for name in legal]
        self.world.write_config("".join(text.replace("COLUMN", f"column_{at}") for at, text in enumerate(config)))
        for name, number in self.tasks.items():
            self.add("batchd_task", id=number, name=name, fingerprint="f", created_at=stamp(0))
            self.add("batchd_task_version", id=number, task_id=number, version="v", definition="{}",
                     created_at=stamp(0))  # fmt: skip

    def add(self, table: str, **values: object) -> None:
        """One row."""
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self.world.sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", *values.values())

    def change_task(self, task: str, **values: object) -> None:
        """Columns of a task."""
        changes = ", ".join(f"{name} = ?" for name in values)
        self.world.sql(f"UPDATE batchd_task SET {changes} WHERE name = ?", *values.values(), task)

    def add_batch(self, task: str, state: str, built: float, requests: int = 200, **more: Any) -> int:
        """A batch that was built so many seconds ago; its number."""
        ((last,),) = self.world.sql("SELECT coalesce(max(id), 0) FROM batchd_batch")
        number = self.tasks[task]
        self.add(
            "batchd_batch",
            **{
                "id": last + 1, "uid": f"{last + 1:032x}", "task_id": number, "version_id": number, "state": state,
                "attempt": 1, "account": "openai", "account_fingerprint": "f", "requests": requests,
                "input_bytes": requests * 480, "input_sha256": "s", "created_at": stamp(built),
                "vendor_batch_id": None if state == "built" else f"batch_{last + 1:024x}",
                "held_from": "collected" if state == "held" else None,
                "closed_at": None if state in OPEN else stamp(max(built - 600, 0)),
            } | more,
        )  # fmt: skip
        return int(last) + 1

    def add_gates(self, task: str, state: str, rows: int, outcome: str | None = None, code: str | None = None) -> None:
        """Rows that wait for something."""
        ((last,),) = self.world.sql("SELECT coalesce(max(key_int), 0) FROM batchd_gate")
        for key in range(last + 1, last + 1 + rows):
            self.add(
                "batchd_gate", task_id=self.tasks[task], key_int=key, key_hash="", key_text="", state=state,
                outcome=outcome, error_code=code, changed_at=stamp(0),
            )  # fmt: skip


def usual(folder: Path) -> Told:
    """Three tasks: one at work, one with failures and a held batch, one whose account is out of money."""
    told = Told(folder, "resumes", "reviews", "tags")
    host = "web1/1f0a9c3e-4026531836/4711/90211"
    told.change_task("resumes", last_sweep_at=stamp(130), last_sweep_count=12_410)
    told.change_task("reviews", last_sweep_at=stamp(150), last_sweep_count=0)
    told.change_task("tags", last_sweep_at=stamp(3 * 3600), last_sweep_count=31_000, paused=1,
                     pause_reason="the vendor's account is out of money")  # fmt: skip
    for number in range(40):
        told.add_batch("resumes", "closed", 86_400 - 1200 * number, 1000, applied=990, invalid=10,
                       input_tokens=310_000, output_tokens=64_000, cost_nano_usd=102_500_000,
                       applied_at=stamp(86_400 - 1200 * number - 600))  # fmt: skip
    told.add_batch("reviews", "closed", 7200, applied=190, invalid=8, refused=2, input_tokens=62_000,
                   output_tokens=9_100, cost_nano_usd=8_200_000, applied_at=stamp(6600))  # fmt: skip
    sent: dict[str, Any] = {"submitted_at": stamp(700), "polled_at": stamp(45), "vendor_status": "in_progress",
                            "not_before": stamp(-120), "counted_total": 1000, "counted_failed": 0}  # fmt: skip
    for answered in (812, 640, 10, 0):
        told.add_batch("resumes", "submitted", 720, 1000, counted_completed=answered, **sent)
    told.add_batch("resumes", "collected", 4000, 1000, lease_owner=host, lease_expires_at=stamp(-297))
    told.add_batch("resumes", "built", 30, 1000)
    held = told.add_batch("reviews", "held", 11_000, error_code="suspect_results", vendor_status="completed",
                          error_text="120 of the first 200 rows are stale", counted_total=200, counted_completed=200,
                          counted_failed=0, submitted_at=stamp(10_995), ended_at=stamp(10_080),
                          collected_at=stamp(10_060), polled_at=stamp(10_080))  # fmt: skip
    for ago, action, start, to, why in MOVES:
        told.add("batchd_event", at=stamp(ago), actor=host, subject="batch", subject_id=held, action=action,
                 from_state=start, to_state=to, reason=why)  # fmt: skip
    told.add_gates("reviews", "failed", 8, "invalid", "schema")
    told.add_gates("reviews", "failed", 2, "refused")
    told.add("batchd_finding", kind="suspect-results", subject=f"batch {held}", opened_at=stamp(10_000),
             detail="120 stale of 200", next_command=f"batchd resolve {held}")  # fmt: skip
    told.add("batchd_finding", kind="billing-stop", subject="task tags", opened_at=stamp(9000),
             next_command="batchd resume tags")  # fmt: skip
    return told
