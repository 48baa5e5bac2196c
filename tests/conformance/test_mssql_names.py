"""Names of SQL Server: schemas, reserved words, and characters that mean something in SQL, in URLs or to a driver."""

from tests.conformance.mssql_lane import Lane, a_task, said

# (schema, table, key, written), as CREATE TABLE takes them.
PLACES = {
    "reserved": ("user", "select", "order", "group"),
    "odd": ("My S.x:?%'y", "ta.b l:e?%x'y", "i d?:%s", "wr:i%t.t'en?"),
    "brackets": ("s]x[y", "ta]b]", "i]d", 'wr]"it[ten'),
    "mixed": ("Sales", "CamelCase", "UserId", "FullName"),
    "letters": ("продажи", "注文 表", "Schlüssel", "größe ß"),
    "spaces": ("sales dept", "2024", "@k #y", "1"),
    # What batchd's own statements call things.
    "own": ("batchd own", "batchd out-put", "batchd key", "batchd.done"),
    "aliases": ("dbo", "s", "t", "nulls"),
}


def quoted(name: str) -> str:
    """A name in double quotes, which every server that speaks T-SQL reads, brackets or not."""
    return '"' + name.replace('"', '""') + '"'


def test_names_of_any_characters(lane: Lane) -> None:
    """What SQL Server takes as a name works in a config: schema, table, key and written column."""
    tasks = []
    for task, (schema, table, key, written) in PLACES.items():
        if lane.execute("SELECT SCHEMA_ID(?)", schema)[0][0] is None:
            lane.execute(f"CREATE SCHEMA {quoted(schema)}")
        place = f"{quoted(schema)}.{quoted(table)}"
        lane.execute(
            f"CREATE TABLE {place} ({quoted(key)} INT NOT NULL PRIMARY KEY, [Bo dy?] NVARCHAR(MAX), "
            f"{quoted(written)} NVARCHAR(50), [Done:At] DATETIME2(3))"
        )
        lane.execute(
            f"INSERT INTO {place} ({quoted(key)}, [Bo dy?]) VALUES (7, ?), (8, ?)", said(task), said(f"{task} 8")
        )
        tasks.append(
            a_task(
                task,
                table,
                schema=schema,
                key=(key,),
                pending="[Done:At] IS NULL",
                prompt='{{ row["Bo dy?"] }}',
                on_success='{ "Done:At" = { now = "utc" } }',
                **{written: "string"},
            )
        )

    lane.work("\n".join(tasks))

    for task, (schema, table, key, written) in PLACES.items():
        found = lane.execute(
            f"SELECT {quoted(key)}, {quoted(written)} FROM {quoted(schema)}.{quoted(table)} "
            "WHERE [Done:At] IS NOT NULL ORDER BY 1"
        )
        assert [(7, task), (8, f"{task} 8")] == found
    assert {"applied": 2 * len(PLACES)} == lane.outcomes()


def test_a_table_of_the_same_name_in_another_schema_is_left_alone(lane: Lane) -> None:
    """The schema of the config decides, also where the login's own schema has such a table."""
    if lane.execute("SELECT SCHEMA_ID(N'Sales')")[0][0] is None:
        lane.execute("CREATE SCHEMA Sales")
    for schema in ("dbo", "Sales"):
        lane.execute(
            f"CREATE TABLE {schema}.person (Id INT PRIMARY KEY, body NVARCHAR(MAX), a NVARCHAR(50), done DATETIME2)"
        )
        lane.execute(f"INSERT INTO {schema}.person (Id, body) VALUES (1, ?)", said(schema))

    lane.work(a_task("sales", "person", schema="Sales", a="string"))

    assert [("Sales",)] == lane.execute("SELECT a FROM Sales.person")
    assert [(None,)] == lane.execute("SELECT a FROM dbo.person")


def test_a_column_in_other_letters_is_told_with_the_tables_own(lane: Lane) -> None:
    """Names are written as the table has them, though the database compares them without case."""
    lane.execute(
        "CREATE TABLE dbo.person (Id INT PRIMARY KEY, Body NVARCHAR(MAX), LastProcessed DATETIME2, a NVARCHAR(50))"
    )

    report = lane.check(
        a_task(
            "t",
            "person",
            pending="LastProcessed IS NULL",
            on_success='{ lastprocessed = { now = "utc" } }',
            prompt="{{ Body }}",
            a="string",
        )
    )

    assert any("did you mean 'LastProcessed'?" in one.sentence for one in report.problems), report.problems
