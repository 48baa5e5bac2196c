"""When a batch that is said to have ended is looked at: at once, and again while the ledger has no end of it.

An event may be there before the vendor's own answers know of it; what is looked at too early would then wait for its
usual turn, which is a quarter of its age away.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

MOST = 10_000
# The first look, and those after it: each pause is twice the one before.
LOOKS = 7
LONGEST_FIRST_PAUSE = 5.0


@dataclass(slots=True)
class _Announced:
    due: float
    pause: float
    left: int


class Looks:
    """Batches that were announced, by account and the vendor's id; times are seconds of any clock.

    Args:
        check_interval: the shortest pause between two looks in the usual course; here it is 5 seconds at most.
    """

    def __init__(self, check_interval: float) -> None:
        self._first_pause = min(check_interval, LONGEST_FIRST_PAUSE)
        self._announced: dict[tuple[str, str], _Announced] = {}

    def announce(self, account: str, batch_id: str, now: float) -> bool:
        """To be looked at from now on; False where too many are already."""
        if len(self._announced) >= MOST and (account, batch_id) not in self._announced:
            return False
        self._announced[account, batch_id] = _Announced(now, self._first_pause, LOOKS)
        return True

    def due(self, now: float) -> dict[str, list[str]]:
        """What is to be looked at now, by account."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for (account, batch_id), announced in self._announced.items():
            if announced.due <= now:
                found[account].append(batch_id)
        return dict(found)

    def looked(self, account: str, batch_ids: Iterable[str], still_open: Collection[str], now: float) -> None:
        """These were brought forward; what is not open any more, or never was ours, is done with."""
        for batch_id in batch_ids:
            announced = self._announced.get((account, batch_id))
            if announced is None or announced.due > now:
                # Announced once more meanwhile.
                continue
            announced.left -= 1
            if batch_id not in still_open or not announced.left:
                del self._announced[account, batch_id]
            else:
                announced.due, announced.pause = now + announced.pause, announced.pause * 2

    def seconds_to_next(self, now: float) -> float | None:
        """Until something is due; None where nothing is announced."""
        return min((one.due - now for one in self._announced.values()), default=None)
