"""status, batches, show, failures, verify: reading the ledger."""

from typing import Annotated

import typer

from batchd.cli.call import Call, call_of, conduct
from batchd.cli.commands.working import BatchArgument
from batchd.cli.options import ConfigOption, JsonOption, TaskOption


def register(app: typer.Typer) -> None:
    """Adds the commands of this family."""
    app.command("status")(status)
    app.command("batches")(batches)
    app.command("show")(show)
    app.command("failures")(failures)
    app.command("verify")(verify)


def status(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds, until Ctrl-C.")] = False,
    count: Annotated[bool, typer.Option("--count", help="Count the backlog now, in the tables.")] = False,
) -> None:
    """Show what is going on: backlog, rows in flight, failures, cost, and what needs a person."""

    def command(call: Call) -> int:
        from batchd.cli import status

        return status.status(call, watch=watch, count=count)

    conduct(call_of(ctx, config, task, as_json), command)


def batches(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that have not ended.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="How many at most.")] = 50,
) -> None:
    """List batches, newest first."""

    def command(call: Call) -> int:
        from batchd.cli import looking

        return looking.batches(call, only_open=only_open, limit=limit)

    conduct(call_of(ctx, config, task, as_json), command)


def show(
    ctx: typer.Context,
    *,
    batch: BatchArgument,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one batch: its counts and its timeline."""

    def command(call: Call) -> int:
        from batchd.cli import looking

        return looking.show(call, batch)

    conduct(call_of(ctx, config, task, as_json), command)


def failures(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="How many at most.")] = 1000,
) -> None:
    """List the rows that need a person, and what to do about each."""

    def command(call: Call) -> int:
        from batchd.cli import looking

        return looking.failures(call, limit=limit)

    conduct(call_of(ctx, config, task, as_json), command)


def verify(
    ctx: typer.Context, *, config: ConfigOption = None, task: TaskOption = None, as_json: JsonOption = False
) -> None:
    """Prove the promises from ledger, spool and vendor; changes nothing."""

    def command(call: Call) -> int:
        from batchd.cli import verifying

        return verifying.verify(call)

    conduct(call_of(ctx, config, task, as_json), command)
