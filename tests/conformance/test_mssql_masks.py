"""Columns that SQL Server shows masked. Babelfish masks nothing, so there the masks themselves are made up."""

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from batchd.app.rights import rights_of
from batchd.errors import DatabaseError
from batchd.store.dialects.base import Mask
from batchd.store.dialects.mssql import MssqlDialect
from tests.conformance.mssql_lane import Lane, a_task, said

TABLE = "CREATE TABLE dbo.person (Id INT PRIMARY KEY, body NVARCHAR(MAX), a NVARCHAR(50), other INT, done DATETIME2(3))"
USED = {"Id", "body", "a", "done"}


def hide(monkeypatch: pytest.MonkeyPatch, *columns: str) -> None:
    """Has the server tell of masks that the login can't lift."""

    def masks(_: Any, connection: sa.Connection, table: str, schema: str | None, names: Sequence[str]) -> list[Mask]:
        del connection, table, schema
        return [Mask(name, lifted=False, by_column=True) for name in names if name in columns]

    monkeypatch.setattr(MssqlDialect, "masks", masks)


def test_a_table_is_asked_for_masks_on_what_a_task_uses(lane: Lane) -> None:
    """By the least login, of no other column, with an answer that the server can give."""
    lane.execute(TABLE)
    task = a_task("people", "person", a="string")
    lane.grant(task)
    asked: list[set[str]] = []

    def listen(_c: object, _u: object, statement: str, parameters: Any, *_: object) -> None:
        if "is_masked" in statement:
            asked.append(set(parameters) - {"[dbo].[person]", '"dbo"."person"'})

    sa.event.listen(sa.Engine, "before_cursor_execute", listen)
    try:
        lane.open(task)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", listen)

    assert [USED] == asked


@pytest.mark.parametrize("column", ["body", "a", "Id"])
def test_a_masked_column_is_refused_before_anything_is_sent(
    lane: Lane, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    """By check-config and by the start of a run, with the table, the column, and what ends it; masks cost money."""
    lane.execute(TABLE)
    lane.execute("INSERT INTO dbo.person (Id, body) VALUES (1, ?)", said("yes"))
    task = a_task("people", "person", a="string")
    lane.grant(task)
    hide(monkeypatch, column)

    (problem,) = lane.check(task, as_owner=False).problems
    with pytest.raises(DatabaseError) as refused:
        lane.open(task)

    told = ((problem.sentence, problem.next_command), (str(refused.value), refused.value.next_command))
    for sentence, remedy in told:
        assert f"'person': UNMASK on {column}, of which it is shown masks in place of the values" in sentence
        assert f"GRANT UNMASK ON [dbo].[person] ([{column}]) TO {lane.server.login};" in remedy


def test_a_masked_column_that_no_task_uses_is_nobodys_business(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is read is looked at."""
    lane.execute(TABLE)
    lane.execute("INSERT INTO dbo.person (Id, body) VALUES (1, ?)", said("yes"))
    hide(monkeypatch, "other")

    lane.work(a_task("people", "person", a="string"))

    assert {"applied": 1} == lane.outcomes()


def test_grants_show_what_is_masked(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    """``batchd db grants`` asks the table, whether or not there is a condition."""
    lane.execute(TABLE)
    hide(monkeypatch, "body", "other")

    found = rights_of(lane.config(a_task("people", "person", a="string"), as_owner=True), "people")

    assert ["body"] == [one.column for one in found.table.masks]
