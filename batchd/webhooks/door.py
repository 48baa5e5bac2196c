"""Who is let in: a webhook that a vendor signed, of now, and not heard before."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from batchd.core.webhooks import TOLERANCE, is_of_now, is_signed, message_from

# A webhook that is ahead of our clock by the tolerance stays good for twice that.
_REMEMBERED = 2 * TOLERANCE
_MOST_REMEMBERED = 10_000


class Reason(StrEnum):
    """Why a webhook was turned away."""

    UNSIGNED = "unsigned"
    UNTIMELY = "untimely"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"


class RefusedError(Exception):
    """It is turned away; whoever sent it is not told why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Door:
    """Judges webhooks, one at a time.

    Args:
        keys: of each vendor account, those it may sign with: two while its secret is being changed.
        now: the time in Unix seconds.
    """

    def __init__(self, keys: Mapping[str, Sequence[bytes]], now: Callable[[], float]) -> None:
        self._keys = keys
        self._now = now
        # Until when each is remembered. Only what was signed is, so nobody else can fill it.
        self._heard: OrderedDict[tuple[str, str], float] = OrderedDict()

    def admit(self, headers: Mapping[str, str], body: bytes) -> list[str]:
        """The accounts that signed it; those that said the same before are left out.

        Raises:
            RefusedError: nobody signed it, or its time is not ours.
        """
        message, now = message_from(headers, body), self._now()
        if message is None:
            raise RefusedError(Reason.UNSIGNED)
        signed = [account for account, keys in self._keys.items() if is_signed(message, keys)]
        if not signed:
            raise RefusedError(Reason.UNSIGNED)
        if not is_of_now(message, now):
            raise RefusedError(Reason.UNTIMELY)
        self._forget(now)
        return [account for account in signed if (account, message.id) not in self._heard]

    def remember(self, accounts: Sequence[str], message_id: str) -> None:
        """These accounts have been heard: the same once more, or replayed by somebody else, changes nothing."""
        for account in accounts:
            self._heard[account, message_id] = self._now() + _REMEMBERED

    def _forget(self, now: float) -> None:
        """What is too old to be let in anyway; and the oldest, where there is too much."""
        while self._heard and (len(self._heard) >= _MOST_REMEMBERED or next(iter(self._heard.values())) < now):
            self._heard.popitem(last=False)
