"""Where a batch stands at a moment: computed from stored times alone, so it moves on while no server runs."""

import math
from dataclasses import dataclass

from batchd.sandbox.batches import WINDOW_SECONDS, BatchRecord

VALIDATING_SHARE = 0.1
FINALIZING_SHARE = 0.9
RANKS = {"validating": 0, "in_progress": 1, "finalizing": 2}


@dataclass(frozen=True)
class Answered:
    """How far an upstream server got: lines answered, and the virtual time of the last answer."""

    lines: int
    last_at: float


@dataclass(frozen=True)
class Pace:
    """What holds batches up: a status they stay in, that they pass ``finalizing`` by, that none ever expires."""

    stay_in: str | None = None
    skip_finalizing: bool = False
    expires: bool = True


@dataclass(frozen=True)
class Progress:
    """The status due at a moment, when it began, and the share (0 to 1) of lines that have run."""

    status: str
    since: float
    share: float


def validated_at(batch: BatchRecord) -> float:
    """Return when validation is over."""
    return batch.created.created_at + VALIDATING_SHARE * batch.created.duration


def finalizing_at(batch: BatchRecord) -> float:
    """Return when the last line has run, by the time-based pace."""
    return batch.created.created_at + FINALIZING_SHARE * batch.created.duration


def expires_at(batch: BatchRecord) -> float:
    """Return the end of the completion window."""
    return batch.created.created_at + WINDOW_SECONDS


def progress(batch: BatchRecord, now: float, pace: Pace, answered: Answered | None = None) -> Progress:
    """Return where an open batch stands at ``now``; ``answered`` is for a batch run by an upstream server."""
    if batch.cancelling_at is not None:
        return _cancelling(batch, now, batch.cancelling_at, answered)
    undisturbed = _undisturbed(batch, now, pace, answered)
    if pace.stay_in is None or RANKS.get(undisturbed.status, len(RANKS)) <= RANKS[pace.stay_in]:
        return undisturbed
    return Progress(pace.stay_in, validated_at(batch), 0.0 if pace.stay_in == "validating" else undisturbed.share)


def _cancelling(batch: BatchRecord, now: float, since: float, answered: Answered | None) -> Progress:
    share = _share(batch, since, answered)
    cancelled_at = since + VALIDATING_SHARE * batch.created.duration
    if now < cancelled_at:
        return Progress("cancelling", since, share)
    return Progress("cancelled", cancelled_at, share)


def _undisturbed(batch: BatchRecord, now: float, pace: Pace, answered: Answered | None) -> Progress:
    if batch.created.errors is not None and now >= validated_at(batch):
        return Progress("failed", validated_at(batch), 0.0)
    window_end = expires_at(batch) if pace.expires else math.inf
    share = _share(batch, min(now, window_end), answered)
    if share < 1 and now >= window_end:
        return Progress("expired", window_end, share)
    if now < validated_at(batch):
        return Progress("validating", batch.created.created_at, 0.0)
    if share < 1:
        return Progress("in_progress", validated_at(batch), share)
    return _all_lines_run(batch, now, pace, answered)


def _all_lines_run(batch: BatchRecord, now: float, pace: Pace, answered: Answered | None) -> Progress:
    if answered is not None:
        return Progress("completed", answered.last_at, 1.0)
    completed_at = batch.created.created_at + batch.created.duration
    if now >= completed_at:
        return Progress("completed", completed_at, 1.0)
    if pace.skip_finalizing:
        return Progress("in_progress", validated_at(batch), 1.0)
    return Progress("finalizing", finalizing_at(batch), 1.0)


def _share(batch: BatchRecord, now: float, answered: Answered | None) -> float:
    if answered is not None:
        return answered.lines / max(1, batch.created.total)
    begin, end = validated_at(batch), finalizing_at(batch)
    if now >= end:
        return 1.0
    return max(0.0, (now - begin) / (end - begin))
