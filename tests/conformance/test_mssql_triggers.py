"""Tables of SQL Server with triggers, constraints and views: what they refuse is one row's."""

from typing import Any

import pytest

from tests.conformance.mssql_lane import Lane, a_task, said

TABLE = "CREATE TABLE dbo.person (Id INT PRIMARY KEY, body NVARCHAR(MAX), a NVARCHAR(50), done DATETIME2(3))"
TRIGGERS = {
    "counts": "INSERT INTO dbo.log_ (words) SELECT a FROM inserted",
    "prints": "PRINT N'changed'",
    "selects": "SELECT Id, a FROM inserted",
    "all": "PRINT N'one'; SELECT 99 AS n; INSERT INTO dbo.log_ VALUES (N'x'); SELECT Id FROM inserted; PRINT N'two'",
}
# What a trigger does about a row that it does not want.
REFUSALS = {
    "raises": "RAISERROR(N'no such person: %s', 16, 1, N'secret')",
    "rolls_back": "BEGIN ROLLBACK TRANSACTION; END",
    "raises_and_rolls_back": "BEGIN RAISERROR(N'no', 16, 1); ROLLBACK TRANSACTION; END",
    "throws": "BEGIN; THROW 50001, N'no', 1; END",
    "after_a_result": "BEGIN SELECT 1 AS n; PRINT N'x'; RAISERROR(N'no', 16, 1); END",
}


def filled(lane: Lane, rows: int, bad: int = 0) -> None:
    """Rows that answer themselves with their number, one of them with ``bad``."""
    for number in range(1, rows + 1):
        lane.execute(
            "INSERT INTO dbo.person (Id, body) VALUES (?, ?)", number, said("bad" if number == bad else f"n{number}")
        )


def written(lane: Lane) -> list[int]:
    """Numbers of the rows that have their answer and are marked."""
    return [
        number
        for (number,) in lane.execute(
            "SELECT Id FROM dbo.person WHERE done IS NOT NULL AND a = CONCAT(N'n', Id) ORDER BY Id"
        )
    ]


def test_what_triggers_do_beside_is_not_taken_for_the_count(lane: Lane) -> None:
    """Triggers that write, print and select: each row is written once, and its batch is closed."""
    tasks = []
    for name, does in TRIGGERS.items():
        lane.execute("IF OBJECT_ID(N'dbo.log_') IS NULL CREATE TABLE dbo.log_ (words NVARCHAR(50))")
        lane.execute(TABLE.replace("person", f"person_{name}"))
        lane.execute(f"CREATE TRIGGER dbo.tr_{name} ON dbo.person_{name} AFTER UPDATE AS BEGIN {does} END")
        lane.execute(
            f"INSERT INTO dbo.person_{name} (Id, body) VALUES (1, ?), (2, ?), (3, ?)",
            *(said(f"n{at}") for at in (1, 2, 3)),
        )
        tasks.append(a_task(name, f"person_{name}", a="string"))
    lane.execute(f"GRANT INSERT ON dbo.log_ TO {lane.server.login}")

    lane.work("\n".join(tasks))

    for name in TRIGGERS:
        assert [("n1",), ("n2",), ("n3",)] == lane.execute(
            f"SELECT a FROM dbo.person_{name} WHERE done IS NOT NULL ORDER BY Id"
        ), name
    assert {"applied": 3 * len(TRIGGERS)} == lane.outcomes()
    assert lane.verify().is_sound


@pytest.mark.parametrize("how", REFUSALS)
def test_a_row_that_a_trigger_refuses_is_found_and_the_others_are_written(lane: Lane, how: str) -> None:
    """However the trigger refuses it, and whatever it said before: one poison row, and no word of it told."""
    lane.execute(TABLE)
    lane.execute(
        "CREATE TRIGGER dbo.tr_no ON dbo.person AFTER UPDATE AS BEGIN "
        f"IF EXISTS (SELECT 1 FROM inserted WHERE a = N'bad') {REFUSALS[how]}; END"
    )
    filled(lane, 9, bad=4)

    lane.work(a_task("people", "person", a="string"))

    assert [1, 2, 3, 5, 6, 7, 8, 9] == written(lane)
    assert [(None, None)] == lane.execute("SELECT a, done FROM dbo.person WHERE Id = 4")
    assert {"applied": 8, "poison": 1} == lane.outcomes()
    ((_, _, sentence),) = lane.reasons()
    assert "secret" not in sentence
    assert lane.verify().is_sound


def test_a_row_that_a_constraint_refuses_is_found_and_the_others_are_written(lane: Lane) -> None:
    """CHECK, FOREIGN KEY, UNIQUE, numbers out of range: poison, alone."""
    shapes: dict[str, tuple[str, list[Any], str]] = {
        "check": ("a NVARCHAR(50) CHECK (a <> N'bad')", ["ok", "bad", "fine"], "string"),
        "foreign_key": ("a NVARCHAR(50) REFERENCES dbo.allowed (a)", ["ok", "bad", "fine"], "string"),
        "unique": ("a NVARCHAR(50)", ["ok", "taken", "fine"], "string"),
        "tinyint": ("a TINYINT", [1, 256, 2], "integer"),
        "smallint": ("a SMALLINT", [1, 40000, 2], "integer"),
        "int": ("a INT", [1, 2**31, 2], "integer"),
        "smallmoney": ("a SMALLMONEY", [1.5, 1e9, 2.5], "number"),
        "decimals": ("a DECIMAL(4, 1)", [1.5, 12345.5, 2.5], "number"),
        "real": ("a REAL", [1.5, 1e300, 2.5], "number"),
        "smalldatetime": ("a SMALLDATETIME", ["2026-02-03", "2099-01-01", "2026-02-04"], "string"),
        "datetime": ("a DATETIME", ["2026-02-03", "1700-01-01", "2026-02-04"], "string"),
        "xml": ("a XML", ["<a/>", "<a>", "<b/>"], "string"),
    }
    if lane.server.is_stand_in:
        # It takes any text for XML.
        del shapes["xml"]
    lane.execute("CREATE TABLE dbo.allowed (a NVARCHAR(50) PRIMARY KEY)")
    lane.execute("INSERT INTO dbo.allowed (a) VALUES (N'ok'), (N'fine')")
    for name, (column, values, _) in shapes.items():
        lane.execute(f"CREATE TABLE dbo.c_{name} (Id INT PRIMARY KEY, body NVARCHAR(MAX), {column}, done DATETIME2)")
        for number, value in enumerate(values, 1):
            lane.execute(f"INSERT INTO dbo.c_{name} (Id, body) VALUES (?, ?)", number, said(value))
    lane.execute("CREATE UNIQUE INDEX ux ON dbo.c_unique (a) WHERE a IS NOT NULL")
    lane.execute("INSERT INTO dbo.c_unique (Id, a, done) VALUES (9, N'taken', SYSUTCDATETIME())")
    if lane.server.is_stand_in:
        lane.execute(f"GRANT SELECT, UPDATE ON dbo.allowed TO {lane.server.login}")

    lane.work("\n".join(a_task(name, f"c_{name}", a=kind) for name, (_, _, kind) in shapes.items()))

    found = dict(
        lane.execute(
            "SELECT t.name, COUNT(*) FROM batchd.batchd_request r JOIN batchd.batchd_batch b ON b.id = r.batch_id "
            "JOIN batchd.batchd_task t ON t.id = b.task_id WHERE r.outcome = N'applied' GROUP BY t.name"
        )
    )
    assert dict.fromkeys(shapes, 2) == found
    assert {"applied": 2 * len(shapes), "poison": len(shapes)} == lane.outcomes()
    for name in shapes:
        assert [(1,), (3,)] == lane.execute(
            f"SELECT Id FROM dbo.c_{name} WHERE done IS NOT NULL AND body IS NOT NULL ORDER BY Id"
        ), name
    assert lane.verify().is_sound


def test_views_are_worked_on_where_the_database_lets_them_be_written(lane: Lane) -> None:
    """An updatable view is as good as a table."""
    lane.execute("CREATE TABLE dbo.base (id INT PRIMARY KEY, body NVARCHAR(MAX), a NVARCHAR(50), done DATETIME2)")
    lane.execute("INSERT INTO dbo.base (id, body) VALUES (1, ?), (2, ?)", said("n1"), said("n2"))
    lane.execute("CREATE VIEW dbo.plain AS SELECT id, body, a, done FROM dbo.base WHERE id > 0")

    lane.work(a_task("plain", "plain", key=("id",), a="string"))

    assert [("n1",), ("n2",)] == lane.execute("SELECT a FROM dbo.base WHERE done IS NOT NULL ORDER BY id")
    assert {"applied": 2} == lane.outcomes()


def test_what_cannot_be_written_is_told_before_anything_is_paid(lane: Lane) -> None:
    """Computed columns, identities, rowversions, and a view that adds rows up: check-config refuses them."""
    lane.execute(
        "CREATE TABLE dbo.fixed (Id INT PRIMARY KEY, body NVARCHAR(MAX), n INT IDENTITY, c AS (Id + 1), rv ROWVERSION, "
        "a NVARCHAR(50), done DATETIME2)"
    )
    lane.execute(
        "CREATE VIEW dbo.joined AS SELECT f.Id, f.body, COUNT(*) AS a, MAX(f.done) AS done "
        "FROM dbo.fixed AS f GROUP BY f.Id, f.body"
    )

    for column, task in {
        "n": a_task("identity", "fixed", n="integer"),
        "c": a_task("computed", "fixed", c="integer"),
        "rv": a_task("version", "fixed", rv="string"),
        "a": a_task("joined", "joined", a="integer"),
    }.items():
        sentences = [one.sentence for one in lane.check(task).problems]
        assert any("write" in one and f" {column} of table" in one for one in sentences), sentences
    assert not lane.check(a_task("plain", "fixed", a="string")).problems
