"""``batchd retry``, ``pause``, ``resume``, ``cancel``, ``resolve``: operations, told in a sentence."""

from collections.abc import Sequence

from batchd import operations
from batchd.app.resolve import resolve_task
from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.lines import say
from batchd.cli.out import print_json
from batchd.cli.place import Desk, opened_ledger, workplace_for
from batchd.errors import UsageError
from batchd.operations import Done


def retry(call: Call, keys: Sequence[str]) -> int:
    """Makes rows that failed or are held due again."""
    with opened_ledger(call) as desk:
        task = _only_task(call, desk)
        definition = resolve_task(desk.config, desk.database, task).definition
        done = operations.retry(desk.store, task, definition, keys)
    return _tell(call, done)


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


def _tell(call: Call, done: Done) -> int:
    if call.as_json:
        print_json({"done": done.sentence, "number": done.number})
    else:
        say(f"{done.sentence[0].upper()}{done.sentence[1:]}.")
    return exit_codes.DONE
