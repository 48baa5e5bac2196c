"""Pages of a vendor's list of batches, and whether all of it was seen."""

from collections.abc import Callable
from typing import Any

import pytest

from batchd.vendors.listing import walk
from batchd.vendors.wire import BatchPage, page_from_json


def pages(*contents: list[int | None], more_at_end: bool = False) -> Callable[[str | None], BatchPage]:
    """A list in pages; an entry's id is its place, its number its time."""
    numbered, place = [], 0
    for content in contents:
        numbered.append([{"id": f"b{place + n}", "created_at": moment} for n, moment in enumerate(content)])
        place += len(content)
    cursors = [None, *(page[-1]["id"] if page else None for page in numbered)]

    def page_after(cursor: str | None) -> BatchPage:
        number = cursors.index(cursor)
        more = more_at_end or number + 1 < len(numbered)
        return page_from_json({"data": numbered[number], "has_more": more})

    return page_after


@pytest.mark.parametrize(
    ("contents", "found", "read"),
    [
        ([[9, 8], [7, 6], [5, 4], [3]], 3, 2),
        ([[3, 4], [5, 6], [7, 8], [9]], 3, 4),
        ([[9, 8], [10, 6], [7]], 4, 3),
        ([[5, 5], [5, 5], [9]], 1, 3),
        ([[9, None], [3, 8]], 3, 2),
    ],
)
def test_a_walk_ends_early_only_in_a_list_that_is_newest_first(
    contents: list[list[int | None]], found: int, read: int
) -> None:
    """No order is promised: pages that don't descend are read to the end."""
    asked: list[str | None] = []
    source = pages(*contents)

    def page_after(cursor: str | None) -> BatchPage:
        asked.append(cursor)
        return source(cursor)

    listing = walk(page_after, since=7)

    assert (len(listing.batches), len(asked), listing.complete) == (found, read, True)


def test_an_empty_page_is_the_end() -> None:
    """Whatever ``has_more`` says."""
    listing = walk(pages([9], [], more_at_end=True), since=0)

    assert ([batch.id for batch in listing.batches], listing.complete) == (["b0"], True)


def test_a_list_that_repeats_itself_is_incomplete() -> None:
    """A server that ignores the cursor would keep us reading for ever."""
    page = page_from_json({"data": [{"id": "b1"}, {"id": "b2"}], "has_more": True})

    listing = walk(lambda _: page, since=0)

    assert (len(listing.batches), listing.complete) == (2, False)


def test_a_list_without_end_is_incomplete() -> None:
    """Ever new entries stop at the cap."""
    numbers = iter(range(10_000))

    def page_after(_: str | None) -> BatchPage:
        return page_from_json({"data": [{"id": f"b{next(numbers)}"}], "has_more": True})

    listing = walk(page_after, since=0)

    assert not listing.complete
    assert len(listing.batches) == 1000


def test_an_entry_that_cannot_be_read_makes_the_list_incomplete() -> None:
    """It may have been ours."""
    listing = walk(lambda _: page_from_json({"data": [{"id": "b1"}, {"status": "x"}]}), since=0)

    assert ([batch.id for batch in listing.batches], listing.complete) == (["b1"], False)


@pytest.mark.parametrize("value", [None, {}, {"error": {}}, "text"])
def test_a_reply_without_data_is_no_page(value: Any) -> None:
    """An error object with status 200 isn't an empty list."""
    with pytest.raises(ValueError, match="not a page"):
        page_from_json(value)
