"""A task that reads a view and writes to another table, on each database, as batchd's least-privilege login."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from batchd.core.tasks import AnswerSpec, Marker, Target, TaskDefinition, WriteBack
from batchd.store.opening import Database
from tests.conformance.stores import ColumnSpec, StoreUnderTest, a_definition, key_of
from tests.stages.bench import Bench
from tests.stages.elsewhere_bench import Mode

SOURCE, VIEW, TARGET = "cv", "wanted", "result"


def make_tables(
    db: StoreUnderTest,
    *columns: ColumnSpec,
    key: Sequence[ColumnSpec] = (ColumnSpec("id", "integer"),),
    target_key: Sequence[ColumnSpec] = (ColumnSpec("person", "integer"),),
) -> None:
    """The source, a view of it, and the target with these columns; its key is primary."""
    not_null = [ColumnSpec(one.name, one.kind, one.equality, "NOT NULL") for one in (*key, *target_key)]
    own, other = not_null[: len(key)], not_null[len(key) :]
    db.create_table(SOURCE, *own, ColumnSpec("body"), key=[one.name for one in own])
    db.execute(f"CREATE VIEW {VIEW} AS SELECT {', '.join(one.name for one in own)}, body FROM {SOURCE}")
    db.create_table(TARGET, *other, *columns, key=[one.name for one in other])


def definition_of(
    db: StoreUnderTest,
    mode: Mode,
    *,
    written: Sequence[str] = ("answer",),
    markers: Mapping[str, Marker] | None = None,
    key: Sequence[str] = ("id",),
    target_key: Sequence[str] = ("person",),
    **changes: Any,
) -> TaskDefinition:
    """The task, its keys as they are found in the tables."""
    usual: dict[str, Any] = {
        "table": VIEW,
        "key": key_of(db.open_as_owner(), key, VIEW),
        "target": Target(table=TARGET, key=key_of(db.open_as_owner(), target_key, TARGET), mode=mode),
        "pending": None,
        "answer": AnswerSpec(columns=tuple(WriteBack(column=name, path="@") for name in written)),
        "on_success": dict(markers or {}),
    }
    return a_definition(**(usual | changes))


class BenchElsewhere(Bench):
    """A whole workplace over such tables."""

    def __init__(self, folder: Path, db: StoreUnderTest, task: TaskDefinition) -> None:
        self._db = db
        super().__init__(folder, task, "")

    def opened(self, task: TaskDefinition, table: str) -> Database:
        del table
        self._db.grant(task)
        return self._db.open()

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        return self._db.execute(sql, *parameters)
