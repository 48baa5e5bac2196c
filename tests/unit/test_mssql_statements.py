"""What SQL Server is told, where only a server could show what becomes of it: statements, parameters, settings."""

import datetime as dt
import decimal
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from batchd.core.tasks import KeyColumn
from batchd.store.dialects.mssql import MssqlDialect
from batchd.store.dialects.mssql_names import use_names
from batchd.store.dialects.row_write import RowWrite

ID = KeyColumn(name="id", kind="integer", sql_type="INTEGER")


def of_sqlalchemy() -> Any:
    """SQLAlchemy's dialect, as batchd's engine has it."""
    dialect = mssql.dialect(paramstyle="qmark")  # type: ignore[no-untyped-call]
    use_names(dialect)
    return dialect


@dataclass
class Server:
    """In place of a connection: has columns of these types, and writes as many rows as it is told of.

    Attributes:
        types: the table's columns as the catalogue tells them.
        said: each statement with its parameters.
    """

    types: Mapping[str, str]
    said: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    dialect: Any = field(default_factory=of_sqlalchemy)
    info: dict[str, Any] = field(default_factory=dict)

    def execute(self, *_: Any) -> Any:
        """The question for the columns."""
        return SimpleNamespace(all=lambda: [(name, kind, "YES", *[None] * 4) for name, kind in self.types.items()])

    def exec_driver_sql(self, statement: str, parameters: tuple[Any, ...], execution_options: Any) -> Any:
        """A write; every row is there."""
        assert execution_options
        self.said.append((statement, parameters))
        return SimpleNamespace(scalar_one=lambda: statement.split("(VALUES ")[1].count("(?"))


def written(
    *changes: tuple[tuple[Any, ...], dict[str, Any]],
    keys: Sequence[KeyColumn] = (ID,),
    types: Mapping[str, str] | None = None,
    clocks: Mapping[str, sa.ColumnElement[Any]] | None = None,
    adds: bool = False,
) -> list[tuple[str, tuple[Any, ...]]]:
    """What the server is told for these rows, whose columns hold text where nothing else is said."""
    columns = list(changes[0][1])
    server: Any = Server(dict.fromkeys(columns, "nvarchar") | dict(types or {}))
    named = [key.name for key in keys] + columns + list(clocks or {})
    rows = [(*key, *values.values()) for key, values in changes]
    write = RowWrite(sa.table("item", *(sa.column(one) for one in named)), keys, columns, rows, clocks or {})
    count = MssqlDialect().insert_rows(server, write) if adds else MssqlDialect().update_rows(server, write)
    assert len(changes) == count
    return list(server.said)


def compiled(statement: Any) -> str:
    """As SQL Server reads it, on one line."""
    return " ".join(str(statement.compile(dialect=of_sqlalchemy())).split())


def test_rows_are_written_by_a_join_with_their_values() -> None:
    """Each row by its key, one count for all; triggers' counts are not told, and the session counts again after it."""
    ((statement, parameters),) = written(((1,), {"a": "x", "b": None}), ((2,), {"a": None, "b": 2}))

    assert statement == (
        "SET NOCOUNT ON; DECLARE @written INT; "
        "UPDATE t SET t.[a] = CASE WHEN SUBSTRING(s.nulls, 1, 1) = N'0' THEN s.v0 END, "
        "t.[b] = CASE WHEN SUBSTRING(s.nulls, 2, 1) = N'0' THEN s.v1 END FROM [item] AS t "
        "JOIN (VALUES (?, ?, ?, ?), (?, ?, ?, ?)) AS s (k0, v0, v1, nulls) ON t.[id] = CAST(s.k0 AS INTEGER); "
        "SET @written = @@ROWCOUNT; SET NOCOUNT OFF; SELECT @written AS batchd_written"
    )
    assert ("1", "x", "", "01", "2", "", "2", "10") == parameters


def test_rows_are_added_from_their_values() -> None:
    """Keys, values and the time, in one order on both sides."""
    clocks = {"done": MssqlDialect().row_now(zoned=False)}
    ((statement, parameters),) = written(((1,), {"a": None}), clocks=clocks, adds=True)

    assert (
        "INSERT INTO [item] ([id], [a], [done]) SELECT CAST(s.k0 AS INTEGER), "
        "CASE WHEN SUBSTRING(s.nulls, 1, 1) = N'0' THEN s.v0 END, sysutcdatetime() "
        "FROM (VALUES (?, ?, ?)) AS s (k0, v0, nulls);"
    ) in statement
    assert ("1", "", "1") == parameters


@pytest.mark.parametrize(
    ("kind", "cast"),
    [("datetime", "DATETIME2(7)"), ("smalldatetime", "DATETIME2(7)"), ("datetimeoffset", "DATETIMEOFFSET(7)")],
)
def test_text_becomes_a_time_that_no_language_turns_round(kind: str, cast: str) -> None:
    """A DATETIME reads "2026-02-03" by the login's language, which may have it as the 2nd of March."""
    ((statement, _),) = written(((1,), {"a": "2026-02-03"}), types={"a": kind})

    assert f"t.[a] = CAST(CASE WHEN SUBSTRING(s.nulls, 1, 1) = N'0' THEN s.v0 END AS {cast})" in statement


@pytest.mark.parametrize(
    ("key", "same"),
    [
        (KeyColumn(name="k", kind="binary", sql_type="VARBINARY(9)"), "CONVERT(VARBINARY(9), s.k0, 2)"),
        (KeyColumn(name="k", kind="guid", sql_type="UNIQUEIDENTIFIER"), "CAST(s.k0 AS UNIQUEIDENTIFIER)"),
        (KeyColumn(name="k", kind="decimal", sql_type="DECIMAL(9, 2)"), "CAST(s.k0 AS DECIMAL(9, 2))"),
        (
            KeyColumn(name="k", kind="text", sql_type="VARCHAR(9)", collation="Latin1_General_CS_AS"),
            # Within, it names the code page to convert to; behind, how to compare.
            "CAST(s.k0 COLLATE Latin1_General_CS_AS AS VARCHAR(9)) COLLATE Latin1_General_CS_AS",
        ),
    ],
)
def test_a_key_is_compared_as_its_column_is(key: KeyColumn, same: str) -> None:
    """By type and collation: otherwise its index would not serve, or another row might be found."""
    ((statement, _),) = written(((b"k",), {"a": "x"}), keys=[key])

    assert f" ON t.[k] = {same};" in statement


@pytest.mark.parametrize(
    ("key", "added"),
    [
        (KeyColumn(name="k", kind="binary", sql_type="VARBINARY(9)"), "CONVERT(VARBINARY(8000), s.k0, 2)"),
        (KeyColumn(name="k", kind="text", sql_type="VARCHAR(9)", collation="Latin1_General_CS_AS"), "s.k0"),
        (ID, "CAST(s.k0 AS INTEGER)"),
    ],
)
def test_a_key_that_is_added_is_not_cut(key: KeyColumn, added: str) -> None:
    """Converted to a shorter type it would be, and pass for another row's; the column itself refuses it."""
    ((statement, _),) = written(((b"k",), {"a": "x"}), keys=[key], adds=True)

    assert f" SELECT {added}, " in statement


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "1"),
        (False, "0"),
        (2**63 - 1, "9223372036854775807"),
        (1e300, "1" + "0" * 300),
        (1.5e-7, "0.00000015"),
        (decimal.Decimal("1E+3"), "1000"),
        (b"\x00\xff", "00ff"),
        (dt.date(2026, 2, 3), "2026-02-03"),
        ("é漢😀\x00", "é漢😀\x00"),
    ],
    ids=repr,
)
def test_a_value_is_told_as_text_that_its_column_reads(value: Any, text: str) -> None:
    """Numbers without exponents, bytes as hex, 0 and 1 for false and true."""
    ((_, parameters),) = written(((1,), {"a": value}))

    assert ("1", text, "0") == parameters


def test_many_rows_take_several_statements() -> None:
    """The server takes 2,100 parameters in one."""
    said = written(*(((number,), {"a": "x", "b": "y"}) for number in range(1200)))

    assert [500, 500, 200] == [len(parameters) // 4 for _, parameters in said]
    assert all(len(parameters) <= 2100 for _, parameters in said)
    assert [str(number) for number in range(1200)] == [one for _, parameters in said for one in parameters[::4]]


@pytest.mark.parametrize(
    ("kind", "declared", "value", "text", "converted"),
    [
        ("decimal", "NUMERIC(38, 0)", decimal.Decimal(1 - 10**38), f"-{'9' * 38}", "CAST(? AS NUMERIC(38, 0))"),
        ("decimal", "DECIMAL(18, 2)", decimal.Decimal("1E+3"), "1000", "CAST(? AS DECIMAL(18, 2))"),
        ("binary", "BINARY(4)", b"\x00\xffab", "00ff6162", "convert(BINARY(4), ?, 2)"),
        ("date", "DATE", "0001-01-01", "0001-01-01", "CAST(? AS DATE)"),
        ("date", "DATE", dt.date(2026, 2, 3), "2026-02-03", "CAST(? AS DATE)"),
    ],
)
def test_a_key_is_looked_for_as_its_column_has_it(
    kind: Any, declared: str, value: Any, text: str, converted: str
) -> None:
    """As drivers send them, values of one column are of several types, and some of their rows are not found."""
    key = KeyColumn(name="k", kind=kind, sql_type=declared)
    column: Any = sa.column("k", MssqlDialect().key_type(key))
    statement = sa.select(column).where(column == value).compile(dialect=of_sqlalchemy())

    (sent,) = statement.params.values()
    assert f"WHERE k = {converted}" in str(statement).replace("[k]", "k").replace("\n", "")
    assert text == MssqlDialect().key_type(key).bind_processor(of_sqlalchemy())(sent)  # type: ignore[misc]


def test_rows_are_locked_for_update() -> None:
    """Readers under row versions would not notice any other lock; nothing but those rows is locked."""
    table = sa.table("item", sa.column("id"))

    locked = MssqlDialect().locked(sa.select(table.c.id), table)

    assert "SELECT item.id FROM item WITH (UPDLOCK, ROWLOCK)" == re.sub(r"[\[\]]", "", compiled(locked))


def test_a_time_is_moved_by_months_and_by_milliseconds() -> None:
    """24 days of milliseconds are more than DATEADD takes."""
    moved = MssqlDialect().now_plus(40 * 86_400 + 0.25)

    assert compiled(moved) == "dateadd(MILLISECOND, ?, dateadd(SECOND, ?, sysutcdatetime()))"
    assert sorted(moved.compile(dialect=of_sqlalchemy()).params.values()) == [250, 40 * 86_400]
