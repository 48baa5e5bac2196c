"""The trail of who did what."""

from typing import Protocol


class Trail(Protocol):
    """``batchd_event``, beyond the moves that tasks and batches record themselves."""

    def add(
        self,
        subject: str,
        subject_id: int,
        action: str,
        *,
        move: tuple[str | None, str | None] = (None, None),
        reason: str = "",
    ) -> None:
        """Records what was done to a ``batch``, a ``task`` or the ``installation``, in the transaction that does it."""
