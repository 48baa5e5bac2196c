"""Where an answer lands: on the row as it was asked, or nowhere."""

import json
from typing import Any

import pytest

from batchd.core.keys import RowKey
from batchd.core.landing import FEWEST_TO_SUSPECT, ValuesToWrite, before_image, is_suspect, landing
from batchd.core.model import OpenRequest, RowNow
from batchd.core.outcomes import Outcome, Tries
from batchd.core.tasks import Marker
from batchd.core.verdicts import Verdict
from tests.unit.examples import a_task

REQUEST = OpenRequest(1, RowKey(7), guard="as read", guard_value="v1", tries=Tries())
ANSWER = Verdict(Outcome.APPLIED, {"Summary": "short"}, model="m-2026-01-01")


def row(*, pending: bool = True, guard: str | None = "as read") -> RowNow:
    return RowNow(RowKey(7), pending, guard, "v1", {})


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        (row(), Outcome.APPLIED),
        (row(guard=None), Outcome.APPLIED),
        (row(guard="changed"), Outcome.STALE),
        (row(pending=False), Outcome.STALE),
        (row(pending=False, guard=None), Outcome.STALE),
        (row(pending=False, guard="changed"), Outcome.STALE),
        (None, Outcome.GONE),
    ],
)
def test_a_good_answer_is_written_only_where_the_row_stands_as_read(now: RowNow | None, outcome: Outcome) -> None:
    """It must be there, still pending, and unchanged; an equal guard column spares the comparison."""
    assert outcome is landing(REQUEST, ANSWER, now)


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.APPLIED])
@pytest.mark.parametrize("now", [row(), row(pending=False), None])
def test_without_an_answer_the_row_decides_nothing(outcome: Outcome, now: RowNow | None) -> None:
    """What the vendor said stays what became of the request."""
    assert outcome is landing(REQUEST, Verdict(outcome), now)


@pytest.mark.parametrize("odd", [Outcome.STALE, Outcome.GONE, Outcome.INVALID])
def test_more_than_half_odd_is_suspect(odd: Outcome) -> None:
    """Exactly half is not, and few requests say nothing."""
    half = FEWEST_TO_SUSPECT // 2

    assert not is_suspect([odd] * half + [Outcome.APPLIED] * half)
    assert is_suspect([odd] * (half + 1) + [Outcome.APPLIED] * (half - 1))
    assert not is_suspect([odd] * (FEWEST_TO_SUSPECT - 1))
    assert not is_suspect([])


def test_failures_that_come_from_the_vendor_are_not_suspect() -> None:
    """A bad day of the vendor is no sign that the results belong to other rows."""
    harmless = [one for one in Outcome if one not in {Outcome.STALE, Outcome.GONE, Outcome.INVALID}]

    assert not is_suspect(harmless * FEWEST_TO_SUSPECT)


def test_markers_are_written_beside_the_answer() -> None:
    """Constants of every type, and where the answer came from; the time is the database's to write."""
    constants: dict[str, Any] = {"a": "text", "b": 1, "c": 1.5, "d": True, "e": None}
    markers = {name: Marker(constant=value) for name, value in constants.items()}
    origins = {name: Marker(source=name) for name in ("batch", "model", "now")}
    task = a_task(on_success=markers | origins)

    written = ValuesToWrite(task, "uid-1").of(ANSWER)

    assert {"Summary": "short", **constants, "batch": "uid-1", "model": "m-2026-01-01"} == written


def test_the_model_is_the_tasks_where_the_vendor_names_none() -> None:
    """A compatible server may leave it out."""
    task = a_task(on_success={"model": Marker(source="model")}, model="gpt-6-luna")

    assert ValuesToWrite(task, "uid-1").of(Verdict(Outcome.APPLIED)) == {"model": "gpt-6-luna"}


def test_a_before_image_can_be_read_back() -> None:
    """Text of every plane, numbers, NULL; bytes as hex."""
    values = {"a": "é漢😀\n\"'", "b": None, "c": 1, "d": 1.5, "e": True}

    assert values == json.loads(before_image(values))
    assert json.loads(before_image({"raw": b"\x00\xff"})) == {"raw": {"hex": "00ff"}}
    assert json.loads(before_image({"raw": memoryview(b"a")})) == {"raw": {"hex": "61"}}
    assert json.loads(before_image({})) == {}


def test_a_row_that_was_not_there_has_a_before_image_too() -> None:
    """What was added can be told from what was filled, and be taken away."""
    assert json.loads(before_image(None)) is None
