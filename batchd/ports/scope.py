"""How much a pass is to do, how eagerly, and what it did."""

import threading
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of the ledger a pass works on: everything, one task, one batch, or what is at one vendor account."""

    task: str | None = None
    batch_id: int | None = None
    account: str | None = None

    def has_account(self, name: str) -> bool:
        """Whether what is at this vendor account is part of it."""
        return self.account in (None, name)


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Orders:
    """How eager a pass is.

    Attributes:
        eager: a person waits for it: sweep the whole table, do not wait for fuller batches.
        batches: how many batches may be built at most, None for as many as the tasks allow.
        first: this process has not looked yet for batches the ledger may have forgotten.
    """

    eager: bool = False
    batches: int | None = None
    first: bool = False


@dataclass(slots=True)
class Counts:
    """What one pass of a stage did: names to numbers, empty where nothing happened.

    ``causes`` are exit codes of what went wrong without stopping the pass. Several threads may count at once.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    causes: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def add(self, name: str, number: int = 1) -> None:
        """Counts ``number`` more of ``name``."""
        if number:
            with self._lock:
                self.numbers[name] = self.numbers.get(name, 0) + number

    def cause(self, exit_code: int) -> None:
        """Remembers something that went wrong."""
        with self._lock:
            self.causes.add(exit_code)

    def merge(self, other: "Counts") -> "Counts":
        """Adds what another pass did."""
        for name, number in other.numbers.items():
            self.add(name, number)
        with self._lock:
            self.causes |= other.causes
        return self

    def __getitem__(self, name: str) -> int:
        return self.numbers.get(name, 0)

    def __bool__(self) -> bool:
        return bool(self.numbers)


class Stage(Protocol):
    """One verb of the pipeline."""

    def run_once(self) -> Counts:
        """Finds its work in the ledger, does one pass over it, and says what it did."""
