"""``batchd retry``, ``reapply``, ``pause``, ``resume``, ``cancel``, ``resolve``: operations, told in a sentence."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass

from batchd import operations
from batchd.app.resolve import resolve_task
from batchd.app.workplace import workplace
from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.lines import say
from batchd.cli.out import print_json
from batchd.cli.place import Desk, opened_ledger, workplace_for
from batchd.cli.progress import TerminalProgress
from batchd.core.outcomes import REAPPLICABLE, Outcome
from batchd.errors import UsageError
from batchd.operations import Done, Reapplied, ReapplyOrder


@dataclass(frozen=True, slots=True)
class ReapplyOptions:
    """Which kept answers are to be written, as it was typed."""

    keys: Sequence[str]
    batch: str | None
    only: str | None
    reason: str
    dry_run: bool


def retry(call: Call, keys: Sequence[str]) -> int:
    """Makes rows that failed or are held due again."""
    with opened_ledger(call) as desk:
        task = _only_task(call, desk)
        definition = resolve_task(desk.config, desk.database, task).definition
        done = operations.retry(desk.store, task, definition, keys)
    return _tell(call, done)


def reapply(call: Call, options: ReapplyOptions) -> int:
    """Writes answers that were paid for and kept."""
    order = ReapplyOrder(
        options.keys,
        options.batch,
        _outcomes(options.only),
        f"{options.reason} (asked for by {_user()})",
        options.dry_run,
    )
    with opened_ledger(call) as desk, TerminalProgress(shown=call.is_watched) as progress:
        task = _only_task(call, desk)
        definition = resolve_task(desk.config, desk.database, task).definition
        # No vendor is asked for anything, so none is connected.
        place = workplace(desk.config, desk.store, {}, {}, progress)
        done, told = operations.reapply(place, task, definition, order)
    causes = {exit_codes.LEASE} if told.busy else set()
    code = exit_codes.exit_code(causes | ({exit_codes.ROWS_LEFT} if told.waits else set()))
    _tell_reapplied(call, done, told, options, code)
    return code


def pause(call: Call, reason: str) -> int:
    """Stops a task."""
    with opened_ledger(call) as desk:
        done = operations.pause(desk.store, _only_task(call, desk), reason)
    return _tell(call, done)


def resume(call: Call) -> int:
    """Lets a task go on."""
    with opened_ledger(call) as desk:
        done = operations.resume(desk.store, _only_task(call, desk), "resumed by a person")
    return _tell(call, done)


def cancel(call: Call, reference: str) -> int:
    """Cancels a batch."""
    with opened_ledger(call) as desk, workplace_for(call, desk, _account_of(desk, reference)) as place:
        done = operations.cancel(place, reference)
    return _tell(call, done)


def resolve(call: Call, reference: str, way: str, vendor_batch: str | None) -> int:
    """Lets a held batch go on or ends it, in the ``way`` that a person chose."""
    with opened_ledger(call) as desk, workplace_for(call, desk, _account_of(desk, reference)) as place:
        match way:
            case "--adopt":
                done = operations.adopt(place, reference, vendor_batch or "")
            case "--send-again":
                done = operations.send_again(place, reference)
            case "--give-up":
                done = operations.abandon(place, reference)
            case _:
                done = operations.resolve(place, reference)
    return _tell(call, done)


def _only_task(call: Call, desk: Desk) -> str:
    """The task that was named, or the only one there is."""
    if call.task is not None:
        return call.task
    names = list(desk.config.tasks)
    if len(names) == 1:
        return names[0]
    raise UsageError("say which task is meant", next_command=f"--task with one of: {', '.join(names)}")


def _account_of(desk: Desk, reference: str) -> str | None:
    batch = desk.store.read(lambda ledger: ledger.batches.find(reference))
    return batch.account if batch else None


def _outcomes(text: str | None) -> tuple[Outcome, ...]:
    if text is None:
        return REAPPLICABLE
    names = [name.strip() for name in text.split(",")]
    known = {one.value for one in Outcome}
    for name in names:
        if name not in known:
            choices = ", ".join(one.value for one in REAPPLICABLE)
            raise UsageError(f"--only: there is no outcome {name!r}", next_command=f"some of: {choices}")
    return tuple(Outcome(name) for name in names)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return "an unnamed user"


def _tell_reapplied(call: Call, done: Done, told: Reapplied, options: ReapplyOptions, code: int) -> None:
    if call.as_json:
        counts = {"written": told.written, "left": dict(told.left), "dry_run": options.dry_run, "exit_code": code}
        print_json({"done": done.sentence, "number": done.number, **counts})
    else:
        _tell(call, done)


def _tell(call: Call, done: Done) -> int:
    if call.as_json:
        print_json({"done": done.sentence, "number": done.number})
    else:
        say(f"{done.sentence[0].upper()}{done.sentence[1:]}.")
    return exit_codes.DONE
