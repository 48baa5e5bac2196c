"""A verdict for each request of a batch."""

from collections.abc import Mapping, Sequence

import orjson
import pytest

from batchd.core.bodies import custom_id
from batchd.core.judging import FileAnswers, Judged, RefusedAnswers
from batchd.core.outcomes import RULES, Outcome
from batchd.core.refusals import Refusal, Remedy
from batchd.core.result_index import Place, index_results
from batchd.core.result_lines import LineReader
from batchd.core.verdicts import Verdict
from batchd.errors import SpoolError
from tests.unit.examples import a_task, chat

UID = "0" * 31 + "1"


def line(seq: int, said: str) -> bytes:
    body = {"status_code": 200, "body": chat(said)}
    return orjson.dumps({"custom_id": custom_id(UID, seq), "response": body, "error": None}) + b"\n"


def answers(*lines: bytes, seqs: Sequence[int] = (1, 2, 3)) -> FileAnswers:
    by_place = {Place("output", sum(map(len, lines[:at]))): raw for at, raw in enumerate(lines)}

    def lines_at(places: Sequence[Place]) -> Mapping[Place, bytes]:
        return {place: by_place[place] for place in places}

    listed = [(place.offset, raw) for place, raw in by_place.items()]
    index = index_results(UID, frozenset(seqs), [("output", listed)])
    return FileAnswers(index, LineReader(a_task()), lines_at)


def test_requests_are_judged_in_the_order_asked_for() -> None:
    """Each by its own line, whatever the order of the file."""
    found = answers(line(2, "two"), line(1, "one")).judge([1, 2])

    assert [(one.seq, one.verdict.values) for one in found] == [
        (1, {"Summary": "one"}),
        (2, {"Summary": "two"}),
    ]
    assert [one.verdict.outcome for one in found] == [Outcome.APPLIED] * 2
    assert (line(1, "one").decode().rstrip("\n"),) == found[0].lines


@pytest.mark.parametrize(
    "altered",
    [line(2, "one"), line(1, "won"), b"not json\n", b"\n"],
    ids=["another row's", "other words", "no JSON", "none"],
)
def test_a_line_that_is_not_what_was_indexed_is_no_answer(altered: bytes) -> None:
    """A file that somebody alters between two chunks is noticed before a row gets what stands there now."""
    index = index_results(UID, frozenset({1, 2}), [("output", [(0, line(1, "one"))])])
    found = FileAnswers(index, LineReader(a_task()), lambda places: dict.fromkeys(places, altered))

    with pytest.raises(SpoolError, match="altered while it was applied"):
        found.judge([1])


def test_a_request_without_a_line_is_missing() -> None:
    """It says so in our words, and there is nothing to keep."""
    (found,) = answers(line(1, "one")).judge([3])

    sentence = RULES[Outcome.MISSING].meaning
    assert Judged(3, Verdict(Outcome.MISSING, code="missing", sentence=sentence)) == found


def test_contradicting_lines_are_a_conflict() -> None:
    """Nothing is written and every line is kept; the others of the batch are not touched by it."""
    conflict, good = answers(line(1, "yes"), line(1, "no"), line(2, "two"), line(1, "maybe")).judge([1, 2])

    assert (conflict.verdict.outcome, conflict.verdict.values) == (Outcome.CONFLICT, {})
    assert [line(1, said).decode().rstrip("\n") for said in ("yes", "no", "maybe")] == list(conflict.lines)
    assert Outcome.APPLIED is good.verdict.outcome


def test_the_same_line_twice_is_one_answer() -> None:
    """A repeated delivery changes nothing."""
    (found,) = answers(line(1, "one"), line(1, "one")).judge([1])

    assert Outcome.APPLIED is found.verdict.outcome
    assert len(found.lines) == 1


def test_strangers_are_handed_over_as_text() -> None:
    """Also where they are no text at all."""
    found = answers(b"\xff\n", line(9, "nobody's"), line(1, "one")).strangers()

    assert ["\ufffd", line(9, "nobody's").decode().rstrip("\n")] == found
    assert answers(line(1, "one")).strangers() == []


def test_a_poisoned_request_keeps_its_lines_and_loses_its_values() -> None:
    """What was paid for is kept; the sentence is ours."""
    (found,) = answers(line(1, "one")).judge([1])

    poisoned = found.poisoned("the database refused the values")

    assert (
        poisoned.verdict.outcome,
        poisoned.verdict.values,
        poisoned.verdict.code,
    ) == (Outcome.POISON, {}, "poison")
    assert poisoned.verdict.sentence == "the database refused the values"
    assert found.lines == poisoned.lines
    assert found.verdict.usage == poisoned.verdict.usage


def test_lines_that_the_vendor_named_are_rejected() -> None:
    """Lines count from 1 in the order of the numbers, gaps included; siblings were not sent."""
    refused = RefusedAnswers(Refusal(Remedy.ROWS, "x", {2: "invalid_json_line"}), [9, 4, 7])

    found = {one.seq: (one.verdict.outcome, one.verdict.code) for one in refused.judge([9, 7, 4])}

    unsent = (Outcome.UNSENT, "unsent")
    assert {4: unsent, 7: (Outcome.REJECTED, "invalid_json_line"), 9: unsent} == found
    assert refused.strangers() == []


def test_what_is_kept_of_a_line_holds_no_nul() -> None:
    """Not every database keeps one, and a line of nobody's must not hold up the batch."""
    assert ['{"custom_id": "\ufffd"}'] == answers(b'{"custom_id": "\x00"}\n').strangers()
