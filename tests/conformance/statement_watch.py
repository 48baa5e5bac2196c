"""Every statement that the store sends, as its database plans it: what it reads whole, how much, and who asked."""

import json
import re
import sqlite3
import sys
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
import sqlalchemy as sa

PACKAGE = Path(__file__).resolve().parents[2] / "batchd"
# What has a row per row, per request, per move or per batch, and so grows for ever.
LARGE = frozenset(
    {
        "batchd_request",
        "batchd_gate",
        "batchd_content",
        "batchd_event",
        "batchd_batch",
        "batchd_finding",
        "batchd_retention",
        "batchd_vendor_files",
        "batchd_enqueued",
        "person",
    }
)
# Read whole they are short: open findings; batches whose files are still there, or that are on their way; tasks.
SHORT_INDEXES = frozenset(
    {"batchd_finding_open", "batchd_batch_files", "batchd_batch_open", "sqlite_autoindex_batchd_task_1"}
)
_LOOKED_AT = re.compile(r"\s*(SELECT|UPDATE|DELETE|WITH|INSERT\b.*\bSELECT)\b", re.IGNORECASE | re.DOTALL)
# So often each statement of each caller is looked at: its parameters differ, and so may the plan.
_TIMES = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """One statement.

    Attributes:
        caller: files and functions of the package that led to it, innermost first.
        sql: as it was sent.
        read_whole: tables and indexes that it reads from end to end.
        work: how much it reads, by the measure of its database.
    """

    caller: str
    sql: str
    read_whole: tuple[str, ...]
    work: int

    def __str__(self) -> str:
        sql = " ".join(self.sql.split())
        return f"{self.caller}\n    reads whole: {self.read_whole}, work: {self.work:,}\n    {sql[:120]} … {sql[-300:]}"


class Planner(Protocol):
    """Asks one database how it runs a statement.

    ``most_work`` is what no statement may take that is not about all there is.
    """

    most_work: int

    def look(self, raw: Any, sql: str, parameters: Any) -> tuple[tuple[str, ...], int]:
        """What is read whole, and the work of a SELECT; 0 for others, which would change something."""


class SqlitePlanner:
    """Work is counted in steps of SQLite's machine: some ten a row, however the row was found."""

    most_work = 60_000
    _A_TICK = 100

    def look(self, raw: sqlite3.Connection, sql: str, parameters: Any) -> tuple[tuple[str, ...], int]:
        with closing(raw.cursor()) as cursor:
            lines = [row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        # What a subquery reads has lines of its own; what it gives is no table.
        given = {found[1] for line in lines if (found := re.match(r"(?:MATERIALIZE|CO-ROUTINE) (\w+)", line))}
        scans = tuple(line for line in lines if self._is_scan(line, given))
        return scans, self._work(raw, sql, parameters)

    def _is_scan(self, line: str, given: Collection[str]) -> bool:
        found = re.match(r"SCAN (?:\w+\.)?(\w+)(?: USING (?:COVERING )?INDEX (\w+))?", line)
        # Tables go by their aliases here, so whatever is not known to be small counts.
        return found is not None and found[1] not in {*_SMALL, *given} and found[2] not in SHORT_INDEXES

    def _work(self, raw: sqlite3.Connection, sql: str, parameters: Any) -> int:
        if not sql.lstrip().upper().startswith(("SELECT", "WITH")):
            return 0
        ticks = iter(range(sys.maxsize))
        raw.set_progress_handler(lambda: next(ticks) * 0, self._A_TICK)
        try:
            with closing(raw.cursor()) as cursor:
                cursor.execute(sql, parameters).fetchall()
        finally:
            raw.set_progress_handler(None, 0)
        return next(ticks) * self._A_TICK


# By SQLite's words: tables that stay short, rows that a statement brings with it.
_SMALL = frozenset(
    {
        "batchd_task",
        "batchd_task_version",
        "batchd_installation",
        "batchd_watch",
        "batchd_quota",
        "batchd_process",
        "CONSTANT",
        "longest",
        "json_each",
    }
)


class PostgresqlPlanner:
    """Work is the number of rows of large tables that were read, also of those that a filter let go of."""

    most_work = 1_500

    def look(self, raw: psycopg.Connection[Any], sql: str, parameters: Any) -> tuple[tuple[str, ...], int]:
        is_read = sql.lstrip().upper().startswith("SELECT")
        options = "ANALYZE, TIMING OFF, FORMAT JSON" if is_read else "FORMAT JSON"
        with psycopg.ClientCursor(raw) as cursor:
            ((plan,),) = cursor.execute(f"EXPLAIN ({options}) {sql}", parameters)
        nodes = list(_nodes((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))
        work = sum(_rows(node) for node in nodes) if is_read else 0
        # What ends after a few rows, by its LIMIT, may begin anywhere.
        is_short = is_read and work <= _A_FEW
        return () if is_short else tuple(_words(node) for node in nodes if _is_read_whole(node)), work


_A_FEW = 100


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _is_read_whole(node: dict[str, Any]) -> bool:
    if node.get("Relation Name") not in LARGE:
        return False
    by_index = node["Node Type"].startswith("Index") and node.get("Index Name") not in SHORT_INDEXES
    return node["Node Type"] == "Seq Scan" or (by_index and "Index Cond" not in node)


def _words(node: dict[str, Any]) -> str:
    return f"{node['Node Type']} {node['Relation Name']} {node.get('Index Name', '')}".strip()


def _rows(node: dict[str, Any]) -> int:
    if node.get("Relation Name") not in LARGE:
        return 0
    removed = sum(number for name, number in node.items() if name.startswith("Rows Removed by"))
    return int((node.get("Actual Rows", 0) + removed) * node.get("Actual Loops", 1))


class MariadbPlanner:
    """Work is the number of rows of large tables that a SELECT read, also of those that a filter let go of."""

    most_work = 1_500

    def look(self, raw: Any, sql: str, parameters: Any) -> tuple[tuple[str, ...], int]:
        if not sql.lstrip().upper().startswith("SELECT"):
            return (), 0
        with raw.cursor() as cursor:
            cursor.execute(f"ANALYZE FORMAT=JSON {sql}", parameters)
            ((plan,),) = cursor.fetchall()
        # Conditions are quoted there with escapes that JSON does not have.
        read = json.loads(re.sub(r"\\(?![\"\\/bfnrtu])", "", plan))
        tables = [one for one in _inner(read) if one.get("table_name") in LARGE]
        whole = [one["table_name"] for one in tables if one.get("access_type") == "ALL" and _read(one) > _A_FEW]
        return tuple(whole), int(sum(_read(one) for one in tables))


def _inner(plan: Any) -> Iterator[dict[str, Any]]:
    if isinstance(plan, dict):
        yield plan
    for value in plan.values() if isinstance(plan, dict) else plan if isinstance(plan, list) else ():
        yield from _inner(value)


def _read(table: dict[str, Any]) -> float:
    return float(table.get("r_rows") or 0) * float(table.get("r_loops") or 0)


class StatementWatch:
    """Looks at the statements of an engine from its making on."""

    def __init__(self, engine: sa.Engine, planner: Planner) -> None:
        self.seen: list[Seen] = []
        self.called: set[str] = set()
        self._planner = planner
        self._times: dict[tuple[str, str], int] = {}
        sa.event.listen(engine, "after_cursor_execute", self._look)

    def _look(
        self,
        connection: Any,
        _cursor: Any,
        sql: str,
        parameters: Any,
        _context: Any,
        executemany: bool,  # noqa: FBT001
    ) -> None:
        if not _LOOKED_AT.match(sql):
            return
        frames = _frames()
        self.called |= set(frames)
        caller = " < ".join(frames)
        self._times[caller, sql] = self._times.get((caller, sql), 0) + 1
        if self._times[caller, sql] <= _TIMES:
            given = parameters[0] if executemany else parameters
            whole, work = self._planner.look(connection.connection.dbapi_connection, sql, given)
            self.seen.append(Seen(caller, sql, whole, work))

    def breaches(self, about_everything: frozenset[str]) -> list[Seen]:
        """Statements that read a large table whole, or much of it, by callers that are not about all there is."""
        return [
            one
            for one in self.seen
            if (one.read_whole or one.work > self._planner.most_work)
            and not set(one.caller.split(" < ")) & about_everything
        ]


def _frames() -> list[str]:
    """``store/gates.py:SqlGates.settle`` and its like, innermost first; not what all of them go through."""
    frames, frame = [], sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE) and path.name not in {"engine.py", "asking.py"}:
            name = frame.f_code.co_qualname.replace(".<locals>", "")
            frames.append(f"{path.relative_to(PACKAGE)}:{name}")
    return list(dict.fromkeys(frames))
