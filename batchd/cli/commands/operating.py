"""retry, reapply, pause, resume, resolve, cancel: what a person does about it."""

from typing import Annotated

import typer

from batchd.cli.call import Call, call_of, conduct
from batchd.cli.commands.working import BatchArgument
from batchd.cli.options import ConfigOption, JsonOption, TaskOption
from batchd.errors import UsageError

TaskArgument = Annotated[str | None, typer.Argument(metavar="TASK", help="The task; or say --task TASK.")]
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
) -> None:
    """Make failed and held rows of a task due again. Each may be paid for again."""

    def command(call: Call) -> int:
        from batchd.cli import operating

        return operating.retry(call, key or [])

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
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for those who look later.")
    ] = "reapplied by a person",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Try each write and take it back; tell what would be written.")
    ] = False,
) -> None:
    """Write answers that were paid for and kept, once the column or field is mended. Nothing is paid again."""

    def command(call: Call) -> int:
        from batchd.cli import operating

        return operating.reapply(call, operating.ReapplyOptions(key or [], batch, only, reason, dry_run))

    conduct(call_of(ctx, config, task, as_json), command)


def pause(
    ctx: typer.Context,
    *,
    name: TaskArgument = None,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for those who look later.")
    ] = "paused by a person",
) -> None:
    """Stop claiming, submitting and applying for a task; polling and collecting go on."""

    def command(call: Call) -> int:
        from batchd.cli import operating

        return operating.pause(call, reason)

    conduct(call_of(ctx, config, _one_task(name, task), as_json), command)


def resume(
    ctx: typer.Context,
    *,
    name: TaskArgument = None,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a paused task go on."""

    def command(call: Call) -> int:
        from batchd.cli import operating

        return operating.resume(call)

    conduct(call_of(ctx, config, _one_task(name, task), as_json), command)


def cancel(
    ctx: typer.Context,
    *,
    batch: BatchArgument,
    config: ConfigOption = None,
    task: TaskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a batch; what the vendor has finished is still applied."""

    def command(call: Call) -> int:
        from batchd.cli import operating

        return operating.cancel(call, batch)

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
) -> None:
    """Let a held batch go on, once a person has looked; or mark as seen what was only reported of a batch or task."""

    def command(call: Call) -> int:
        from batchd.cli import operating

        ways = {"--adopt": vendor_batch is not None, "--send-again": again, "--give-up": give_up}
        chosen = [way for way, meant in ways.items() if meant]
        if len(chosen) > 1:
            raise UsageError(f"{' and '.join(chosen)} exclude each other", next_command=f"batchd show {batch}")
        return operating.resolve(call, batch, chosen[0] if chosen else "", vendor_batch)

    conduct(call_of(ctx, config, task, as_json), command)


def _one_task(name: str | None, option: str | None) -> str | None:
    return name or option
