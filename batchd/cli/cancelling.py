"""``batchd cancel``: some batches, or all open ones of a task, are cancelled, and the vendor's end is waited for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from batchd import operations
from batchd.app.person import this_person
from batchd.app.workplace import store_of
from batchd.cli import exit_codes
from batchd.cli.asking import NOTHING_CHANGED, Wish, agrees, document, may_ask, tell_prospects
from batchd.cli.call import Call, error_document, report
from batchd.cli.cancelled import End, refusal_code, tell_end
from batchd.cli.lines import complain, say
from batchd.cli.out import print_json
from batchd.cli.place import Desk, opened_ledger, workplace_for
from batchd.cli.waiting import Waited, wait_for_ends
from batchd.errors import BatchdError, UsageError
from batchd.operations import Done, Prospect, check_cancellable, open_batches
from batchd.ports import Workplace
from batchd.stop import Stop
from batchd.store.reading import ask, batch_detail, failure_facts

T = TypeVar("T")


@dataclass(slots=True)
class _Each:
    """What came of each batch that was named: done, or refused."""

    done: list[Done] = field(default_factory=list)
    errors: list[BatchdError] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)


def cancel(call: Call, references: Sequence[str], asked: Wish, *, wait: bool) -> int:
    """Cancels batches; one that is refused keeps no other from being cancelled."""
    with opened_ledger(call, actor=this_person()) as desk:
        named = list(dict.fromkeys(references)) or _cancellable_of(call, desk)
        stop = Stop()
        with workplace_for(call, desk, _accounts_of(desk, named), stop) as place:
            if asked.dry_run:
                return _foresee(call, place, named)
            if may_ask(call, asked) and not agrees(_foreseen(place, named)[0]):
                return exit_codes.INTERRUPTED
            stop.on_signals()
            each = _cancel_each(place, named, asked.reason, stop)
            waited = _wait(desk, place, each.batches, stop) if wait else Waited()
            end = _end(desk, each, waited, waits=wait, interrupted=stop.asked())
    return tell_end(call, end)


def _accounts_of(desk: Desk, named: Sequence[str]) -> set[str] | None:
    """Where they are; None for all accounts, since what the ledger has forgotten may be at any."""
    found = desk.store.read(lambda ledger: [ledger.batches.find(one) for one in named])
    return None if None in found else {one.account for one in found if one is not None}


def _cancellable_of(call: Call, desk: Desk) -> list[str]:
    """The batches of the task that may still be cancelled; of the others it is said why not."""
    if call.task is None:
        raise UsageError("say which batch is meant, or --task for all of a task", next_command="batchd batches --open")
    task, found = call.task, []
    for batch in desk.store.read(lambda ledger: open_batches(ledger, task)):
        try:
            check_cancellable(batch)
            found.append(str(batch.id))
        except UsageError as error:
            complain(f"left as it is: {error}")
    return found


def _of_each(named: Sequence[str], work: Callable[[str], T]) -> tuple[list[T], list[BatchdError]]:
    """What came of each; where one alone was named, its error is the command's."""
    done, errors = [], []
    for one in named:
        try:
            done.append(work(one))
        except BatchdError as error:
            if len(named) == 1:
                raise
            errors.append(error)
    return done, errors


def _foreseen(place: Workplace, named: Sequence[str]) -> tuple[list[Prospect], list[BatchdError]]:
    return _of_each(named, lambda one: operations.foresee_cancel(place, one))


def _foresee(call: Call, place: Workplace, named: Sequence[str]) -> int:
    prospects, errors = _foreseen(place, named)
    code = refusal_code(errors)
    if call.as_json:
        print_json({**document(prospects), "errors": [error_document(one) for one in errors], "exit_code": code})
        return code
    for error in errors:
        report(error, as_json=False)
    if prospects:
        tell_prospects(call, prospects)
    else:
        say(f"There is nothing to cancel. {NOTHING_CHANGED}")
    return code


def _cancel_each(place: Workplace, named: Sequence[str], reason: str, stop: Stop) -> _Each:
    each = _Each()

    def cancelled(one: str) -> None:
        if stop.asked():
            return
        each.done.append(operations.cancel(place, one, reason=reason))
        batch = place.store.read(lambda ledger: ledger.batches.find(one))
        each.batches += [batch.id] if batch is not None else []

    each.errors = _of_each(named, cancelled)[1]
    return each


def _wait(desk: Desk, place: Workplace, batches: Sequence[int], stop: Stop) -> Waited:
    """What is polled, collected and applied is this process's work, and no more the person's act."""
    return wait_for_ends(replace(place, store=store_of(desk.database, stop)), batches, stop)


def _end(desk: Desk, each: _Each, waited: Waited, *, waits: bool, interrupted: bool) -> End:
    facts = [ask(desk.database, lambda connection, at=at: batch_detail(connection, at)) for at in each.batches]  # type: ignore[misc]
    rows = [
        row
        for at in each.batches
        for row in ask(desk.database, lambda connection, at=at: failure_facts(connection, batch=at))  # type: ignore[misc]
    ]
    failed = sum(row["state"] == "failed" for row in rows)
    return End(each.done, each.errors, facts, waited, failed=failed, waits=waits, interrupted=interrupted)
