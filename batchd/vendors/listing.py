"""Walking a vendor's list of batches, newest first as a rule, although nothing promises an order."""

from collections.abc import Callable
from itertools import pairwise

from batchd.core.model import Listing, VendorBatch
from batchd.vendors.wire import BatchPage

PAGE_SIZE = 100
# 2,000 batches an hour is what OpenAI allows; this is two days of it.
_MAX_PAGES = 1_000


def walk(page_after: Callable[[str | None], BatchPage], since: int) -> Listing:
    """Reads pages until the list ends, or has clearly gone past ``since``.

    The listing is incomplete where an entry could not be read, where pages repeat themselves, and where
    there are more pages than any account can have.

    Args:
        page_after: reads the page after a cursor; the first page for None.
        since: Unix seconds; older batches are left out.
    """
    found: dict[str, VendorBatch] = {}
    cursor: str | None = None
    readable = True
    for _ in range(_MAX_PAGES):
        page = page_after(cursor)
        repeated = bool(page.batches) and all(batch.id in found for batch in page.batches)
        found.update({batch.id: batch for batch in page.batches})
        readable = readable and not page.unreadable
        if _is_last(page) or _is_past(list(found.values()), since):
            return _listing(found, since, complete=readable)
        if repeated or page.last_id is None or page.last_id == cursor:
            break
        cursor = page.last_id
    return _listing(found, since, complete=False)


def _is_last(page: BatchPage) -> bool:
    """An empty page ends the list, whatever it says; where a server says nothing, a short page does."""
    if page.has_more is None:
        return page.entries < PAGE_SIZE
    return not page.has_more or not page.entries


def _is_past(batches: list[VendorBatch], since: int) -> bool:
    """True once the list, seen to be in descending order throughout, has reached batches too old."""
    times = [batch.created_at for batch in batches]
    if not times or None in times:
        return False
    known = [time for time in times if time is not None]
    descending = known[0] > known[-1] and all(newer >= older for newer, older in pairwise(known))
    return descending and known[-1] < since


def _listing(found: dict[str, VendorBatch], since: int, *, complete: bool) -> Listing:
    wanted = (batch for batch in found.values() if batch.created_at is None or batch.created_at >= since)
    return Listing(tuple(wanted), complete)
