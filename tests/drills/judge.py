"""What is wrong with the end of a case, held against the end of the same case undisturbed."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.drills.let_out import let_out
from tests.drills.slot import Slot


@dataclass(frozen=True, slots=True)
class End:
    """How a case ended: rows, gates, findings, what was paid, how often each row was written."""

    rows: dict[Any, tuple[Any, ...]]
    gates: dict[Any, tuple[Any, ...]]
    outcomes: Counter[tuple[Any, str]]
    findings: Counter[str]
    paid: Counter[str]
    writes: Counter[Any]
    open_batches: list[tuple[Any, ...]]
    violations: list[str]


@dataclass(slots=True)
class Faults:
    """What went wrong in one or many cases, each as a sentence."""

    lost: list[str] = field(default_factory=list)
    paid_twice: list[str] = field(default_factory=list)
    applied_twice: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    def add(self, other: "Faults", where: str) -> None:
        """Takes over another's, each with where it happened."""
        for name in ("lost", "paid_twice", "applied_twice", "unexplained"):
            getattr(self, name).extend(f"{where}: {sentence}" for sentence in getattr(other, name))

    def sentences(self) -> list[str]:
        """All of them."""
        return [*self.lost, *self.paid_twice, *self.applied_twice, *self.unexplained]

    def __bool__(self) -> bool:
        return bool(self.sentences())


def look(slot: Slot) -> End:
    """The end of the case at hand, as the database, the vendor's account and ``batchd verify`` tell it."""
    rows = slot.execute("SELECT id, resume, name, CASE WHEN done_at IS NULL THEN 0 ELSE 1 END FROM person")
    gates = slot.execute("SELECT key_int, key_text, state, paid_tries, outcome FROM batchd_gate")
    outcomes = slot.execute("SELECT key_int, outcome FROM batchd_request WHERE batch_id > 1")
    findings = slot.execute("SELECT kind FROM batchd_finding WHERE closed_at IS NULL")
    audit = slot.execute("SELECT id, count(*) FROM audit GROUP BY id")
    left = slot.execute(
        "SELECT id, state, held_from FROM batchd_batch WHERE state NOT IN ('closed', 'failed', 'abandoned')"
    )
    return End(
        rows={row[0]: tuple(row[1:]) for row in rows},
        gates={(row[0], row[1]): tuple(row[2:]) for row in gates},
        outcomes=Counter((row[0], row[1]) for row in outcomes),
        findings=Counter(row[0] for row in findings),
        paid=slot.vendor.paid(),
        writes=Counter({row[0]: row[1] for row in audit}),
        open_batches=left,
        violations=[*_violations(slot), *let_out(slot)],
    )


def _violations(slot: Slot) -> list[str]:
    document = slot.document("verify")
    found = document.get("violations")
    if found is None:
        return [f"batchd verify could not judge: {document}"]
    return [f"promise {one['promise']}, {one['subject']}: {one['sentence']}" for one in found]


def compare(undisturbed: End, end: End, *, most_paid: int = 1) -> Faults:
    """The faults of an end; an undisturbed case must come to the same rows, gates and bills.

    ``most_paid`` is how often an input may be paid for where that hangs on the moment, as with a late arrival.
    """
    return Faults(
        lost=[
            f"row {key} is {end.rows.get(key)}, undisturbed it is {row}"
            for key, row in undisturbed.rows.items()
            if end.rows.get(key) != row
        ],
        paid_twice=[
            f"input {text[:12]} was paid for {times} times, undisturbed {undisturbed.paid[text]}"
            for text, times in end.paid.items()
            if times > max(undisturbed.paid[text], most_paid)
        ],
        applied_twice=[
            f"row {key} was written {times} times, undisturbed {undisturbed.writes[key]}"
            for key, times in end.writes.items()
            if times > undisturbed.writes[key]
        ],
        unexplained=[*_other_gates(undisturbed, end), *_left_open(undisturbed, end), *end.violations],
    )


def _other_gates(undisturbed: End, end: End) -> list[str]:
    return [
        f"the gate of row {key} is {end.gates.get(key)}, undisturbed it is {undisturbed.gates.get(key)}"
        for key in undisturbed.gates.keys() | end.gates.keys()
        if undisturbed.gates.get(key) != end.gates.get(key)
    ]


def _left_open(undisturbed: End, end: End) -> list[str]:
    return [] if undisturbed.open_batches else [f"batch {batch} is left open" for batch in end.open_batches]


def soundness(end: End) -> Faults:
    """The faults of an undisturbed case itself: what ``verify`` says, and rows that nothing speaks for."""
    faults = Faults(unexplained=list(end.violations))
    gated = {key for key, _ in end.gates}
    for key, (resume, _, done) in end.rows.items():
        if not done and key not in gated and resume is not None and isinstance(key, int):
            faults.unexplained.append(f"row {key} is pending and nobody is at work on it")
    return faults
