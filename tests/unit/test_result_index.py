"""The first pass over the result files: each request's line, and whatever is odd about the lines."""

import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.bodies import custom_id
from batchd.core.result_index import Place, ResultIndex, ResultKind, index_results

UID = "0" * 31 + "1"
OTHER_UID = "0" * 31 + "2"
SEQS = frozenset(range(1, 6))


def line(name: Any, said: Any = "yes", **extra: Any) -> bytes:
    envelope = {"custom_id": name, "response": {"status_code": 200, "body": {"said": said}}, "error": None}
    return orjson.dumps({**envelope, **extra}) + b"\n"


def ours(seq: int, said: Any = "yes", **extra: Any) -> bytes:
    return line(custom_id(UID, seq), said, **extra)


def with_offsets(lines: list[bytes]) -> list[tuple[int, bytes]]:
    return [(sum(map(len, lines[:at])), raw) for at, raw in enumerate(lines)]


def indexed(output: list[bytes], error: list[bytes] | None = None) -> ResultIndex:
    files: list[tuple[ResultKind, list[tuple[int, bytes]]]] = [("output", with_offsets(output))]
    if error is not None:
        files.append(("error", with_offsets(error)))
    return index_results(UID, SEQS, files)


def test_each_line_is_found_by_its_request() -> None:
    """Order means nothing; a place is a file and the offset of the line's first byte."""
    output, error = [ours(3), ours(1)], [ours(2)]

    found = indexed(output, error)

    assert {3: Place("output", 0), 1: Place("output", len(output[0])), 2: Place("error", 0)} == found.places
    assert (found.lines, found.repeats, found.strangers, found.conflicts) == (3, 0, [], {})
    assert not found.broken_end


def test_the_same_line_twice_is_a_repeat() -> None:
    """Only what a line says counts: its own id, key order and blanks may differ between two deliveries."""
    again = b'{"error":null, "id":"r-2", "response":{"body":{"said":"yes"},"status_code":200},"custom_id":"%s"}\n'

    found = indexed([ours(1, id="r-1"), again % custom_id(UID, 1).encode()])

    assert {1: Place("output", 0)} == found.places
    assert (found.repeats, found.conflicts) == (1, {})


def test_lines_that_contradict_each_other_are_a_conflict() -> None:
    """Also where one is an answer and the other an error; every other line is kept in place."""
    output, error = [ours(1, "yes"), ours(1, "no")], [ours(1, error={"code": "x"})]

    found = indexed(output, error)

    assert {1: Place("output", 0)} == found.places
    assert {1: [Place("output", len(output[0])), Place("error", 0)]} == found.conflicts
    assert found.repeats == 0


@pytest.mark.parametrize(
    "raw",
    [
        line(custom_id(OTHER_UID, 1)),
        line(custom_id(UID, 6)),
        line(custom_id(UID, 0)),
        line(UID),
        line(f"{UID}-01"),
        line(f" {UID}-1"),
        line(f"{UID}-١"),  # noqa: RUF001 - a digit in another script is not our digit
        line(None),
        line(7),
        b'"text"\n',
        b"not JSON\n",
        b"\xff\xfe\n",
        b"[1]\n",
    ],
)
def test_a_line_that_is_not_ours_is_a_stranger(raw: bytes) -> None:
    """Whatever it says, it goes to no row."""
    found = indexed([ours(1), raw])

    assert {1} == set(found.places)
    assert [Place("output", len(ours(1)))] == found.strangers


def test_blank_lines_are_nothing() -> None:
    """Neither ours nor strangers."""
    found = indexed([b"\n", b"  \r\n", ours(1)])

    assert ({1}, []) == (set(found.places), found.strangers)


@pytest.mark.parametrize(
    ("last", "broken"),
    [
        (ours(2), False),
        (ours(2).rstrip(), False),
        (ours(2)[:-9], True),
        (b'{"custom_id": "', True),
        (b"{}\n", False),
    ],
)
def test_a_cut_off_last_line_is_seen(last: bytes, broken: bool) -> None:  # noqa: FBT001
    """A missing newline is no harm, half a line is; in either file."""
    assert broken == indexed([ours(1), last]).broken_end
    assert broken == indexed([ours(1)], [last]).broken_end
    assert broken == indexed([last], [ours(1)]).broken_end


def test_empty_files_hold_nothing() -> None:
    """A vendor may send an empty file, or none."""
    assert ResultIndex(UID) == indexed([], [])
    assert ResultIndex(UID) == index_results(UID, SEQS, [])


@pytest.mark.parametrize("said", ['"\\ud800"', "[" * 400 + "]" * 400, "NaN"])
def test_json_that_cannot_be_written_again_is_compared_as_it_came(said: str) -> None:
    """Half characters and deep nesting still tell a repeat from a conflict."""
    text = '{"custom_id": "%s", "response": {"status_code": 200, "body": {"said": %s, "n": %d}}}\n'
    first, second = ((text % (custom_id(UID, 1), said, number)).encode() for number in (1, 2))

    found = indexed([first, first, second])

    assert (1, [Place("output", 2 * len(first))]) == (found.repeats, found.conflicts[1])


LINES = st.lists(
    st.builds(ours, st.integers(1, 5), st.sampled_from(["yes", "no"]))
    | st.builds(line, st.sampled_from([None, "x", custom_id(OTHER_UID, 1), custom_id(UID, 9)])),
    max_size=25,
)


@given(LINES, LINES, st.randoms())
def test_the_order_of_lines_decides_nothing(output: list[bytes], error: list[bytes], chance: random.Random) -> None:
    """Shuffled within and between the files: the same requests answered, in conflict, and strangers."""
    mixed = output + error
    chance.shuffle(mixed)
    cut = chance.randint(0, len(mixed))

    one, other = indexed(output, error), indexed(mixed[:cut], mixed[cut:])

    assert set(one.places) == set(other.places)
    assert set(one.conflicts) == set(other.conflicts)
    assert len(one.strangers) == len(other.strangers)


@given(LINES, LINES)
def test_every_line_is_accounted_for(output: list[bytes], error: list[bytes]) -> None:
    """First, repeated, contradicting or strange: no line vanishes."""
    found = indexed(output, error)

    contradicting = sum(len(places) for places in found.conflicts.values())
    assert len(output) + len(error) == found.lines + found.repeats + contradicting + len(found.strangers)
    assert set(found.conflicts) <= set(found.places) <= SEQS
