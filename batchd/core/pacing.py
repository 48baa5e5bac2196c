"""How long to leave a batch alone. Small batches end in minutes, large ones in hours."""

from batchd.core.outcomes import growing_delay

LONGEST_POLL = 600.0
SUBMIT_TRIES = 12
_PART = 1 / 4
_WANTED_PART = 1 / 50


def poll_delay(age: float, check_interval: float, *, wanted: bool = False) -> float:
    """Seconds until the next look at a batch of this age: a quarter of its age, within bounds.

    So the end of a batch is seen at most a quarter later than it came, and a day costs some 150 looks. Where other
    batches wait for its tokens (``wanted``), it is a fiftieth: what is freed late was not used meanwhile.
    """
    part = _WANTED_PART if wanted else _PART
    return min(max(check_interval, age * part), max(check_interval, LONGEST_POLL))


def submit_delay(attempt: int, check_interval: float, asked: float | None = None) -> float:
    """Seconds until a batch that the vendor did not take is sent again; what the vendor asked for wins."""
    return max(asked or 0.0, growing_delay(attempt, check_interval))
