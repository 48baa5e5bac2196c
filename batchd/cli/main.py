"""``batchd``: commands, and the flag forms of the three that scripts use most."""

import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from batchd.cli import exit_codes
from batchd.cli.call import Call, call_of, report
from batchd.cli.commands import looking, operating, setting_up, working
from batchd.cli.crash import tell_crashes
from batchd.cli.options import (
    BatchSizeOption,
    CheckIntervalOption,
    ConfigOption,
    JsonOption,
    NumBatchesOption,
    TaskOption,
    UntilIdleOption,
    VerboseOption,
)
from batchd.cli.streams import open_closed_streams
from batchd.errors import UsageError

app = typer.Typer(
    name="batchd",
    # Rich help costs a quarter of a second of imports; plain help says the same.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for family in (working, looking, operating, setting_up):
    family.register(app)


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    submit: Annotated[bool, typer.Option("--submit", help="The same as: batchd submit.")] = False,
    check_batch: Annotated[
        str | None, typer.Option("--check-batch", metavar="ID", help="The same as: batchd check ID.")
    ] = None,
    continuous: Annotated[bool, typer.Option("--continuous", help="The same as: batchd run.")] = False,
    batch_size: BatchSizeOption = None,
    num_batches: NumBatchesOption = None,
    check_interval: CheckIntervalOption = None,
    until_idle: UntilIdleOption = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the versions of batchd and of its ledger, and end.")
    ] = False,
) -> None:
    """Turns SQL tables into finished LLM work through a vendor's 24-hour Batch API.

    Start with: batchd init, batchd db upgrade, batchd check-config, batchd submit.
    """
    if version:
        from batchd.cli.version import say_version

        say_version(as_json=as_json)
        raise typer.Exit
    ctx.obj = Call(config, task, as_json, verbose)
    bounds = {"--num-batches": num_batches, "--check-interval": check_interval, "--until-idle": until_idle}
    flags = [name for name, value in bounds.items() if value]
    flags += ["--batch-size"] if batch_size is not None else []
    asked = [("--submit", submit), ("--check-batch", check_batch is not None), ("--continuous", continuous)]
    forms = [name for name, given in asked if given]
    _check_forms(ctx, forms, flags)
    if submit:
        working.submit(ctx, batch_size=batch_size)
    elif check_batch is not None:
        working.check(ctx, batch=check_batch)
    elif continuous:
        working.run(
            ctx,
            until_idle=until_idle,
            num_batches=num_batches,
            batch_size=batch_size,
            check_interval=check_interval,
        )
    elif ctx.invoked_subcommand is None and as_json:
        _refuse(ctx, "no command is named", "batchd --help")
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit(exit_codes.USAGE)


def main() -> None:
    """The console script."""
    open_closed_streams()
    tell_crashes()
    if "--json" not in sys.argv:
        sys.exit(app(prog_name="batchd"))
    try:
        sys.exit(app(prog_name="batchd", standalone_mode=False))
    except TyperException as error:
        # Typer itself would say it in words only; a program that reads stdout waits for a document.
        report(UsageError(error.format_message(), next_command="batchd --help"), as_json=True)
        sys.exit(exit_codes.USAGE)


def _check_forms(ctx: typer.Context, forms: list[str], flags: list[str]) -> None:
    """One command at a time, and no option that the command would ignore."""
    command = [f"the command {ctx.invoked_subcommand}"] if ctx.invoked_subcommand else []
    if len(forms + command) > 1:
        _refuse(ctx, f"{' and '.join(forms + command)} can't be asked for together", "choose one of them")
    allowed = {
        "--submit": {"--batch-size"},
        "--continuous": {"--batch-size", "--num-batches", "--check-interval", "--until-idle"},
    }.get(forms[0] if forms else "", set())
    ignored = [flag for flag in flags if flag not in allowed]
    if ignored:
        _refuse(
            ctx,
            f"{ignored[0]} means nothing here",
            "write it behind the command it belongs to: batchd submit --help, batchd run --help",
        )


def _refuse(ctx: typer.Context, sentence: str, next_command: str) -> None:
    call = call_of(ctx)
    report(UsageError(sentence, next_command=next_command), as_json=call.as_json)
    raise typer.Exit(exit_codes.USAGE)
