"""``batchd retry``, ``reapply``, ``pause``, ``resume``, ``resolve``: operations, foreseen, asked about, told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from batchd import operations
from batchd.app.person import this_person
from batchd.app.resolve import resolve_task
from batchd.app.workplace import prices_of, workplace
from batchd.cli import exit_codes
from batchd.cli.asking import NOTHING_CHANGED, Wish, agrees, may_ask, say_rows, tell_prospects
from batchd.cli.call import Call
from batchd.cli.lines import say
from batchd.cli.named_outcomes import outcomes_named
from batchd.cli.out import print_json
from batchd.cli.place import Desk, opened_ledger, workplace_for
from batchd.cli.progress import TerminalProgress
from batchd.core.outcomes import REAPPLICABLE
from batchd.errors import UsageError
from batchd.operations import Done, Prospect, Reapplied, ReapplyOrder, RetryOrder


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows are meant, as it was typed."""

    keys: Sequence[str]
    only: str | None
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How a held batch is to be resolved: the option, "" for none, and the vendor's id behind ``--adopt``."""

    option: str
    vendor_batch: str


def retry(call: Call, choice: Choice, asked: Wish) -> int:
    """Makes rows that failed or are held due again."""
    order = RetryOrder(choice.keys, outcomes_named(choice.only), asked.reason)
    with opened_ledger(call, actor=this_person()) as desk:
        task = _only_task(call, desk)
        definition = resolve_task(desk.config, desk.database, task).definition
        return _carry_out(
            call,
            asked,
            lambda: operations.foresee_retry(desk.store, prices_of(desk.config), task, definition, order),
            lambda: operations.retry(desk.store, task, definition, order),
            then=f"a running batchd asks them by itself, or: batchd submit --task {task}",
        )


def reapply(call: Call, choice: Choice, asked: Wish) -> int:
    """Writes answers that were paid for and kept."""
    only = outcomes_named(choice.only) or REAPPLICABLE
    order = ReapplyOrder(choice.keys, choice.batch, only, asked.reason, asked.dry_run)
    with opened_ledger(call, actor=this_person()) as desk, TerminalProgress(shown=call.is_watched) as progress:
        task = _only_task(call, desk)
        definition = resolve_task(desk.config, desk.database, task).definition
        # No vendor is asked for anything, so none is connected.
        place = workplace(desk.config, desk.store, {}, {}, progress)
        done, told = operations.reapply(place, task, definition, order)
    causes = {exit_codes.LEASE} if told.busy else set()
    causes |= {exit_codes.ROWS_LEFT} if told.waits else set()
    # A dry run has left nothing undone.
    code = exit_codes.DONE if asked.dry_run else exit_codes.exit_code(causes)
    _tell_reapplied(call, asked, done, told, code)
    return code


def pause(call: Call, asked: Wish) -> int:
    """Stops a task."""
    person = this_person()
    with opened_ledger(call, actor=person) as desk:
        task = _only_task(call, desk)
        return _carry_out(
            call,
            asked,
            lambda: operations.foresee_pause(desk.store, task),
            lambda: operations.pause(desk.store, task, asked.reason or f"by {person}"),
        )


def resume(call: Call, asked: Wish) -> int:
    """Lets a task go on."""
    with opened_ledger(call, actor=this_person()) as desk:
        task = _only_task(call, desk)
        return _carry_out(
            call,
            asked,
            lambda: operations.foresee_resume(desk.store, task),
            lambda: operations.resume(desk.store, task, asked.reason),
        )


def resolve(call: Call, reference: str, way: Way, asked: Wish) -> int:
    """Lets a held batch go on or ends it, in the ``way`` that a person chose."""
    with (
        opened_ledger(call, actor=this_person()) as desk,
        workplace_for(call, desk, _account_of(desk, reference)) as place,
    ):
        reason, named = asked.reason, way.vendor_batch
        ways: dict[str, tuple[Callable[[], Prospect], Callable[[], Done]]] = {
            "--adopt": (
                lambda: operations.foresee_adopt(place, reference, named),
                lambda: operations.adopt(place, reference, named, reason=reason),
            ),
            "--send-again": (
                lambda: operations.foresee_send_again(place, reference),
                lambda: operations.send_again(place, reference, reason=reason),
            ),
            "--give-up": (
                lambda: operations.foresee_abandon(place, reference),
                lambda: operations.abandon(place, reference, reason=reason),
            ),
            "": (
                lambda: operations.foresee_resolve(place, reference),
                lambda: operations.resolve(place, reference, reason=reason),
            ),
        }
        return _carry_out(call, asked, *ways[way.option])


def _carry_out(
    call: Call, asked: Wish, foresee: Callable[[], Prospect], act: Callable[[], Done], *, then: str = ""
) -> int:
    """Only foreseen in a dry run; asked about where there is somebody to ask; done, and told."""
    if asked.dry_run:
        tell_prospects(call, [foresee()])
        return exit_codes.DONE
    if may_ask(call, asked) and not agrees([foresee()]):
        return exit_codes.INTERRUPTED
    done = act()
    if call.as_json:
        print_json({"done": done.sentence, "number": done.number, "dry_run": False})
        return exit_codes.DONE
    say(f"{done.sentence[0].upper()}{done.sentence[1:]}.")
    if then and done.number:
        say(f"{then[0].upper()}{then[1:]}")
    return exit_codes.DONE


def _tell_reapplied(call: Call, asked: Wish, done: Done, told: Reapplied, code: int) -> None:
    if call.as_json:
        counts = {"written": told.written, "left": dict(told.left), "dry_run": asked.dry_run, "exit_code": code}
        rows = [{"key": row.key, "outcome": row.outcome} for row in told.rows]
        print_json({"done": done.sentence, "number": done.number, **counts, "rows": rows})
        return
    say(f"{done.sentence[0].upper()}{done.sentence[1:]}.")
    if asked.dry_run:
        say_rows(told.rows, len(told.rows))
        say(NOTHING_CHANGED)


def _only_task(call: Call, desk: Desk) -> str:
    """The task that was named, or the only one there is."""
    if call.task is not None:
        return call.task
    names = list(desk.config.tasks)
    if len(names) == 1:
        return names[0]
    raise UsageError("say which task is meant", next_command=f"--task with one of: {', '.join(names)}")


def _account_of(desk: Desk, reference: str) -> set[str] | None:
    batch = desk.store.read(lambda ledger: ledger.batches.find(reference))
    return {batch.account} if batch else None
