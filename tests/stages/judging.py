"""Short forms of what verify says of a bench."""

from batchd.inspection import verify
from tests.stages.bench import Bench


def broken(bench: Bench) -> list[tuple[str, str]]:
    """What verify finds."""
    return [(one.check, one.subject) for one in verify(bench.place).violations]


def notes(bench: Bench) -> list[str]:
    """What verify notes, in one line each."""
    return [f"{one.subject}: {one.sentence}" for one in verify(bench.place).notes]
