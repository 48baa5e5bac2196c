"""What the floor hands to a database: a file as it is recorded, an answer as it is written; and the ledger's port."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

CHUNK = 1_000
# What batchd's record of a finished request says of each of the vendor's answers here.
FINISHED = ("applied", "stop")


class Sent(NamedTuple):
    """A batch's file on disk: its name in the ledger, how many requests it has, its size and its hash."""

    uid: str
    requests: int
    bytes: int
    sha256: str


class Answer(NamedTuple):
    """One line of the output, taken apart: the request's number, the row's columns, and the tokens."""

    seq: int
    full_name: str
    years_experience: float
    skills: str
    level: str
    summary: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int


class FloorLedger(Protocol):
    """The driver at its best, and the ledger's rows; every method but ``pages`` ends with a commit."""

    def page(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        """Pending rows in key order, after a key."""

    def record(self, sent: Sent, keys: Sequence[int]) -> int:
        """Batch, requests and gates, and the batch's first event, in one transaction; returns the batch's id."""

    def move(self, batch_id: int, source: str, target: str, changes: dict[str, Any]) -> None:
        """A batch's new state, and its event."""

    def apply(self, batch_id: int, answers: Sequence[Answer], keys: Sequence[int]) -> None:
        """Rows, before-images, outcomes and gates of one chunk, in the order of its requests."""

    def close(self) -> None:
        """Ends the connection."""
