"""A hundred million rows on paper: what one cycle writes and asks, measured on a small one, times so many.

Bytes are of the ledger's tables with their indexes after a cycle; statements are those that the program sends. Both
come from the real stages on a real database; the vendor answers at once, in memory.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from batchd.core.pacing import poll_delay
from batchd.pipeline import BATCH_LANE
from batchd.store import tables
from tests.conformance.linked_bench import COMMITS, LinkedBench, server_of
from tests.conformance.stores_postgresql import PostgresqlServer, PostgresqlUnderTest
from tests.fakes.tcp_proxy import TcpProxy
from tests.stages.bench import Bench

HOUR = 3600.0
_STAGES = ("recover", "claim", "submit", "poll", "collect", "apply", "cleanup", "retention")
# Some 1,000 characters, as a short document has.
_TEXT = "Ada Lovelace, analyst, wrote the first program for a machine that was never built. " * 12
_INSERT = 200
_CHECK_INTERVAL = 60.0
_ROW_TOKENS, _HOURS = 500, 1.0
# As `keep_files` is unless the config says otherwise.
_KEPT_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle, measured: statements by stage for a batch and for each thousand rows of it; bytes a row by table.

    ``file_bytes`` are those of a row in the batch files, sent and received.
    """

    database: str
    rows: int
    fixed: dict[str, float]
    per_thousand: dict[str, float]
    row_bytes: dict[str, float]
    file_bytes: float

    @property
    def bytes_per_row(self) -> float:
        """What the ledger keeps for a row once its batch is closed."""
        return sum(self.row_bytes.values())

    def statements(self, pace: "Pace") -> float:
        """A second, at a vendor's pace: each batch's and row's own, and the looks at batches before their end."""
        looks = (pace.looks - 1) * self.fixed["poll"]
        return pace.rows * (
            (sum(self.fixed.values()) + looks) / pace.batch_rows + sum(self.per_thousand.values()) / 1000
        )


@dataclass(frozen=True, slots=True)
class Pace:
    """What a vendor's quota lets through, in rows and batches a second."""

    limit: int
    row_tokens: int
    hours: float
    most_rows: int = 50_000

    @property
    def rows(self) -> float:
        """Rows a second."""
        return self.limit / (self.hours * HOUR * self.row_tokens)

    @property
    def batch_rows(self) -> int:
        """Rows of a batch: a sixteenth of the limit, or as many as a file may have."""
        return max(min(self.limit // 16 // self.row_tokens, self.most_rows), 1)

    @property
    def in_flight(self) -> int:
        """Batches at the vendor while its quota is full."""
        return round(self.limit / (self.batch_rows * self.row_tokens))

    @property
    def looks(self) -> int:
        """At a batch, while others wait for its tokens."""
        age, looks = 0.0, 0
        while age < self.hours * HOUR:
            age, looks = age + poll_delay(age, _CHECK_INTERVAL, wanted=True), looks + 1
        return looks


def measured(rows: int) -> Iterator[Cycle]:
    """The cycle on SQLite, and on PostgreSQL where ``BATCHD_TEST_POSTGRESQL_URL`` leads to one."""
    with tempfile.TemporaryDirectory() as folder:
        yield _cycle("SQLite", Bench, _sqlite_sizes, Path(folder), rows)
        url = os.environ.get("BATCHD_TEST_POSTGRESQL_URL")
        if url is not None:
            with _postgresql(url) as make:
                yield _cycle("PostgreSQL", make, _postgresql_sizes, Path(folder), rows)


def _cycle(
    database: str, make: Callable[[Path], Bench], sizes: Callable[[Bench], dict[str, int]], folder: Path, rows: int
) -> Cycle:
    few, many = (_counted(make(_made(folder / f"{database} {number}")), number) for number in (rows // 2, rows))
    per_thousand = {stage: (many[0][stage] - few[0][stage]) / (rows - rows // 2) * 1000 for stage in _STAGES}
    fixed = {stage: many[0][stage] - per_thousand[stage] * rows / 1000 for stage in _STAGES}
    before, after = sizes(few[1]), sizes(many[1])
    # What is empty at the end, as gates are, leaves its room to the next rows.
    kept = [name for name in after if many[1].execute(f"SELECT count(*) FROM {name}") != [(0,)]]
    grown = {name: (after[name] - before[name]) / (rows - rows // 2) for name in kept}
    ((files,),) = many[1].execute("SELECT input_bytes + output_bytes FROM batchd_batch")
    return Cycle(database, rows, fixed, per_thousand, grown, int(files) / rows)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _counted(bench: Bench, rows: int) -> tuple[Counter[str], Bench]:
    """Statements of each stage for one batch of so many rows, from claim to the end."""
    bench.configure(batch_size=rows)
    bench.place = replace(bench.place, chunk=1000)
    bench.vendor.statuses = ("validating", "completed")
    for first in range(1, rows + 1, _INSERT):
        values = ", ".join(f"({key}, '{_TEXT}')" for key in range(first, min(first + _INSERT, rows + 1)))
        bench.execute(f"INSERT INTO person (id, resume) VALUES {values}")
    counts: Counter[str] = Counter()
    stage = ""

    def count(*_: Any) -> None:
        counts[stage] += 1

    sa.event.listen(bench.database.engine, "before_cursor_execute", count)
    for make, stage in zip(BATCH_LANE, _STAGES, strict=True):  # noqa: B007 - the counter reads it
        bench.run(make)
    sa.event.remove(bench.database.engine, "before_cursor_execute", count)
    if bench.states() != ["closed"]:
        raise RuntimeError(f"the cycle did not come to its end: {bench.states()}")
    return counts, bench


def _ledger_tables() -> list[str]:
    return [table.name for table in tables.metadata.sorted_tables]


def _sqlite_sizes(bench: Bench) -> dict[str, int]:
    found = dict(
        bench.execute(
            "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name GROUP BY m.tbl_name"
        )
    )
    return {name: int(found.get(name, 0)) for name in _ledger_tables()}


def _postgresql_sizes(bench: Bench) -> dict[str, int]:
    """As autovacuum would leave it: rows that were changed or removed leave room for the next ones."""
    for name in _ledger_tables():
        bench.execute(f"VACUUM batchd.{name}")
    return {
        name: int(bench.execute(f"SELECT pg_total_relation_size('batchd.{name}'::regclass)")[0][0])
        for name in _ledger_tables()
    }


@contextmanager
def _postgresql(url: str) -> Iterator[Callable[[Path], Bench]]:
    server = PostgresqlServer(url)
    server.prepare()
    kept: list[Any] = []

    def make(folder: Path) -> Bench:
        db = PostgresqlUnderTest(server)
        db.prepare()
        link = TcpProxy(server_of(db), COMMITS["postgresql"])
        link.__enter__()
        kept.append((db, link))
        return LinkedBench(folder, db, link)

    try:
        yield make
    finally:
        for db, link in kept:
            link.__exit__(None, None, None)
            db.close()
        server.close()


def pages(cycle: Cycle, rows: int) -> Iterator[str]:
    """What so many rows come to, line by line."""
    yield f"{rows:,} rows on paper, from a measured cycle of {cycle.rows:,} rows in one batch on {cycle.database}"
    whole = _size(cycle.bytes_per_row * rows)
    yield f"  the ledger keeps {cycle.bytes_per_row:,.0f} bytes a row, indexes counted: {whole}"
    for name, size in sorted(cycle.row_bytes.items(), key=lambda one: -one[1]):
        if size >= 1:
            yield f"    {name:24} {size:7,.0f} bytes a row   {_size(size * rows)}"
    yield "  statements, by stage:      for a batch   for each 1,000 rows more"
    for stage in _STAGES:
        if cycle.fixed[stage] >= 1 or cycle.per_thousand[stage] >= 1:
            yield f"    {stage:24} {cycle.fixed[stage]:9,.0f} {cycle.per_thousand[stage]:12,.1f}"
    yield f"  at the vendor's pace, {_ROW_TOKENS} tokens a row, {_HOURS:g} h a batch, looks at open batches counted:"
    yield "  limit (tokens)   rows/s   batches in flight   statements/s   MB/s   spool, 7 days kept   days for all rows"
    for limit in (5_000_000, 40_000_000, 1_000_000_000, 15_000_000_000):
        pace = Pace(limit, _ROW_TOKENS, _HOURS)
        statements = cycle.statements(pace)
        days = rows / pace.rows / 86_400
        spool = _size(rows * cycle.file_bytes * min(_KEPT_DAYS / days, 1.0))
        traffic = pace.rows * cycle.file_bytes / 1e6
        figures = f"{pace.rows:8,.1f} {pace.in_flight:12,} {statements:18,.1f} {traffic:9,.2f}"
        yield f"  {limit:14,} {figures} {spool:>17} {days:15,.1f}"


def _size(size: float) -> str:
    return f"{size / 1e9:,.1f} GB"
