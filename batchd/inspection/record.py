"""What a judge has seen: violations by name, what could not be looked at, and how much was looked at."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from batchd.core.keys import key_label
from batchd.core.model import Batch
from batchd.inspection.checks import CHECKS
from batchd.ports import Breach


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that is broken: where, how, and what a person runs next. ``check`` names the rule."""

    promise: int
    check: str
    subject: str
    sentence: str
    next_command: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something that breaks no promise and that a person should know, such as what could not be looked at."""

    subject: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    Attributes:
        violations: the first of each check.
        totals: check to the number of all its violations, also of those that are not listed.
        notes: what could not be looked at, and what is odd.
        more_notes: how many notes are left out.
        looked_at: name to number, such as ``requests``.
    """

    violations: tuple[Violation, ...]
    totals: Mapping[str, int]
    notes: tuple[Note, ...]
    more_notes: int
    looked_at: Mapping[str, int]

    @property
    def is_sound(self) -> bool:
        """No promise was seen broken."""
        return not self.totals


class Record:
    """Collects what the judges see, in bounded memory.

    Args:
        most: how many violations of one check, and how many notes, are kept by name.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._violations: list[Violation] = []
        self._totals: Counter[str] = Counter()
        self._notes: list[Note] = []
        self._more_notes = 0
        self._looked_at: Counter[str] = Counter()

    def breach(self, check: str, breach: Breach) -> None:
        """A rule that the ledger alone breaks."""
        row = f"task {breach.task} row {key_label(breach.key)}" if breach.key is not None else ""
        self._add(check, row or f"batch {breach.batch_id}", breach.task, breach.batch_id)

    def unlisted(self, check: str, number: int) -> None:
        """So many more violations of a check, not named."""
        self._totals += Counter({check: number})

    def broken(self, check: str, batch: Batch, detail: str) -> None:
        """A batch whose files, or whose batch at the vendor, are not what the ledger says."""
        self._add(check, f"batch {batch.id}", batch.task, batch.id, detail)

    def forgotten(self, check: str, subject: str) -> None:
        """Something that the ledger does not know at all."""
        self._add(check, subject, "", None)

    def note(self, subject: str, sentence: str) -> None:
        """Something worth knowing; it breaks no promise."""
        if len(self._notes) < self.most:
            self._notes.append(Note(subject, sentence))
        else:
            self._more_notes += 1

    def saw(self, what: str, number: int = 1) -> None:
        """So many more were looked at."""
        self._looked_at[what] += number

    def verdict(self) -> Verdict:
        """What was found, in the order of the promises."""
        order = list(CHECKS)
        violations = sorted(self._violations, key=lambda one: order.index(one.check))
        totals = {str(check): self._totals[check] for check in order if self._totals[check]}
        return Verdict(tuple(violations), totals, tuple(self._notes), self._more_notes, dict(self._looked_at))

    def _add(self, check: str, subject: str, task: str, batch_id: int | None, detail: str = "") -> None:
        self._totals[check] += 1
        if self._totals[check] > self.most:
            return
        rule = CHECKS[check]
        # A row that was never sent has no batch to be shown.
        next_command = (
            rule.next_command if batch_id is not None else rule.next_command.replace("show {batch}", "status")
        )
        self._violations.append(
            Violation(
                rule.promise,
                str(check),
                subject,
                rule.broken.format(batch=batch_id, detail=detail),
                next_command.format(batch=batch_id, task=task),
            )
        )
