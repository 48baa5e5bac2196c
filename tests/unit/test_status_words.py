"""How long, how soon, at what pace; and what is cut where a screen ends."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from batchd.cli.pace import pace, pace_words
from batchd.cli.screen import Column, cut, table, wrapped
from batchd.cli.since import ago, lasting, roughly

NOW = dt.datetime(2026, 11, 20, 14, 30, tzinfo=dt.UTC)
TASK: dict[str, Any] = {
    "backlog": 900, "rows": {"open": 80, "retry": 20}, "paused": False, "configured": True,
}  # fmt: skip


def span(rows: int, batches: int, minutes: float) -> dict[str, Any]:
    """What batches of a span applied, the first of them built so many minutes ago."""
    return {"rows": rows, "batches": batches, "since": NOW - dt.timedelta(minutes=minutes)}


NONE = {"rows": 0, "batches": 0, "since": None}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (3720, "1 h 2 min"),
        (36_000 + 120, "10 h"),
        (86_400 + 7200, "1 d 2 h"),
        (40 * 86_400, "40 d"),
    ],
)
def test_a_time_is_told_no_more_exactly_than_a_person_needs(seconds: float, words: str) -> None:
    """Two units at most, and one where the first is large."""
    assert words == lasting(seconds)
    assert f"{words} ago" == ago(NOW - dt.timedelta(seconds=seconds), NOW)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (30, "less than a minute"),
        (60, "about 1 min"),
        (3500, "about 58 min"),
        (3600, "about 1 h"),
        (10_800, "about 3 h"),
        (100_000, "about 28 h"),
        (260_000, "about 3 d"),
    ],
)
def test_what_lies_ahead_is_told_in_one_unit(seconds: float, words: str) -> None:
    """It is a guess, and looks like one."""
    assert words == roughly(seconds)


def test_the_pace_is_that_of_the_last_hour_where_its_batches_are_short() -> None:
    """Three batches that were all built less than two hours ago: 500 rows in half an hour; 1,000 are left."""
    told = pace(TASK, {"hour": span(500, 3, 30), "day": span(500, 3, 30)}, NOW)

    assert told["rows_left"] == 1000
    assert told["rows_per_hour"] == 1000.0
    assert told["done_at"] == NOW + dt.timedelta(hours=1)
    assert pace_words(told, NOW) == "in about 1 h"


def test_the_pace_is_that_of_a_day_where_batches_take_long() -> None:
    """A batch that ended just now took nine hours: it is no pace of 900 rows an hour."""
    told = pace(TASK, {"hour": span(900, 1, 540), "day": span(900, 1, 540)}, NOW)

    assert told["rows_per_hour"] == 100.0
    assert pace_words(told, NOW) == "in about 10 h"


@pytest.mark.parametrize(
    ("task", "applied", "why"),
    [
        ({"backlog": None}, {}, "not counted: batchd status --count"),
        ({"backlog": 0, "rows": {"open": 0, "retry": 0}}, {}, "nothing is left"),
        ({"paused": True}, {}, "not while it is paused"),
        ({"configured": False}, {}, "not in the config any more"),
        ({}, {}, "not known: nothing written in 24 h"),
        ({}, {"hour": NONE, "day": NONE}, "not known: nothing written in 24 h"),
        ({}, {"hour": NONE, "day": span(0, 1, 60)}, "not known: nothing written in 24 h"),
    ],
)
def test_where_no_pace_is_known_it_says_why(task: dict[str, Any], applied: dict[str, Any], why: str) -> None:
    """No figure is better than a wrong one."""
    told = pace(TASK | task, applied, NOW)

    assert told["done_at"] is None
    assert pace_words(told, NOW) == why


def test_a_count_of_now_wins_over_the_last_sweep() -> None:
    """`--count` was asked for because the sweep's figure is old."""
    assert pace(TASK | {"backlog_now": 5}, {}, NOW)["rows_left"] == 105
    assert pace(TASK | {"backlog_now": None}, {}, NOW)["rows_left"] == 1000


@given(text=st.text(max_size=60), width=st.integers(1, 40), name=st.booleans())
def test_what_is_cut_fits(text: str, width: int, name: bool) -> None:  # noqa: FBT001
    """Letters of two cells, marks of none: what is shown is never wider than its place."""
    (line, *_) = table([Column("", least=1, name=name)], [[text]], width)[1:]

    assert cell_len(line) <= width


def test_figures_stand_at_the_right_and_are_never_cut() -> None:
    """A table that is too narrow for all gives of its names first, and of its figures nothing."""
    lines = table([Column("task", least=6, name=True), Column("rows", right=True)], [["a" * 30, "1,234,567"]], 17)

    assert lines == ["task         rows", "aaaa…a  1,234,567"]


def test_a_sentence_that_goes_on_is_cut_at_its_last_line() -> None:
    """Two lines, and a sign that there is more; a line break or a control character of the text moves nothing."""
    assert wrapped("one two three\nfour \x1b[2J five six seven", 24, "  ", 2) == [
        "  one two three four",
        "  [2J five six seven",
    ]
    assert wrapped("word " * 30, 24, "  ", 2)[1] == "  word word word word w…"
    assert cut("履歴書の抽出", 7) == "履歴書…"
