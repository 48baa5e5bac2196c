"""What an operation says once it is done."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """A sentence for people, and how many rows or batches it was about."""

    sentence: str
    number: int
