"""Reads batches page by page, each page on a consistent view of its own, so that memory stays bounded."""

from collections.abc import Collection, Iterator
from functools import partial

from batchd.core.model import Batch
from batchd.core.states import BatchState
from batchd.ports import Ledger, Store

_PAGE = 200


def pages(store: Store, task: str | None, positions: Collection[BatchState]) -> Iterator[Batch]:
    """Every batch at one of these positions, by id."""
    last = 0
    while page := store.read(partial(_page, task, positions, last)):
        yield from page
        last = page[-1].id


def _page(task: str | None, positions: Collection[BatchState], last: int, ledger: Ledger) -> list[Batch]:
    return list(ledger.audit(task).page(positions, last, _PAGE))
