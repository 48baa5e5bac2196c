"""Fencing: a process that slept through its lease must not be able to write, whatever it was about to do.

It stops itself at a fault point. Its lease goes, another process takes over and finishes everything; then it wakes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.drills.judge import Faults, compare, look
from tests.drills.matrix import Blow, Trace
from tests.drills.race_sleepers import (
    alone,
    end,
    end_leases,
    fell_asleep,
    finish,
    has_ended,
    is_leased,
    let_all_end,
    losses,
    none_left,
    wait_for,
    wake,
)
from tests.drills.scenarios import RUN, SCENARIOS, Scenario
from tests.drills.slot import Slot

PLAIN = Scenario("plain", rows=24, settings={"batch_size": 8})
# Enough open batches for the vendor's list to be read, and stories in which recover has something to settle.
_OTHERS = ("many batches", "created, not answered", "not created, not answered", "a line is missing")
_STORIES = (PLAIN, *(one for one in SCENARIOS if one.name in _OTHERS))

# Where sleeping is most dangerous: around files that two may write, and calls that no database can fence.
_FOR_CI = (
    ("claim.after_file", 0),
    ("claim.after_record", 0),
    ("lease.after_take", 0),
    ("submit.before_upload", 0),
    ("submit.before_create", 0),
    ("submit.after_create", -1),
    ("poll.after_retrieve", 0),
    ("collect.before_download", 0),
    ("spool.before_rename", -1),
    ("spool.after_rename", -1),
    ("apply.before_chunk", 0),
    ("apply.after_chunk", 0),
)


@dataclass(frozen=True, slots=True)
class Duel:
    """Two sleepers: the second has taken over from the first, and sleeps when the first wakes."""

    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.first}, then {self.second}"


# A create that comes while another process looks for it, deletes its file, or has just deleted it.
DUELS = (
    Duel("submit.before_create", "recover.after_look"),
    Duel("submit.before_create", "recover.before_delete_file"),
    Duel("submit.before_create", "recover.after_delete_file"),
    Duel("submit.before_create", "recover.after_fence"),
    Duel("submit.before_create", "submit.after_upload"),
    Duel("submit.after_create", "recover.after_look"),
    Duel("submit.before_upload", "submit.before_create"),
    Duel("claim.after_file", "claim.after_file"),
    Duel("collect.after_download", "apply.after_chunk"),
    Duel("apply.after_chunk", "apply.after_chunk"),
)


@dataclass(frozen=True, slots=True)
class Slept:
    """One case.

    Attributes:
        asleep: the process passed its point and stopped there.
        within_transaction: it slept with the database's write lock, so that nobody could take over.
        lost: how often a process found its lease gone.
        faults: what was wrong in the end.
    """

    asleep: bool
    within_transaction: bool = False
    lost: int = 0
    faults: Faults = field(default_factory=Faults)


def run_fencing(slot: Slot, *, full: bool) -> Iterator[tuple[str, Slept]]:
    """Each case with what came of it. CI: chosen points of a plain run; full: every point of every story.

    A plain run's points are slept at in their first, middle and last passing, those that only another story passes
    in their first.
    """
    seen: set[str] = set()
    for story in _STORIES if full else _STORIES[:1]:
        undisturbed = alone(slot, story)
        for blow in _blows(undisturbed, full=full):
            if story is PLAIN or blow.point not in seen:
                yield f"{story.name}, asleep at {blow}", sleep_at(slot, story, undisturbed, blow)
        seen |= {point for points in undisturbed.passed for point in points}
    undisturbed = alone(slot, PLAIN)
    for duel in DUELS if full else DUELS[1:2]:
        yield f"asleep at {duel}", fight(slot, undisturbed, duel)


def _blows(undisturbed: Trace, *, full: bool) -> Iterator[Blow]:
    if not full:
        yield from (undisturbed.blows(point)[at] for point, at in _FOR_CI)
        return
    for point in dict.fromkeys(point for points in undisturbed.passed for point in points):
        if is_leased(point):
            yield from undisturbed.blows(point)


def sleep_at(slot: Slot, scenario: Scenario, undisturbed: Trace, blow: Blow) -> Slept:
    """Plays a scenario of one act with a process that sleeps there, while another one finishes all there is."""
    slot.begin(scenario.rows, faults=scenario.faults, change=scenario.change, **scenario.settings)
    faults = Faults()
    with none_left() as started:
        sleeper = slot.start(*RUN, failpoint=f"{blow.point}:{blow.passing}:STOP")
        started.append(sleeper)
        asleep = fell_asleep(sleeper)
        blocked = asleep and slot.database.is_locked()
        if asleep and not blocked:
            end_leases(slot)
            finish(slot, faults)
            before = standing(slot)
            end(sleeper, slot, faults)
            faults.unexplained.extend(_written(before, standing(slot)))
        else:
            another = slot.start(*RUN)
            started.append(another)
            end(sleeper, slot, faults)
            end(another, slot, faults)
    return _judged(slot, undisturbed, Slept(asleep, blocked, losses(slot), faults), most_paid=scenario.most_paid)


def fight(slot: Slot, undisturbed: Trace, duel: Duel) -> Slept:
    """Two processes on the same work: the first wakes while the second, which took over from it, sleeps in turn."""
    slot.begin(PLAIN.rows, **PLAIN.settings)
    faults = Faults()
    with none_left() as started:
        first = slot.start(*RUN, failpoint=f"{duel.first}:1:STOP")
        started.append(first)
        asleep = fell_asleep(first)
        end_leases(slot)
        second = slot.start(*RUN, failpoint=f"{duel.second}:1:STOP")
        started.append(second)
        asleep = fell_asleep(second) and asleep
        wake(first)
        wait_for(lambda: losses(slot) > 0 or has_ended(first), "the first sleeper woke and did not lose its lease")
        let_all_end(started)
        end(second, slot, faults)
        end(first, slot, faults)
    return _judged(slot, undisturbed, Slept(asleep, lost=losses(slot), faults=faults))


def standing(slot: Slot) -> dict[str, list[Any]]:
    """All that a process without a lease must leave alone; leases themselves are not part of it."""
    return {
        "row": slot.execute("SELECT id, resume, name, done_at FROM person ORDER BY id"),
        "write": sorted(slot.execute("SELECT id, name FROM audit")),
        "gate": slot.execute("SELECT key_int, state, batch_id, seq, paid_tries FROM batchd_gate ORDER BY key_int"),
        "request": slot.execute("SELECT batch_id, seq, outcome FROM batchd_request ORDER BY batch_id, seq"),
        "batch": slot.execute(
            "SELECT id, state, held_from, attempt, vendor_file_id, vendor_batch_id, output_sha256, applied, not_before"
            " FROM batchd_batch ORDER BY id"
        ),
    }


def _written(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> list[str]:
    return [
        f"the sleeper woke and changed a {name}: {sorted(set(rows) ^ set(after[name]), key=str)[:4]}"
        for name, rows in before.items()
        if rows != after[name]
    ]


def _judged(slot: Slot, undisturbed: Trace, slept: Slept, *, most_paid: int = 1) -> Slept:
    finish(slot, slept.faults)
    slept.faults.add(compare(undisturbed.end, look(slot), most_paid=most_paid), "in the end")
    if not slept.asleep:
        slept.faults.unexplained.append("it did not fall asleep there, so this proves nothing")
    return slept
