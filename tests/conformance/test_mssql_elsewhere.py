"""Answers that go to another table of SQL Server, added or filled by the runtime login."""

from tests.conformance.mssql_lane import Lane, a_task, said

WRITE = '[tasks.people.write]\ntable = "{table}"\nschema = "dbo"\nmode = "{mode}"\nkey = ["PersonId"]'
SOURCE = "CREATE TABLE dbo.Person (Id INT PRIMARY KEY, Body NVARCHAR(MAX))"


def the_task(table: str, mode: str, undone: str) -> str:
    """Asks about each person, and writes to the other table."""
    task = a_task(
        "people",
        "Person",
        pending=undone,
        prompt="{{ Body }}",
        on_success='{ DoneAt = { now = "utc" } }',
        Answer="string",
    )
    return f"{task}\n{WRITE.format(table=table, mode=mode)}"


def given(lane: Lane, rows: int) -> None:
    """So many persons."""
    lane.execute(SOURCE)
    for number in range(1, rows + 1):
        lane.execute("INSERT INTO dbo.Person (Id, Body) VALUES (?, ?)", number, said(f"n{number}"))


def test_rows_are_added_to_a_table_that_fills_the_rest_itself(lane: Lane) -> None:
    """IDENTITY, defaults, computed columns and ROWVERSION need nothing of the answer; what is there is left alone."""
    given(lane, 3)
    lane.execute(
        "CREATE TABLE dbo.Result (RowNo INT IDENTITY PRIMARY KEY, PersonId INT NOT NULL UNIQUE, Answer NVARCHAR(50), "
        "DoneAt DATETIME2 NOT NULL, Made DATETIME NOT NULL DEFAULT GETDATE(), Twice AS (PersonId * 2), Rv ROWVERSION)"
    )
    lane.execute("INSERT INTO dbo.Result (PersonId, Answer, DoneAt) VALUES (2, N'own', SYSUTCDATETIME())")

    task = the_task("Result", "insert", "NOT EXISTS (SELECT 1 FROM dbo.Result AS r WHERE r.PersonId = Person.Id)")

    lane.work(task)

    assert [(1, "n1", 2), (2, "own", 4), (3, "n3", 6)] == lane.execute(
        "SELECT PersonId, Answer, Twice FROM dbo.Result WHERE Made IS NOT NULL ORDER BY PersonId"
    )
    assert {"applied": 2} == lane.outcomes()
    # Whose rights to read end with the key.
    assert [] == lane.check(task, as_owner=False).problems
    assert lane.verify().is_sound


def test_a_column_that_the_answer_leaves_out_is_named_as_it_was_made(lane: Lane) -> None:
    """A row that lacks what must not be NULL is told of before anything is paid; what is written is not missed."""
    given(lane, 1)
    lane.execute(
        "CREATE TABLE dbo.Result (PersonId INT PRIMARY KEY, Answer NVARCHAR(50) NOT NULL, DoneAt DATETIME2 NOT NULL, "
        "MustBe INT NOT NULL, MayBe INT)"
    )

    report = lane.check(the_task("Result", "insert", "1 = 1"))

    (problem,) = report.problems
    assert "a row of table 'Result' needs MustBe too, which the task does not write" in problem.sentence


def test_the_runtime_login_sees_what_keeps_keys_unique(lane: Lane) -> None:
    """With rights on columns only; otherwise it could not add a row, nor say that a key is safe."""
    given(lane, 1)
    lane.execute(
        "CREATE TABLE dbo.Result (Id INT IDENTITY, PersonId INT NOT NULL, Answer NVARCHAR(50), DoneAt DATETIME2, "
        "CONSTRAINT PK_Result PRIMARY KEY (Id), CONSTRAINT UQ_Result UNIQUE (PersonId))"
    )
    lane.execute("INSERT INTO dbo.Result (PersonId) VALUES (1)")
    task = the_task("Result", "update", "Id IN (SELECT PersonId FROM dbo.Result WHERE DoneAt IS NULL)")
    lane.grant(task)

    report = lane.check(task, as_owner=False)

    assert [] == [one.sentence for one in report.remarks if one.level != "ok"]
