"""retry, reapply, pause, resume, resolve, cancel: what a person does about it."""

from typing import Annotated

import typer

from batchd.cli.call import Call, call_of, conduct
from batchd.cli.commands.working import BatchArgument
from batchd.cli.completing import batch_uids, task_names
from batchd.cli.options import ConfigOption, DryRunOption, JsonOption, ReasonOption, TaskOption, YesOption
from batchd.errors import UsageError

TaskArgument = Annotated[
    str | None,
    typer.Argument(metavar="TASK", help="The task; or say --task TASK.", autocompletion=task_names),
]
KeysOption = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="KEY", help="Only this row; may be given again. Parts of a key: EU,7."),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this family."""
    app.command("retry")(retry)
    app.command("reapply")(reapply)
    app.command("pause")(pause)
    app.command("resume")(resume)
    app.command("cancel")(cancel)
    app.command("resolve")(resolve)


def retry(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    key: KeysOption = None,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="OUTCOMES", help="Only these outcomes, with commas, such as expired,missing."),
    ] = None,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Make failed and held rows of a task due again. Each may be paid for again."""

    def command(call: Call) -> int:
        from batchd.cli import asking, operating

        wish = asking.wish(reason, dry_run=dry_run, yes=yes)
        return operating.retry(call, operating.Choice(key or [], only), wish)

    conduct(call_of(ctx, config, task, as_json), command)


def reapply(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    key: KeysOption = None,
    batch: Annotated[str | None, typer.Option("--batch", metavar="ID", help="Only rows of this batch.")] = None,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="OUTCOMES", help="Only these outcomes, with commas, such as poison,invalid."),
    ] = None,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
) -> None:
    """Write answers that were paid for and kept, once the column or field is mended. Nothing is paid again."""

    def command(call: Call) -> int:
        from batchd.cli import asking, operating

        wish = asking.wish(reason, dry_run=dry_run)
        return operating.reapply(call, operating.Choice(key or [], only, batch), wish)

    conduct(call_of(ctx, config, task, as_json), command)


def pause(
    ctx: typer.Context,
    *,
    name: TaskArgument = None,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
) -> None:
    """Stop claiming, submitting and applying for a task; polling and collecting go on."""

    def command(call: Call) -> int:
        from batchd.cli import asking, operating

        return operating.pause(call, asking.wish(reason, dry_run=dry_run))

    conduct(call_of(ctx, config, _one_task(name, task), as_json), command)


def resume(
    ctx: typer.Context,
    *,
    name: TaskArgument = None,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
) -> None:
    """Let a paused task go on."""

    def command(call: Call) -> int:
        from batchd.cli import asking, operating

        return operating.resume(call, asking.wish(reason, dry_run=dry_run))

    conduct(call_of(ctx, config, _one_task(name, task), as_json), command)


def cancel(
    ctx: typer.Context,
    *,
    batches: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID",
            help="The vendor's id of a batch, its uid, or its number; several are fine.",
            autocompletion=batch_uids,
        ),
    ] = None,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="End once the vendor was asked; a running batchd does the rest.")
    ] = False,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Cancel batches, or with --task all open ones of a task; what the vendor has finished is still applied."""

    def command(call: Call) -> int:
        from batchd.cli import asking, cancelling

        wish = asking.wish(reason, dry_run=dry_run, yes=yes)
        return cancelling.cancel(call, batches or [], wish, wait=not no_wait)

    conduct(call_of(ctx, config, task, as_json), command)


def resolve(
    ctx: typer.Context,
    *,
    batch: BatchArgument,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    vendor_batch: Annotated[
        str | None,
        typer.Option("--adopt", metavar="VENDOR_ID", help="It was created: this is it at the vendor."),
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--send-again", help="It was not created: delete its file there, and send it anew."),
    ] = False,
    give_up: Annotated[
        bool,
        typer.Option("--give-up", help="End it without results; its rows are due again, and may be paid for again."),
    ] = False,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Let a held batch go on, once a person has looked; or mark as seen what was only reported of a batch or task."""

    def command(call: Call) -> int:
        from batchd.cli import asking, operating

        ways = {"--adopt": vendor_batch is not None, "--send-again": again, "--give-up": give_up}
        chosen = [way for way, meant in ways.items() if meant]
        if len(chosen) > 1:
            raise UsageError(f"{' and '.join(chosen)} exclude each other", next_command=f"batchd show {batch}")
        way = operating.Way(chosen[0] if chosen else "", vendor_batch or "")
        return operating.resolve(call, batch, way, asking.wish(reason, dry_run=dry_run, yes=yes))

    conduct(call_of(ctx, config, task, as_json), command)


def _one_task(name: str | None, option: str | None) -> str | None:
    return name or option
