"""Column types of SQL Server as inputs and as outputs: what is read, and what is written."""

import datetime as dt
import decimal
import uuid
from typing import Any

import pytest

from tests.conformance.mssql_lane import Lane, a_task, said

EAST = dt.datetime(2026, 2, 3, 10, 11, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))


def at(hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0) -> dt.datetime:
    """A time of the third of February, as a column without a time zone has it."""
    return dt.datetime(2026, 2, 3, hour, minute, second, microsecond)  # noqa: DTZ001


# Type of the column; JSON type, value and what stands in the column then.
WRITTEN: dict[str, tuple[str, str, Any, Any]] = {
    "tinyint": ("TINYINT", "integer", 255, 255),
    "smallint": ("SMALLINT", "integer", -32768, -32768),
    "int": ("INT", "integer", 2**31 - 1, 2**31 - 1),
    "bigint": ("BIGINT", "integer", -(2**63), -(2**63)),
    "bit": ("BIT", "boolean", True, True),
    "smallmoney": ("SMALLMONEY", "number", -1.25, decimal.Decimal("-1.25")),
    "money": ("MONEY", "number", 12345.678, decimal.Decimal("12345.678")),
    "real": ("REAL", "number", 0.5, 0.5),
    "float": ("FLOAT", "number", 1e-7, 1e-7),
    "decimal": ("DECIMAL(38, 10)", "number", 123456.0000001, decimal.Decimal("123456.0000001")),
    "date": ("DATE", "string", "2026-02-03", dt.date(2026, 2, 3)),
    "time": ("TIME(3)", "string", "10:11:12.5", dt.time(10, 11, 12, 500000)),
    "smalldatetime": ("SMALLDATETIME", "string", "2026-02-03 10:11", at(10, 11)),
    "datetime": ("DATETIME", "string", "2026-02-03", at()),
    "datetime_long": ("DATETIME", "string", "2026-02-03T10:11:12.120000", at(10, 11, 12, 120000)),
    "datetime2_0": ("DATETIME2(0)", "string", "2026-02-03T10:11:12", at(10, 11, 12)),
    "datetime2_3": ("DATETIME2(3)", "string", "2026-02-03 10:11:12.125", at(10, 11, 12, 125000)),
    "datetime2_7": ("DATETIME2(7)", "string", "2026-02-03T10:11:12.123456", at(10, 11, 12, 123456)),
    "moment": ("DATETIMEOFFSET(3)", "string", "2026-02-03T10:11:12+02:00", EAST),
    "char": ("CHAR(5)", "string", "ab", "ab   "),
    "nchar": ("NCHAR(5)", "string", "漢", "漢    "),
    "varchar": ("VARCHAR(20)", "string", "é€", "é€"),
    "nvarchar": ("NVARCHAR(20)", "string", "é漢😀", "é漢😀"),
    "text": ("TEXT", "string", "long é", "long é"),
    "ntext": ("NTEXT", "string", "long 漢😀", "long 漢😀"),
    "guid": ("UNIQUEIDENTIFIER", "string", str(uuid.UUID(int=5)), str(uuid.UUID(int=5)).upper()),
    "json": ("NVARCHAR(MAX)", "json", ["é'", '"', "漢😀"], '["é\'","\\"","漢😀"]'),
    "xml": ("XML", "string", "<a>x &amp; y</a>", "<a>x &amp; y</a>"),
}  # fmt: skip


def columns_of(types: dict[str, str]) -> str:
    """Columns of these types, as CREATE TABLE has them."""
    return ", ".join(f"[{name}] {kind}" for name, kind in types.items())


def test_what_is_answered_stands_in_columns_of_every_type(lane: Lane) -> None:
    """Each value arrives as it was said, by whatever language and date format the login reads."""
    types = {name: kind for name, (kind, *_) in WRITTEN.items()}
    lane.execute(
        f"CREATE TABLE dbo.every (Id INT PRIMARY KEY, body NVARCHAR(MAX), {columns_of(types)}, done DATETIME2(3))"
    )
    lane.execute(
        "INSERT INTO dbo.every (Id, body) VALUES (1, ?), (2, ?)",
        said(*(value for *_, value, _ in WRITTEN.values())),
        said(*([] if kind == "json" else None for _, kind, *_ in WRITTEN.values())),
    )

    lane.work(a_task("every", "every", more="", **{name: kind for name, (_, kind, *_) in WRITTEN.items()}))

    names = ", ".join(f"[{name}]" for name in WRITTEN)
    (filled,), (empty,) = (
        lane.execute(f"SELECT {names} FROM dbo.every WHERE Id = ? AND done IS NOT NULL", at) for at in (1, 2)
    )
    assert dict(zip(WRITTEN, (wanted for *_, wanted in WRITTEN.values()), strict=True)) == {
        name: str(value).upper() if name == "guid" else value for name, value in zip(WRITTEN, filled, strict=True)
    }
    assert {name: None for name in WRITTEN if name != "json"} | {"json": "[]"} == dict(zip(WRITTEN, empty, strict=True))


@pytest.mark.parametrize("setting", ["SET LANGUAGE german", "SET DATEFORMAT dmy"])
def test_dates_are_read_right_whatever_language_a_login_has(lane: Lane, setting: str) -> None:
    """The third of February is none of the second of March; a login's language changes no value."""
    lane.execute(
        "CREATE TABLE dbo.dated (Id INT PRIMARY KEY, body NVARCHAR(MAX), a DATETIME, b SMALLDATETIME, "
        "c DATETIME2(0), d DATE, done DATETIME)"
    )
    lane.execute(
        "INSERT INTO dbo.dated (Id, body) VALUES (1, ?)",
        said("2026-02-03", "2026-02-03 10:11:00", "2026-02-03 10:11:12", "2026-02-03"),
    )
    lane.say_first(setting)

    lane.work(a_task("dated", "dated", a="string", b="string", c="string", d="string"))

    day = at()
    assert [
        (day, day.replace(hour=10, minute=11), day.replace(hour=10, minute=11, second=12), day.date())
    ] == lane.execute("SELECT a, b, c, d FROM dbo.dated WHERE done IS NOT NULL")


def test_a_time_of_day_is_no_time_and_a_time_no_time_of_day(lane: Lane) -> None:
    """The server would make 10:11 a time of the first of January 1900, and leave out the day of what has one."""
    kinds = ("DATETIME", "SMALLDATETIME", "DATETIME2(7)", "DATETIMEOFFSET(3)", "TIME(3)")
    for number, kind in enumerate(kinds):
        lane.execute(
            f"CREATE TABLE dbo.timed{number} (Id INT PRIMARY KEY, body NVARCHAR(MAX), a {kind}, done DATETIME2(3))"
        )
        lane.execute(
            f"INSERT INTO dbo.timed{number} (Id, body) VALUES (1, ?), (2, ?), (3, ?)",
            *(said(text) for text in ("10:11", "2026-02-03T10:11", "2026-W06-2T10")),
        )

    lane.work(
        "\n".join(
            a_task(f"t{number}", f"timed{number}", more="max_attempts = 1", a="string") for number in range(len(kinds))
        )
    )

    found = [
        [
            (number, None if a is None else str(a)[:19])
            for number, a in lane.execute(f"SELECT Id, a FROM dbo.timed{one} ORDER BY Id")
        ]
        for one in range(len(kinds))
    ]
    day = [(1, None), (2, "2026-02-03 10:11:00"), (3, "2026-02-03 10:00:00")]
    assert [*[day] * 4, [(1, "10:11:00"), (2, None), (3, None)]] == found
    assert {"applied": 9, "invalid": 6} == lane.outcomes()
    assert {"wrong_type"} == {code for _, code, _ in lane.reasons()}


def test_what_no_driver_reads_is_told_before_anything_is_paid(lane: Lane) -> None:
    """SQL_VARIANT is no input, no output, no guard and no key; beside them it does no harm."""
    lane.execute(
        "CREATE TABLE dbo.varied (Id INT PRIMARY KEY, body NVARCHAR(MAX), v SQL_VARIANT, a NVARCHAR(9), done DATETIME2)"
    )
    tasks = {
        "input": a_task("input", "varied", prompt="{{ body }} {{ v }}", a="string"),
        "output": a_task("output", "varied", v="string"),
        "guard": a_task("guard", "varied", more='guard_column = "v"', a="string"),
        "key": a_task("key", "varied", key=("v",), a="string"),
    }

    for name, task in tasks.items():
        sentences = [one.sentence for one in lane.check(task).problems]
        assert any("'v' of table 'varied' is sql_variant" in one for one in sentences), (name, sentences)
    assert [] == lane.check(a_task("beside", "varied", a="string")).problems


def test_text_that_a_code_page_lacks_is_invalid_and_not_question_marks(lane: Lane) -> None:
    """A VARCHAR takes what its collation's code page has; the rest ends with a reason, and the row as it was."""
    lane.execute(
        "CREATE TABLE dbo.paged (Id INT PRIMARY KEY, body NVARCHAR(MAX), "
        "a VARCHAR(40) COLLATE Latin1_General_CI_AS, done DATETIME2)"
    )
    for number, text in enumerate(("é€", "é漢😀"), 1):
        lane.execute("INSERT INTO dbo.paged (Id, body) VALUES (?, ?)", number, said(text))

    lane.work(a_task("paged", "paged", more="max_attempts = 1", a="string"))

    assert [(1, "é€"), (2, None)] == lane.execute("SELECT Id, a FROM dbo.paged ORDER BY Id")
    assert {"applied": 1, "invalid": 1} == lane.outcomes()
    ((outcome, code, sentence),) = lane.reasons()
    assert ("invalid", "not_in_encoding") == (outcome, code)
    assert "cp1252" in sentence


def test_every_type_can_be_read_into_a_prompt(lane: Lane) -> None:
    """Numbers, times and long texts as Python writes them; unrelated columns of types without a name do no harm."""
    types = {
        "n1": "DECIMAL(38, 10)",
        "n2": "MONEY",
        "n3": "REAL",
        "n4": "BIT",
        "t1": "DATETIMEOFFSET(3)",
        "t2": "TIME(0)",
        "t3": "SMALLDATETIME",
        "x1": "CHAR(5)",
        "x2": "NTEXT",
        "x3": "XML",
        "g": "UNIQUEIDENTIFIER",
    }
    lane.execute(
        f"CREATE TABLE dbo.read_ (Id INT PRIMARY KEY, {columns_of(types)}, pc AS (Id * 2) PERSISTED, c AS (Id + 1), "
        "other SQL_VARIANT, body NVARCHAR(MAX), a NVARCHAR(400), done DATETIME2)"
    )
    lane.execute(
        "INSERT INTO dbo.read_ (Id, n1, n2, n3, n4, t1, t2, t3, x1, x2, x3, g, other) "
        "VALUES (1, 1.5, 2.25, 0.5, 1, CAST(N'2026-02-03T10:11:12+02:00' AS DATETIMEOFFSET(3)), N'10:11:12', "
        "N'2026-02-03T10:11:00', N'ab', N'漢', N'<a/>', N'00000000-0000-0000-0000-000000000005', 5)"
    )
    lane.execute("INSERT INTO dbo.read_ (Id) VALUES (2)")
    inputs = [*types, "pc", "c"]
    lane.reply = lambda request: said(request["body"]["messages"][-1]["content"])

    lane.work(a_task("read", "read_", prompt="|".join(f"{{{{ {name} }}}}" for name in inputs), a="string"))

    wanted = "1.5000000000|2.2500|0.5|True|2026-02-03 10:11:12+02:00|10:11:12|2026-02-03 10:11:00|"
    wanted += "ab   |漢|<a/>|00000000-0000-0000-0000-000000000005|2|2"
    ((one,), (two,)) = lane.execute("SELECT a FROM dbo.read_ ORDER BY Id")
    assert wanted == one.lower().replace("true", "True")
    assert "|" * 11 + "4|3" == two


@pytest.mark.parametrize(
    "kind", ["DATE", "SMALLDATETIME", "DATETIME", "DATETIME2(0)", "DATETIME2(7)", "DATETIMEOFFSET(3)"]
)
def test_the_time_is_marked_in_columns_of_every_kind(lane: Lane, kind: str) -> None:
    """``now`` is the database's clock in UTC, and a row that bears it is not due again."""
    lane.execute(
        f"CREATE TABLE dbo.marked (Id INT PRIMARY KEY, body NVARCHAR(MAX), a NVARCHAR(20), done {kind}, "
        "b NVARCHAR(64), m VARCHAR(40), c INT, t NVARCHAR(9))"
    )
    lane.execute("INSERT INTO dbo.marked (Id, body) VALUES (1, ?)", said("x"))
    marks = '{ done = { now = "utc" }, b = { value = "batch" }, m = { value = "model" }, c = 7, t = "it\'s" }'

    lane.work(a_task("marked", "marked", on_success=marks, a="string"))

    ((apart, batch, model, constant, text),) = lane.execute(
        "SELECT ABS(DATEDIFF(MINUTE, CAST(done AS DATETIME2), SYSUTCDATETIME())), b, m, c, t FROM dbo.marked"
    )
    assert apart < (1440 if kind == "DATE" else 3)
    assert ("gpt-6-luna", 7, "it's") == (model, constant, text)
    assert [(batch,)] == lane.execute("SELECT uid FROM batchd.batchd_batch")
    assert [] == lane.findings()
