"""Telling people of findings: the ways there are, and what the ledger knows of it."""

from collections.abc import Set as AbstractSet
from typing import Protocol

from batchd.core.notices import Notice


class UntoldError(Exception):
    """A finding could not be told. ``code`` says why in a word, such as ``http_503`` or ``timeout``; never more."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Messenger(Protocol):
    """A way to tell people of a finding."""

    def tell(self, notice: Notice) -> None:
        """Tells it, within the seconds that the config gives. Raises UntoldError."""


class Notices(Protocol):
    """``batchd_finding``, as far as people are to be told of what is open."""

    def due(self, least_urgent: int, limit: int) -> list[Notice]:
        """Open findings of this priority or a more urgent one that are to be told now, the most urgent first."""

    def take(self, notice: Notice, wait: float) -> bool:
        """Leaves it to the caller for ``wait`` seconds; False where another process has it, or where it has ended."""

    def note_told(self, notice: Notice, ways: AbstractSet[str], *, all_of_them: bool) -> None:
        """These ways have worked for it; after all of them it is not told again."""
