"""Predicates as owners of SQL Server tables write them, and what else happens to a table while batchd works on it."""

import time

import pytest

from batchd.pipeline import CHECKING, SENDING
from tests.conformance.mssql_lane import Lane, a_task, said

TABLE = "CREATE TABLE dbo.person (Id INT PRIMARY KEY, body NVARCHAR(MAX), a NVARCHAR(50), done DATETIME2(3))"
# Each with the numbers of the rows that it takes.
PREDICATES: tuple[tuple[str, set[int]], ...] = (
    ("tag = N'O''Brien'", {1}),
    ("tag LIKE N'50[%]%' -- a comment", {2}),
    ("tag LIKE N'a_b:c%' /* :x ? */", {3}),
    ("[tag] <> N'?' AND [tag] NOT LIKE N'%[0-9]%'", {1, 3, 5, 6}),
    ("CAST(made AS DATE) < CONVERT(DATE, N'20260301', 112)", {1, 2, 3}),
    ("made < DATEADD(DAY, -1, GETDATE())", {1, 2, 3, 4, 5, 6}),
    ("EXISTS (SELECT 1 FROM dbo.wanted AS w WHERE w.Id = person.Id AND w.why = N'yes')", {2, 4}),
    ("Id IN (SELECT Id FROM dbo.wanted)", {2, 4, 5}),
    ("CASE WHEN tag = N'é漢😀' THEN 1 ELSE 0 END = 1", {5}),
    ("tag COLLATE Latin1_General_BIN2 = N'Straße' OR\n tag IS NULL", {6}),
    ("ISNULL(tag, N'') <> N'' AND LEN(tag) = 4", {2, 4}),
)  # fmt: skip
TAGS = ("O'Brien", "50%2", "a_b:c", "100?", "é漢😀", "Straße")


def test_predicates_in_the_owners_own_words(lane: Lane) -> None:
    """Quotes, colons, comments, question marks, casts, dates, brackets and subqueries: just the rows that they name."""
    columns = ", ".join(f"a{at} NVARCHAR(20), done{at} DATETIME" for at in range(len(PREDICATES)))
    lane.execute(
        f"CREATE TABLE dbo.person (Id INT PRIMARY KEY, body NVARCHAR(MAX), tag NVARCHAR(30), made DATETIME, {columns})"
    )
    lane.execute("CREATE TABLE dbo.wanted (Id INT PRIMARY KEY, why NVARCHAR(9))")
    lane.execute("INSERT INTO dbo.wanted VALUES (2, N'yes'), (4, N'yes'), (5, N'no')")
    lane.execute(f"GRANT SELECT ON dbo.wanted TO {lane.server.login}")
    for number, tag in enumerate(TAGS, 1):
        lane.execute(
            "INSERT INTO dbo.person (Id, body, tag, made) VALUES (?, ?, ?, ?)",
            number,
            said("yes"),
            tag,
            f"2026-0{1 if number < 4 else 6}-13T10:00:00",
        )
    tasks = [
        a_task(
            f"p{at}",
            "person",
            pending=f"done{at} IS NULL AND ({predicate}\n)",
            on_success=f'{{ done{at} = {{ now = "utc" }} }}',
            **{f"a{at}": "string"},
        )
        for at, (predicate, _) in enumerate(PREDICATES)
    ]

    lane.work("\n".join(tasks))

    for at, (predicate, wanted) in enumerate(PREDICATES):
        rows = {
            number
            for (number,) in lane.execute(f"SELECT Id FROM dbo.person WHERE a{at} = N'yes' AND done{at} IS NOT NULL")
        }
        assert wanted == rows, predicate


def test_a_row_that_a_person_holds_is_waited_for(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    """Lock timeout 1222: the whole transaction again, a clear error at last, and no answer lost."""
    lane.execute(TABLE)
    lane.execute("INSERT INTO dbo.person (Id, body) VALUES (1, ?), (2, ?)", said("one"), said("two"))
    task = a_task("people", "person", a="string")
    lane.grant(task)
    lane.say_first("SET LOCK_TIMEOUT 50")
    lane.open(task)
    lane.run(*SENDING)
    with lane.server.connect(autocommit=False) as person:
        person.execute("UPDATE dbo.person SET body = body WHERE Id = 2")
        told = ""
        for _ in range(20):
            lane.run(*CHECKING)
            told += capsys.readouterr().out
            if "batch.put_off" in told:
                break
            # A wait of no time ends with the next millisecond of the database's clock.
            time.sleep(0.002)
        person.execute("ROLLBACK")

    assert "1222 lock wait timeout" in told
    assert [(None,), (None,)] == lane.execute("SELECT a FROM dbo.person ORDER BY Id")
    lane.run_until_quiet()
    assert [("one",), ("two",)] == lane.execute("SELECT a FROM dbo.person WHERE done IS NOT NULL ORDER BY Id")
    assert [1, 1] == sorted(lane.vendor.paid.values())
    assert lane.verify().is_sound


def test_thousands_of_rows_in_one_chunk(lane: Lane) -> None:
    """More keys than a statement takes parameters, with long texts and several columns."""
    lane.execute(
        "CREATE TABLE dbo.many (Id NVARCHAR(20) PRIMARY KEY, body NVARCHAR(MAX), a NVARCHAR(MAX), b INT, c DATETIME, "
        "done DATETIME2)"
    )
    lane.execute(
        "INSERT INTO dbo.many (Id, body) SELECT TOP 2500 CONCAT(N'k', ROW_NUMBER() OVER (ORDER BY (SELECT NULL))), N'' "
        "FROM sys.all_columns AS x CROSS JOIN sys.all_columns AS y"
    )
    lane.reply = lambda _: said("é漢😀" * 100, 5, "2026-02-03")

    lane.work(
        a_task("many", "many", prompt="{{ Id }}", more="batch_size = 5000", a="string", b="integer", c="string"),
        apply_rows=5000,
    )

    assert [(2500,)] == lane.execute("SELECT COUNT(*) FROM dbo.many WHERE done IS NOT NULL AND b = 5 AND LEN(a) >= 300")
    assert {"applied": 2500} == lane.outcomes()
    assert [(1,)] == lane.execute("SELECT COUNT(*) FROM batchd.batchd_batch")


def test_a_megabyte_of_every_plane_goes_in_and_comes_back(lane: Lane) -> None:
    """Long texts of letters beyond the first plane are neither cut nor changed, by any driver."""
    planes = "".join(chr(plane << 16 | 0x1234) for plane in (0, 1, 2, 3, 16))
    text = (planes + "é'\n\t ]") * 70_000
    lane.execute("CREATE TABLE dbo.long (Id INT PRIMARY KEY, body NVARCHAR(MAX), a NVARCHAR(MAX), done DATETIME2)")
    lane.execute("INSERT INTO dbo.long (Id, body) VALUES (1, ?)", said(text))

    lane.work(a_task("long", "long", a="string"))

    ((found,),) = lane.execute("SELECT a FROM dbo.long")
    assert (len(text), True) == (len(found), text == found)
