"""init, check-config, doctor, notify-test, config-schema, db, sandbox, demo: setting up and trying out."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from batchd.cli.call import Call, call_of, conduct
from batchd.cli.completing import task_names
from batchd.cli.options import ConfigOption, JsonOption, TaskOption

database = typer.Typer(
    help="The ledger's own tables.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Adds the commands of this family."""
    app.command("init")(init)
    app.command("check-config")(check_config)
    app.command("doctor")(doctor)
    app.command("notify-test")(notify_test)
    app.command("config-schema")(config_schema)
    app.command("sandbox")(sandbox)
    app.command("demo")(demo)
    database.command("upgrade")(db_upgrade)
    database.command("adopt")(db_adopt)
    database.command("grants")(db_grants)
    app.add_typer(database, name="db")


def init(
    ctx: typer.Context,
    *,
    url: Annotated[
        str,
        typer.Option("--url", metavar="URL", help="The database, such as sqlite:///candidates.db."),
    ],
    table: Annotated[str, typer.Option("--table", metavar="TABLE", help="The table whose rows are to be done.")],
    schema: Annotated[str | None, typer.Option("--schema", metavar="SCHEMA", help="The table's schema.")] = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="COLUMN", help="Key column, else the primary key; may be given again."),
    ] = None,
    password_env: Annotated[
        str | None,
        typer.Option("--password-env", metavar="NAME", help="Environment variable that holds the login's password."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")] = Path("config.toml"),
    as_json: JsonOption = False,
) -> None:
    """Look at a table and write a commented config for it. Never overwrites a file."""

    def command(call: Call) -> int:
        from batchd.app.init_config import Wish
        from batchd.cli import setting_up

        return setting_up.init(call, Wish(url, table, schema, tuple(key or ()), password_env), out)

    conduct(call_of(ctx, as_json=as_json), command)


def check_config(
    ctx: typer.Context, *, config: ConfigOption = None, task: TaskOption = None, as_json: JsonOption = False
) -> None:
    """Check config, database and tables, and render one prompt. Sends nothing."""

    def command(call: Call) -> int:
        from batchd.cli import setting_up

        return setting_up.check(call)

    conduct(call_of(ctx, config, task, as_json), command)


def doctor(
    ctx: typer.Context, *, config: ConfigOption = None, task: TaskOption = None, as_json: JsonOption = False
) -> None:
    """Look at everything batchd stands on: database, rights, clock, disk, vendor, service. Changes nothing."""

    def command(call: Call) -> int:
        from batchd.cli import doctoring

        return doctoring.doctor(call)

    conduct(call_of(ctx, config, task, as_json), command)


def notify_test(ctx: typer.Context, *, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Tell people that nothing is wrong, by each way of the config, to see whether they hear it."""

    def command(call: Call) -> int:
        from batchd.cli import telling

        return telling.notify_test(call)

    conduct(call_of(ctx, config, None, as_json), command)


def config_schema(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Print the JSON Schema of the config file, for editors."""

    def command(_: Call) -> int:
        from batchd.cli import setting_up

        return setting_up.config_schema()

    conduct(call_of(ctx, as_json=as_json), command)


def sandbox(
    ctx: typer.Context,
    *,
    state: Annotated[Path, typer.Option("--state", metavar="FILE", help="Where it keeps everything.")] = Path(
        "sandbox.db"
    ),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="N", help="0: any free port.")] = 0,
    batch_duration: Annotated[
        str, typer.Option("--batch-duration", metavar="DURATION", help="How long a batch takes.")
    ] = "5s",
    api_key: Annotated[
        str, typer.Option("--api-key", metavar="KEY", help="The key that callers must send.")
    ] = "sandbox-key",
    upstream: Annotated[
        str | None,
        typer.Option("--upstream", metavar="URL", help="OpenAI-compatible server that answers each line."),
    ] = None,
    upstream_key_env: Annotated[
        str | None,
        typer.Option("--upstream-key-env", metavar="NAME", help="Environment variable that holds its key."),
    ] = None,
    faults: Annotated[
        Path | None, typer.Option("--faults", metavar="FILE", help="JSON file of faults to play.")
    ] = None,
    flavour: Annotated[
        Literal["openai", "azure"], typer.Option("--flavour", help="Whose Batch API it imitates.")
    ] = "openai",
    as_json: JsonOption = False,
) -> None:
    """Run the local vendor in the foreground, on a port of its own, until Ctrl-C."""

    def command(call: Call) -> int:
        from batchd.cli import sandbox_server

        return sandbox_server.serve(
            call,
            state=state,
            port=port,
            batch_duration=batch_duration,
            api_key=api_key,
            upstream=upstream,
            upstream_key_env=upstream_key_env,
            faults=faults,
            flavour=flavour,
        )

    conduct(call_of(ctx, as_json=as_json), command)


def demo(
    ctx: typer.Context,
    *,
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where everything of the demo is kept.")
    ] = Path("demo"),
    reset: Annotated[bool, typer.Option("--reset", help="Start over, also where you changed something.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fill a table of made-up résumés by way of the local vendor: no key, no network."""

    def command(call: Call) -> int:
        from batchd.cli.demo import run_demo

        return run_demo(folder, reset=reset, as_json=call.as_json)

    conduct(call_of(ctx, as_json=as_json), command)


def db_upgrade(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    only_sql: Annotated[
        bool, typer.Option("--sql", help="Print the SQL for a DBA to read and run; touch nothing.")
    ] = False,
) -> None:
    """Create the ledger's tables, or bring them up to date."""

    def command(call: Call) -> int:
        from batchd.cli import database

        return database.upgrade(call, only_sql=only_sql)

    conduct(call_of(ctx, config, None, as_json), command)


def db_adopt(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    moved: Annotated[bool, typer.Option("--moved", help="The database moved; its old place is gone.")] = False,
    copied: Annotated[bool, typer.Option("--copied", help="This is a copy; the original lives on.")] = False,
) -> None:
    """Say where the ledger belongs, after its database was moved or copied."""

    def command(call: Call) -> int:
        from batchd.cli import database

        return database.adopt(call, moved=moved, copied=copied)

    conduct(call_of(ctx, config, None, as_json), command)


def db_grants(
    ctx: typer.Context,
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="The task, as the config names it.", autocompletion=task_names)
    ],
    *,
    role: Annotated[
        str, typer.Option("--role", metavar="NAME", help="Who gets the rights: a role or a user of the database.")
    ] = "batchd_runtime",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the rights that a task needs, as GRANT statements for a DBA. Runs none."""

    def command(call: Call) -> int:
        from batchd.cli.grants import grants

        return grants(call, task, role=role)

    conduct(call_of(ctx, config, None, as_json), command)
