"""submit, check, run: the work itself."""

from typing import Annotated

import typer

from batchd.cli.call import Call, call_of, conduct
from batchd.cli.completing import batch_uids
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

BatchArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="The vendor's id of the batch, its uid, or its number.", autocompletion=batch_uids
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this family."""
    app.command("submit")(submit)
    app.command("check")(check)
    app.command("run")(run)


def submit(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    batch_size: BatchSizeOption = None,
) -> None:
    """Build batches from the rows that are due, and send them. One pass."""

    def command(call: Call) -> int:
        from batchd.cli import sending

        return sending.submit(call, batch_size)

    conduct(call_of(ctx, config, task, as_json, verbose), command)


def check(
    ctx: typer.Context,
    *,
    batch: BatchArgument,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Ask about one batch, and apply its results if it has ended."""

    def command(call: Call) -> int:
        from batchd.cli import checking

        return checking.check(call, batch)

    conduct(call_of(ctx, config, task, as_json, verbose), command)


def run(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    until_idle: UntilIdleOption = False,
    num_batches: NumBatchesOption = None,
    batch_size: BatchSizeOption = None,
    check_interval: CheckIntervalOption = None,
) -> None:
    """Keep going: claim, submit, poll, collect, apply. SIGTERM and Ctrl-C finish the unit in hand."""

    def command(call: Call) -> int:
        from batchd.cli import running

        return running.run(call, running.RunOptions(until_idle, num_batches, batch_size, check_interval))

    conduct(call_of(ctx, config, task, as_json, verbose), command)
