"""``batchd run``: the daemon, or a bounded run that a person waits for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from batchd.app import continuous
from batchd.cli import exit_codes
from batchd.cli.call import Call, tell_nobody
from batchd.cli.causes import explain
from batchd.cli.lines import say
from batchd.cli.out import dollars, plural, print_json
from batchd.cli.place import Desk, opened_ledger, opened_workplace, quiet_logs
from batchd.cli.progress import TerminalProgress
from batchd.cli.sending import with_batch_size
from batchd.cli.serving import serve
from batchd.cli.stops import claiming_stops
from batchd.config import parse_duration
from batchd.daemon import BoundedRun, Bounds, Plan
from batchd.errors import UsageError
from batchd.ports import Counts, Scope, Workplace
from batchd.stop import Stop, has_terminal
from batchd.store.reading import ask, task_facts


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run was asked for."""

    until_idle: bool = False
    num_batches: int | None = None
    batch_size: int | None = None
    check_interval: str | None = None

    @property
    def ends(self) -> bool:
        """True for a run that a person waits for."""
        return self.until_idle or self.num_batches is not None


def run(call: Call, options: RunOptions) -> int:
    """Keeps claiming, submitting, polling, collecting and applying until a signal or its bounds end it."""
    adjusted = _adjusted(options)
    stop, reload = Stop(), continuous.Wish()
    # Where there is no terminal to be closed, SIGHUP reads the config again, however long the start may take.
    stop.on_signals(hangup=None if options.ends or has_terminal() else reload.ask)
    with opened_ledger(call, stop) as desk, opened_workplace(call, desk.config, stop) as (whole, progress):
        place = adjusted(whole)
        before = _failures(desk, place, call)
        if call.is_watched:
            progress.whole(*_whole(ask(desk.database, lambda connection: task_facts(connection, call.task))))
        report = _unbroken(_reporter(call, desk, progress))
        if options.ends:
            total = BoundedRun(place, _plan(place, call, options), stop, report).run()
        else:
            said = continuous.Call(call.task, adjusted, lambda config, _: quiet_logs(config, call), reload=reload)
            total = serve(desk, place, said, stop, report)
        tasks = ask(desk.database, lambda connection: task_facts(connection, call.task))
        left = _failures(desk, place, call) - before
        stopped = bool(claiming_stops(desk, place.tasks.values())) or total["accounts_moved"] > 0
    causes = _causes(total, tasks, left=left, stopped=stopped)
    code = exit_codes.DONE if stop.signalled else exit_codes.exit_code(causes)
    _unbroken(lambda counts: _say_end(call, counts, tasks, code))(total)
    if code:
        explain(causes, {task.definition.vendor for task in place.tasks.values()}, stopped=stopped and left <= 0)
    return code


def _seconds(duration: str | None) -> float | None:
    try:
        return None if duration is None else parse_duration(duration)
    except ValueError as error:
        raise UsageError(f"--check-interval: {error}", next_command="write it like 30s or 5m") from error


def _adjusted(options: RunOptions) -> Callable[[Workplace], Workplace]:
    """Makes of a workplace what the command line says otherwise than the config. Raises UsageError."""
    interval = _seconds(options.check_interval)

    def adjusted(place: Workplace) -> Workplace:
        sized = with_batch_size(place, options.batch_size)
        return sized if interval is None else replace(sized, check_interval=interval)

    return adjusted


def _plan(place: Workplace, call: Call, options: RunOptions) -> Plan:
    return Plan(tuple(place.tasks), Scope(task=call.task), Bounds(options.until_idle, options.num_batches))


def _failures(desk: Desk, place: Workplace, call: Call) -> int:
    tasks = ask(desk.database, lambda connection: task_facts(connection, call.task))
    return sum(sum(task["rows"][state] for state in _waiting(place, task["task"])) for task in tasks)


def _waiting(place: Workplace, task: str) -> tuple[str, ...]:
    """States of rows that wait for a person."""
    configured = place.tasks.get(task)
    # Where writing can't end being pending, rows that are done are as they should be.
    ends = configured is None or configured.definition.ends_pending
    return ("failed", "held", "done") if ends else ("failed", "held")


def _causes(total: Counts, tasks: list[dict[str, Any]], *, left: int, stopped: bool) -> set[int]:
    # Whether a batch is held is seen in the ledger: what the vendor did not know at one look may be got over by now.
    causes = total.causes - {exit_codes.HELD}
    unclaimed = total["tasks_blocked"] + total["tasks_put_off"]
    if not unclaimed and not any(task["open_batches"] for task in tasks):
        # A vendor out of reach, a lease of another process, a full disk, a busy database: got over, since nothing is
        # left open.
        causes -= {exit_codes.VENDOR_UNREACHABLE, exit_codes.LEASE, exit_codes.ROWS_LEFT, exit_codes.DATABASE}
    if any(task["held_batches"] for task in tasks):
        causes.add(exit_codes.HELD)
    if left > 0 or stopped:
        causes.add(exit_codes.ROWS_LEFT)
    return causes


def _unbroken(tell: Callable[[Counts], None]) -> Callable[[Counts], None]:
    """The same, without an end of the run where whoever read it has gone, or the disk that it goes to is full.

    The rows matter more than the report.
    """

    def told(counts: Counts) -> None:
        try:
            tell(counts)
        except OSError:
            tell_nobody()

    return told


def _reporter(call: Call, desk: Desk, progress: TerminalProgress) -> Callable[[Counts], None]:
    if call.as_json:
        return lambda counts: print_json({"event": "pass", "counts": counts.numbers})
    if not call.is_watched:
        return _say_pass

    def show(_: Counts) -> None:
        tasks = ask(desk.database, lambda connection: task_facts(connection, call.task))
        progress.whole(*_whole(tasks))

    return show


def _say_pass(counts: Counts) -> None:
    say(", ".join(f"{name.replace('_', ' ')} {number:,}" for name, number in counts.numbers.items()))


def _whole(tasks: list[dict[str, Any]]) -> tuple[str, int, int]:
    in_flight = sum(task["rows"]["open"] for task in tasks)
    retries = sum(task["rows"]["retry"] for task in tasks)
    applied = sum(task["outcomes"].get("applied", 0) for task in tasks)
    batches = sum(task["open_batches"] for task in tasks)
    backlog = sum(task["backlog"] or 0 for task in tasks)
    text = f"{plural(batches, 'batch', 'batches')} open, {plural(in_flight, 'row')} in flight"
    return text, applied, applied + in_flight + retries + backlog


def _say_end(call: Call, total: Counts, tasks: list[dict[str, Any]], code: int) -> None:
    if call.as_json:
        print_json({"event": "end", "counts": total.numbers, "tasks": tasks, "exit_code": code})
        return
    spent = sum(task["cost_usd"] for task in tasks)
    say(
        f"Done: {plural(total['batches_built'], 'batch', 'batches')} built, "
        f"{plural(total['batches_closed'], 'batch', 'batches')} closed, "
        f"{plural(total['applied'], 'row')} applied; {dollars(spent)} so far in all."
    )
