"""Processes that sleep: stopped by SIGSTOP, from outside or by themselves at a fault point, while time passes."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.drills.forking import PATIENCE, Ended, Process
from tests.drills.judge import Faults
from tests.drills.matrix import Trace, trace
from tests.drills.scenarios import RUN, Scenario
from tests.drills.slot import Slot

# What a process says whose lease went to another one while it slept.
LOST = "another process took over"
# What a run may end with while others work on the same table: done, rows left, not ended, vendor, lease.
_FINE = frozenset({0, 3, 5, 12, 13})
_MOST_RUNS = 3
_PAUSE = 0.005
# The stages that work under a lease.
_LEASED = frozenset({"claim", "lease", "submit", "poll", "collect", "spool", "apply", "recover"})


def alone(slot: Slot, scenario: Scenario) -> Trace:
    """The scenario with one process that nobody disturbs. Raises RuntimeError where that does not do all rows."""
    found = trace(slot, scenario)
    if len(found.end.paid) != scenario.rows or not all(done for *_, done in found.end.rows.values()):
        raise RuntimeError(f"{scenario.name}: undisturbed it does not come to its end: {slot.said()}")
    return found


def is_leased(point: str) -> bool:
    """True for the fault points of stages that work under a lease."""
    return point.partition(".")[0] in _LEASED


def fell_asleep(process: Process) -> bool:
    """Waits until the process has stopped itself; False where it ended without."""
    wait_for(lambda: _state(process) in {"T", "Z", ""}, f"batchd {' '.join(process.arguments)} neither slept nor ended")
    return is_asleep(process)


def is_asleep(process: Process) -> bool:
    """True where it is stopped."""
    return _state(process) == "T"


def wake(process: Process) -> None:
    """Lets it go on where it stopped."""
    process.send(signal.SIGCONT)


def end_leases(slot: Slot) -> None:
    """Every lease is over now, by the only clock that counts: the database's."""
    for table in ("batchd_task", "batchd_batch"):
        slot.execute(f"UPDATE {table} SET lease_expires_at = '2000-01-01 00:00:00.000' WHERE lease_owner IS NOT NULL")


def losses(slot: Slot) -> int:
    """How often a process of this case found that its lease had gone."""
    return slot.log.read_text(encoding="utf-8", errors="replace").count(LOST) if slot.log.exists() else 0


def wait_for(state: Callable[[], bool], complaint: str, seconds: float = PATIENCE) -> None:
    """Waits for a state. Raises TimeoutError with the complaint."""
    deadline = time.monotonic() + seconds
    while not state():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{complaint} within {seconds:.0f} s")
        time.sleep(_PAUSE)


def end(process: Process, slot: Slot, faults: Faults) -> None:
    """Waits for its end; one that no working process comes to is a fault."""
    ended = end_of(process)
    # One that is told to end before it has begun is ended by the signal itself.
    if ended.code not in _FINE and ended.signal != signal.SIGTERM:
        faults.unexplained.append(f"a process ended with {ended}: {slot.said(4000)}")


def end_of(process: Process) -> Ended:
    """How it ended, woken as often as it stops: a stopped process does not end."""
    let_all_end([process])
    return process.wait()


@contextlib.contextmanager
def none_left() -> Iterator[list[Process]]:
    """A list for processes: those that have not ended when the drill has, or has failed, are killed."""
    started: list[Process] = []
    try:
        yield started
    finally:
        for one in started:
            if not has_ended(one):
                one.send(signal.SIGKILL)


def let_all_end(processes: Sequence[Process]) -> None:
    """Wakes them as often as they stop, until all have ended: any of them may sleep with what another waits for."""

    def all_ended() -> bool:
        for one in processes:
            if is_asleep(one):
                wake(one)
        return all(has_ended(one) for one in processes)

    wait_for(all_ended, "not all processes ended")


def finish(slot: Slot, faults: Faults) -> None:
    """Runs until nothing is left to do."""
    for _ in range(_MOST_RUNS):
        end(slot.start(*RUN), slot, faults)
        if not unfinished(slot):
            return


def unfinished(slot: Slot) -> int:
    """Batches that are on their way, and rows that nobody is at work on."""
    ((number,),) = slot.execute(
        "SELECT (SELECT count(*) FROM batchd_batch WHERE state NOT IN ('closed', 'failed', 'abandoned', 'held'))"
        " + (SELECT count(*) FROM person WHERE done_at IS NULL AND resume IS NOT NULL"
        " AND id NOT IN (SELECT key_int FROM batchd_gate WHERE key_int IS NOT NULL))"
    )
    return int(number)


def has_ended(process: Process) -> bool:
    """True where it has come to its end, looked at or not."""
    return _state(process) in {"Z", ""}


def _state(process: Process) -> str:
    """As in proc(5): T for stopped, Z for ended and not yet looked at; "" where there is none of ours."""
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, parent = stat.rpartition(")")[2].split()[:2]
    return state if int(parent) == os.getpid() else ""
