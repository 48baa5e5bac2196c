"""Tasks that are claimed for again before their next turn, a night away perhaps: what keeps them is over sooner."""

import threading
from collections.abc import Callable, Collection

from batchd.ports import Counts

# Counts of a claim that something kept, and not for long.
_KEPT = frozenset(
    {"tasks_claimed_elsewhere", "tasks_put_off", "tasks_without_room", "lists_unread", "tasks_quiet", "tasks_unfit"}
)


class Claims:
    """Several threads may tell of theirs at once.

    Args:
        kept: tasks that are to be claimed for again, whatever kept them.
    """

    def __init__(self, kept: Collection[str] = ()) -> None:
        self._lock = threading.Lock()
        self._kept = set(kept)
        # And with how many batches open then.
        self._capped: dict[str, int] = {}

    def begin(self, task: str) -> None:
        """A turn begins. One that does not come to its end is made up for."""
        with self._lock:
            self._kept.add(task)
            self._capped.pop(task, None)

    def end(self, task: str, counts: Counts, open_then: int) -> None:
        """A turn has ended: what it counted, and how many batches of the task were open, at least."""
        with self._lock:
            if _KEPT & counts.numbers.keys():
                # Its beginning may have been told to those of a config that another has taken the place of.
                self._kept.add(task)
            else:
                self._kept.discard(task)
            if counts["tasks_capped"]:
                self._capped[task] = open_then

    def due(self, open_now: Callable[[str], int]) -> set[str]:
        """Those that something kept, and those for which room was made since, by whichever process."""
        with self._lock:
            kept, capped = set(self._kept), dict(self._capped)
        return kept | {task for task, open_then in capped.items() if open_now(task) < max(open_then, 1)}

    def waiting(self) -> set[str]:
        """All of them, whether there is room by now or not."""
        with self._lock:
            return self._kept | self._capped.keys()
