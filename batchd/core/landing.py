"""Where an answer lands: on the row it was asked for, or nowhere, because the row moved meanwhile."""

import json
from collections.abc import Sequence
from typing import Any

import orjson

from batchd.core.model import OpenRequest, RowNow
from batchd.core.outcomes import Outcome
from batchd.core.tasks import TaskDefinition
from batchd.core.verdicts import Verdict

# Below this many requests, more than half of them odd says nothing about the batch.
FEWEST_TO_SUSPECT = 20
# Outcomes that are likelier our mistake than the rows', where there are many of them.
SUSPECT = frozenset({Outcome.STALE, Outcome.GONE, Outcome.INVALID})


def landing(request: OpenRequest, verdict: Verdict, row: RowNow | None) -> Outcome:
    """The outcome of a request, given what the vendor said and what the row is under the lock."""
    if verdict.outcome is not Outcome.APPLIED:
        return verdict.outcome
    if row is None:
        return Outcome.GONE
    if not row.pending:
        return Outcome.STALE
    # No guard was read where the guard column is equal: a quick yes.
    unchanged = row.guard is None or row.guard == request.guard
    return Outcome.APPLIED if unchanged else Outcome.STALE


def is_suspect(outcomes: Sequence[Outcome]) -> bool:
    """True where more than half of a first chunk is stale, gone or invalid: likelier our mistake than the rows'."""
    odd = sum(outcome in SUSPECT for outcome in outcomes)
    return len(outcomes) >= FEWEST_TO_SUSPECT and odd * 2 > len(outcomes)


class ValuesToWrite:
    """What a batch writes to each of its rows: the answer's columns, and the constant markers of ``on_success``.

    Times are the database's to write.
    """

    def __init__(self, definition: TaskDefinition, batch_uid: str) -> None:
        told = {"batch": batch_uid, "model": definition.model}
        markers = definition.on_success.items()
        self._markers = {
            column: marker.constant if marker.source == "constant" else told[marker.source]
            for column, marker in markers
            if marker.source != "now"
        }
        self._models = [column for column, marker in markers if marker.source == "model"]

    def of(self, verdict: Verdict) -> dict[str, Any]:
        """By column. The model is the one that answered, where it is told."""
        values = {**verdict.values, **self._markers}
        if verdict.model:
            values.update(dict.fromkeys(self._models, verdict.model))
        return values


def before_image(before: dict[str, Any] | None) -> str:
    """The columns batchd is about to write, as they were, in JSON: enough to put them back.

    ``null`` says that there was no row: what was added can be taken away.
    """
    try:
        return orjson.dumps(before, default=_plain).decode()
    except TypeError:
        # Half characters, and numbers beyond 64 bits: escaped, they can still be put back.
        return json.dumps(before, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"hex": bytes(value).hex()}
    return str(value)
