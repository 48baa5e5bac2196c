"""status, batches, show, failures, verify, runbook, healthcheck: reading the ledger, or asking the daemon."""

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
    app.command("runbook")(runbook)
    app.command("healthcheck")(healthcheck)


def status(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, in place, until Ctrl-C.")] = False,
    every: Annotated[
        str, typer.Option("--every", metavar="DURATION", help="With --watch: the pause in between.")
    ] = "2s",
    count: Annotated[bool, typer.Option("--count", help="Count the backlog now, in the tables.")] = False,
) -> None:
    """Show on one screen whether all is well, what is in flight, when it will be done, what failed, and the cost."""

    def command(call: Call) -> int:
        from batchd.cli import status

        return status.status(call, count=count, every=status.pause_of(every) if watch else None)

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


def runbook(
    ctx: typer.Context,
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="A kind of finding; without one they are listed.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Print what to do about a kind of finding, such as unknown-submit."""

    def command(call: Call) -> int:
        from batchd.cli import runbook

        return runbook.runbook(call, kind)

    conduct(call_of(ctx, as_json=as_json), command)


def healthcheck(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    ready: Annotated[
        bool, typer.Option("--ready", help="Also whether it can do its work: its database answers.")
    ] = False,
) -> None:
    """Ask the daemon on this machine whether it is alive, as a container's health check does."""

    def command(call: Call) -> int:
        from batchd.cli.healthcheck import healthcheck

        return healthcheck(call, ready=ready)

    conduct(call_of(ctx, config, None, as_json), command)
