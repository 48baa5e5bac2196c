"""The rows a claim may take, in the order it takes them: retries that are due, then the table in key order.

For a single integer key the table is read from a resume point, which makes the common pass cheap and no more:
rows commit late, are reset, or have keys that don't grow, so a sweep from the start finds what it passes over.
"""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import structlog

from batchd import events
from batchd.core.keys import RowKey
from batchd.core.model import KeyPage, Lease, SourceRow, TaskRecord
from batchd.core.tasks import TaskDefinition
from batchd.ports import Ledger, Workplace
from batchd.side_by_side import ahead

log = structlog.get_logger("batchd")

_PAGE = 2000
_RETRIES_A_PAGE = 500
# A first page is small, since nobody knows how long its texts are; later ones have about so many characters.
_FIRST_PAGE = 50
_PAGE_CHARACTERS = 1_000_000
_MOST_RETRIES = 50_000


class Due(NamedTuple):
    """A row that is due; ``retried`` has a gate already, ``moves_resume`` was met in key order."""

    row: SourceRow
    retried: bool
    moves_resume: bool


class DueRows:
    """What is due for one task, read page by page as it is taken.

    Args:
        place: the workplace.
        definition: the task, as it is configured.
        record: the task, as the ledger knows it.
        lease: the right to claim for it.
        eager: sweep whether or not one is due.
    """

    def __init__(
        self, place: Workplace, definition: TaskDefinition, record: TaskRecord, lease: Lease, *, eager: bool
    ) -> None:
        self._place = place
        self._definition = definition
        self._record = record
        self._lease = lease
        self._eager = eager
        # Of one integer key the database itself leaves out what is gated; otherwise that takes another statement, as do
        # rows of which a part is in another table.
        at_once = definition.has_integer_key and definition.target is None
        self._look = place.store.ask if at_once else place.store.read
        # True once every row of the table was offered.
        self.exhausted = False

    def __iter__(self) -> Iterator[Due]:
        """Retries first, then the table from the resume point, then, where a sweep is due, from its start."""
        yield from self._retries()
        start = self._record.resume_key if self._definition.has_integer_key else None
        yield from self._table(start, None)
        sweeps = start is not None and self.sweeps()
        if sweeps:
            yield from self._table(None, start)
        self.exhausted = start is None or sweeps

    def _retries(self) -> Iterator[Due]:
        keys = self._place.store.ask(lambda ledger: ledger.gates.due_retries(self._record.id, _MOST_RETRIES))
        for at in range(0, len(keys), _RETRIES_A_PAGE):
            wanted = partial(self._still_wanted, keys[at : at + _RETRIES_A_PAGE])
            # Under the lease: a gate that another process has opened meanwhile must not be dropped.
            rows = self._place.store.transact(wanted, lease=self._lease, step="claim.forget")
            yield from (Due(row, retried=True, moves_resume=False) for row in rows)

    def _still_wanted(self, keys: list[RowKey], ledger: Ledger) -> list[SourceRow]:
        rows = ledger.rows(self._record.id, self._definition)
        pending = rows.pending_among(keys)
        ledger.gates.drop(self._record.id, [key for key in keys if key.identity not in pending])
        return rows.read([key for key in keys if key.identity in pending])

    def _table(self, after: int | None, until: int | None) -> Iterator[Due]:
        """Claimable rows in key order, ``after`` < key ≤ ``until``; bounds only ever for single integer keys."""
        moves_resume = until is None and self._definition.has_integer_key
        with contextlib.closing(ahead(self._pages(after), is_served=self._place.store.is_served)) as pages:
            for page, rows in pages:
                if page.unusable:
                    self._report_unusable(page.unusable)
                for row in rows:
                    if until is not None and row.key.integer > until:
                        return
                    yield Due(row, retried=False, moves_resume=moves_resume)

    def _pages(self, after: int | None) -> Iterator[tuple[KeyPage, list[SourceRow]]]:
        position: tuple[Any, ...] | None = None if after is None else (after,)
        size = _FIRST_PAGE
        while True:
            page, rows = self._look(partial(self._page, position, size))
            yield page, rows
            if page.last is None:
                return
            position, size = page.last, next_page(rows)

    def _page(self, after: tuple[Any, ...] | None, size: int, ledger: Ledger) -> tuple[KeyPage, list[SourceRow]]:
        return ledger.rows(self._record.id, self._definition).claimable_rows(after, size)

    def _report_unusable(self, number: int) -> None:
        self._place.store.transact(
            lambda ledger: ledger.findings.open("unusable-keys", f"task {self._record.name}"), step="claim.unusable"
        )
        log.warning(events.CLAIM_ROWS_UNUSABLE, rows=number)

    def sweeps(self) -> bool:
        """True where the table is to be read from its start."""
        if self._eager:
            return True
        since = self._place.store.ask(lambda ledger: ledger.tasks.seconds_since_sweep(self._record.id))
        return since is None or since >= self._place.sweep_interval


def next_page(rows: Sequence[SourceRow]) -> int:
    """How many rows to read next, so that a page of long texts takes no more memory than one of short ones."""
    characters = sum(len(value) for row in rows for value in row.inputs.values() if isinstance(value, str | bytes))
    return max(1, min(_PAGE, _PAGE_CHARACTERS * len(rows) // max(characters, 1))) if rows else _PAGE
