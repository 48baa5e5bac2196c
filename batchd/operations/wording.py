"""Numbers and outcomes in sentences, right for one and for many."""

from collections.abc import Iterable

from batchd.core.outcomes import Outcome


def counted(number: int, one: str, many: str = "") -> str:
    """``1 row``, ``2 rows``, ``2 batches``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def are(number: int) -> str:
    """``is`` for one, ``are`` for any other number."""
    return "is" if number == 1 else "are"


def listed(numbers: Iterable[tuple[Outcome | None, int]]) -> str:
    """``2 invalid, 1 expired``."""
    return ", ".join(f"{number:,} {outcome or 'without an outcome'}" for outcome, number in numbers)
