"""What went wrong without stopping the work, in words: each cause with its next command."""

from collections.abc import Collection, Iterable

from batchd.cli import exit_codes
from batchd.cli.lines import complain

_WORDS = {
    exit_codes.DATABASE: ("the database was busy, or refused a write and the batch is held", "batchd status"),
    exit_codes.VENDOR_AUTH: (
        "{vendors} refused the key; nothing was sent",
        "mend the key that api_key refers to, then run the same command again",
    ),
    exit_codes.VENDOR_UNREACHABLE: (
        "{vendors} could not be reached, is busy or did not answer clearly; nothing is lost",
        "check the network and base_url, then run the same command again",
    ),
    exit_codes.LEASE: (
        "another batchd process is at work on this",
        "wait for it, or run the same command again",
    ),
    exit_codes.HELD: ("a batch is held and waits for a person", "batchd status"),
    exit_codes.ROWS_LEFT: ("rows were set aside and wait for a person", "batchd failures"),
}
_STOPPED = ("nothing is claimed until a person has looked at what was found", "batchd status")


def explain(causes: Iterable[int], vendors: Collection[str], *, stopped: bool = False) -> None:
    """Prints each cause on stderr; ``stopped`` says that a finding keeps rows from being claimed."""
    named = "vendor " + " or ".join(sorted(vendors)) if vendors else "the vendor"
    for cause in sorted(set(causes) & set(_WORDS)):
        sentence, next_command = _STOPPED if stopped and cause == exit_codes.ROWS_LEFT else _WORDS[cause]
        complain(f"error: {sentence.format(vendors=named)}")
        complain(f"next: {next_command}")
