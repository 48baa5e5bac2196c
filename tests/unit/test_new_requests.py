"""A batch's requests in few bytes: what goes in comes out, whatever keys and guards are like."""

import sys
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from batchd.core.keys import RowKey
from batchd.core.model import NewRequest
from batchd.core.new_requests import NewRequests

integers = st.integers(-(2**63), 2**63 - 1)
keys = st.one_of(
    integers.map(RowKey), st.tuples(st.just(0), st.text(), st.text("0123456789abcdef")).map(lambda it: RowKey(*it))
)
requests = st.lists(
    st.builds(NewRequest, st.integers(1, 10**9), keys, st.text(), st.none() | st.text(), st.booleans()), max_size=20
)


@given(requests)
def test_what_goes_in_comes_out(given_requests: list[NewRequest]) -> None:
    """In its order, each as it was."""
    kept = NewRequests(given_requests)

    assert (len(given_requests), given_requests) == (len(kept), list(kept))


@given(requests, st.integers(1, 7))
def test_runs_are_all_of_them_and_none_too_long(given_requests: list[NewRequest], size: int) -> None:
    """The last one may be shorter."""
    runs = list(NewRequests(given_requests).runs(size))

    assert given_requests == [one for run in runs for one in run]
    assert all(len(run) == size for run in runs[:-1])
    assert all(0 < len(run) <= size for run in runs[-1:])


@given(requests, st.data())
def test_without_some_the_others_are_left(given_requests: list[NewRequest], data: st.DataObject) -> None:
    """By their numbers."""
    gone = data.draw(st.sets(st.sampled_from([one.seq for one in given_requests]))) if given_requests else set()

    assert [one for one in given_requests if one.seq not in gone] == list(NewRequests(given_requests).without(gone))


def test_they_take_a_fraction_of_what_objects_take() -> None:
    """Which is what this is for: a claim of 50,000 rows had 18 MB of them."""
    number = 10_000
    tracemalloc.start()
    try:
        kept = NewRequests(NewRequest(seq, RowKey(10**9 + seq), f"{seq:032x}", None) for seq in range(number))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert number == len(kept)
    assert taken / number < sys.getsizeof(NewRequest(1, RowKey(1), "", None))
