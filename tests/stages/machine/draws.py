"""What hypothesis draws from: acts of people, vendor and time, and mishaps in the middle of a pass."""

from collections.abc import Iterable

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.stages.machine.mishaps import ERRORS, Act, Mishap
from tests.stages.machine.vendor import ENDINGS, LINES, REFUSALS
from tests.stages.machine.world import LANE

ROWS = st.integers(1, 7)
_ANY = st.integers(0, 5)


def _act(name: str, *arguments: SearchStrategy[object]) -> SearchStrategy[Act]:
    return st.builds(Act, st.just(name), st.tuples(*arguments))


_KIND = st.one_of(st.just("good"), st.sampled_from(LINES), st.sampled_from(("poison", "invalid")))
_KINDS = st.lists(_KIND, min_size=1, max_size=4).map(tuple)
_COLUMNS = st.sampled_from(("resume", "name", "level", "note"))

AT_ROWS = st.one_of(
    _act("insert", ROWS, st.sampled_from((False, False, False, True))),
    _act("edit", ROWS, _COLUMNS),
    _act("edit", ROWS, _COLUMNS),
    _act("mark", ROWS),
    _act("reset", ROWS),
    _act("delete", ROWS),
    _act("set_aside", ROWS),
    _act("want", ROWS),
    _act("touch", ROWS),
    _act("empty", ROWS),
)
ENDS = _act(
    "vendor_ends",
    _ANY,
    st.sampled_from(("completed", *ENDINGS)),
    _KINDS,
    st.one_of(st.none(), st.integers(0, 3)),
    st.sampled_from((0, 0, 0, 1, 3)),
)
AT_THE_VENDOR = st.one_of(
    ENDS,
    ENDS,
    ENDS,
    _act("vendor_begins", _ANY, st.sampled_from(("in_progress", "finalizing", "napping"))),
    _act("vendor_refuses", _ANY, st.sampled_from(tuple(REFUSALS))),
    _act("late_creates_land"),
)
TIME = _act("wait", st.sampled_from((1.0, 61.0, 301.0, 1000.0, 3700.0, 30_000.0, 90_000.0)))
_CONFIGURE = _act("configure", st.sampled_from(("p1", "p2")), st.integers(1, 3), st.sampled_from((1, 3, 5)))
ELSEWHERE = st.one_of(
    _CONFIGURE,
    _act("lose_results"),
    _act("lose_inputs"),
)


def _commands(*more: SearchStrategy[object]) -> SearchStrategy[Act]:
    return st.one_of(
        _act("retry", st.one_of(st.none(), ROWS), *more),
        _act("cancel", _ANY, *more),
        _act("abandon", _ANY, *more),
        _act("send_again", _ANY, *more),
        _act("adopt", _ANY, _ANY, *more),
        _act("resolve", _ANY),
        _act("pause"),
        _act("resume"),
        _act("resume"),
    )


STAGES = st.one_of(
    st.just(LANE),
    st.just(LANE),
    st.just(("recover", "claim", "submit")),
    st.just(("recover", "submit", "poll", "collect", "apply")),
    st.lists(st.sampled_from(LANE), min_size=1, max_size=3).map(tuple),
)

# What people do to the rows that are in work: this is what promise 5 is about.
AT_ROWS_IN_WORK = st.one_of(
    _act("change_in_work", _ANY, st.sampled_from(("resume", "name", "level", "note"))),
    _act(
        "change_in_work",
        _ANY,
        st.sampled_from(("mark", "mark_and_reset", "delete", "come_again", "touch", "set_aside")),
    ),
)
# What may change between a batch's claim and its end.
WHILE_OPEN = st.one_of(AT_ROWS_IN_WORK, AT_ROWS_IN_WORK, _CONFIGURE)
# What others do while somebody sleeps: it is time that makes a lease go.
_OTHERS = st.one_of(_act("work", st.just("B"), STAGES), TIME, AT_ROWS_IN_WORK, AT_ROWS, AT_THE_VENDOR, _commands())
_LONG_SLEEP = st.tuples(_act("wait", st.sampled_from((400.0, 4000.0))), _act("work", st.just("B"), STAGES))
_MEANWHILES = st.one_of(
    _LONG_SLEEP,
    st.builds(lambda sleep, more: (*sleep, *more), _LONG_SLEEP, st.lists(_OTHERS, max_size=3)),
    st.lists(_OTHERS, min_size=1, max_size=3).map(tuple),
)


@st.composite
def _rows_of_a_table(draw: st.DrawFn) -> tuple[Act, ...]:
    how = draw(st.sampled_from(("mark", "set_aside", "delete")))
    return tuple(Act(how, (row,)) for row in draw(st.sets(ROWS, min_size=1, max_size=4)))


@st.composite
def _meanwhile(draw: st.DrawFn) -> tuple[Act, ...]:
    # Composites, here and below, keep hypothesis from writing all of this out as text.
    return draw(_MEANWHILES)


_CALLS = (
    "upload",
    "create_batch",
    "retrieve_batch",
    "list_batches",
    "cancel_batch",
    "file_bytes",
    "download",
    "delete_file",
)
# Commits that promises hang on, by their names in batchd/failpoints.py.
_COMMITS = (
    "claim.record",
    "submit.intent",
    "submit.record",
    "collect.record",
    "apply.chunk",
    "apply.chunk",
    "apply.close",
)
_UNCLEAR_AFTER = ("upload", "create_batch", "create_batch", "cancel_batch", "delete_file")
_WHEN = st.sampled_from(("before", "after"))


def _mishap(
    points: Iterable[str],
    when: SearchStrategy[str],
    what: Iterable[str],
    nth: int = 2,
) -> SearchStrategy[Mishap]:
    return st.builds(Mishap, st.sampled_from(tuple(points)), st.integers(1, nth), when, st.sampled_from(tuple(what)))


def _asleep(points: Iterable[str], nth: int, when: SearchStrategy[str] = _WHEN) -> SearchStrategy[Mishap]:
    return st.builds(
        Mishap, st.sampled_from(tuple(points)), st.integers(1, nth), when, st.just("meanwhile"), _meanwhile()
    )


_MISHAPS: SearchStrategy[tuple[Mishap, ...]] = st.lists(
    st.one_of(
        _mishap(_CALLS, st.just("before"), ERRORS),
        _mishap(_UNCLEAR_AFTER, st.just("after"), ("unclear",)),
        _mishap(("create_batch",), st.just("after"), ("unclear", "crash"), 1),
        _mishap(("create_batch",), st.just("before"), ("late", "unclear"), 1),
        _mishap(("list_batches",), st.just("before"), ("incomplete",)),
        _mishap(("download",), st.just("before"), ("cut",)),
        _mishap((*_CALLS, "create_batch", "spool", "drop_lines"), _WHEN, ("crash",)),
        _mishap(("commit",), _WHEN, ("crash",), 20),
        _mishap(("commit",), st.just("before"), ("repeat",), 20),
        _mishap(_COMMITS, _WHEN, ("crash",)),
        _mishap(_COMMITS, st.just("before"), ("repeat",)),
        # A row that is done, set aside or deleted between its being read and its being recorded.
        st.builds(
            Mishap, st.just("claim.record"), st.just(1), st.just("before"), st.just("meanwhile"), _rows_of_a_table()
        ),
        # A POST that outlasts its lease: what it learns must not be lost.
        _asleep(("create_batch",), 1, st.just("after")),
        _asleep(_COMMITS, 2),
        _asleep((*_CALLS, "create_batch", "spool"), 2),
        _asleep(("commit",), 20),
    ),
    max_size=2,
).map(tuple)


@st.composite
def _mishaps(draw: st.DrawFn) -> tuple[Mishap, ...]:
    return draw(_MISHAPS)


@st.composite
def _any_command(draw: st.DrawFn) -> Act:
    return draw(st.one_of(_commands(), _commands(_mishaps())))


MISHAPS = _mishaps()
COMMANDS = _any_command()
