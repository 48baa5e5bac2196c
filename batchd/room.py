"""The room there is for batch files, looked at before rows are claimed: claiming is what stops first.

A file that ends in the middle of a full disk is thrown away and built again later. Results can't be built again, and
the vendor's copy expires; so what open batches will need is kept free for them.
"""

import contextlib
from collections.abc import Callable, Iterator

import structlog

from batchd import events
from batchd.core.findings import SPOOL_STOPS
from batchd.errors import SpoolError, SpoolFullError
from batchd.ports import Coming, Ledger, Spool, Workplace

log = structlog.get_logger("batchd")

SUBJECT = "spool"
# Less would make many small batches of a large backlog, each as soon as another's results are smaller than thought.
_LEAST = 1_000_000
# So often, in seconds, who waits for others says that it does.
_BEAT = 5.0


def room_for_input(place: Workplace) -> int:
    """Bytes that batch files may still have; 0 where nothing may be claimed, and then a finding says so.

    Free are the disk's free bytes, less the reserve, less what the results of open batches will need, taken to be as
    large as their input files. Half of that is for the files, half for their own results.
    """
    try:
        free = place.spool.free_bytes()
    except SpoolError as error:
        report_trouble(place, error)
        return 0
    needed = place.spool_reserve + place.store.ask(lambda ledger: ledger.batches.bytes_on_the_way())
    room = free - needed
    if room < _LEAST:
        _settle(place, "spool-full", f"{free:,} bytes are free; {needed + _LEAST:,} are needed before more is claimed")
        return 0
    # A batch whose results found no room shows that the guess was too low.
    waiting = place.store.ask(lambda ledger: ledger.findings.is_open("spool-full", "batch"))
    _settle(place)
    return 0 if waiting else room // 2


@contextlib.contextmanager
def kept_for_input(place: Workplace, most: int) -> Iterator[int]:
    """Bytes that the next batch file may have, ``most`` at most, kept for it until the end; 0 where there is no room.

    What other tasks may write meanwhile is theirs: the free bytes show a file only once it is written, and the ledger
    only once its batch is recorded.
    """
    coming = place.inputs_coming
    with coming.changed:
        # Looked at in here: a file that ends in between is in the ledger or still among those that are coming.
        room = min(room_for_input(place) - coming.bytes, most)
        # Too little beside the others is no finding: what they don't need is known soon.
        room = room if room >= min(_LEAST // 2, most) else 0
        coming.bytes += room
    try:
        yield room
    finally:
        with coming.changed:
            coming.bytes -= room


class RoomForResults:
    """The room for result files, where several are brought to disk at once: what each will need is kept for it.

    Args:
        spool: where they are brought to.
        coming: what is on its way there; one and the same for all who use this spool.
        beat: called from time to time while one waits for the others.
    """

    def __init__(self, spool: Spool, coming: Coming, beat: Callable[[], object] = bool) -> None:
        self._spool = spool
        self._coming = coming
        self._beat = beat

    @contextlib.contextmanager
    def kept_for(self, told: int | None) -> Iterator[None]:
        """Room for a file of ``told`` bytes, None where nobody knows, until it is on disk.

        One that finds no room beside the others waits for them: what they have written is known by then. Raises
        SpoolFullError for a file that does not fit: a download that can't end well would fill the disk for everybody.
        """
        needed, coming = told or 0, self._coming
        with coming.changed:
            while needed > (free := self._spool.free_bytes()) - coming.bytes and coming.bytes:
                coming.changed.wait(_BEAT)
                self._beat()
            if needed > free:
                raise SpoolFullError(
                    f"the spool has {free:,} bytes free, and a result file has {needed:,}",
                    next_command="free some space on the disk of [daemon] spool; it is fetched again by itself",
                )
            coming.bytes += needed
        try:
            yield
        finally:
            with coming.changed:
                coming.bytes -= needed
                coming.changed.notify_all()


def report_trouble(place: Workplace, error: SpoolError) -> None:
    """Raises the finding of a file that could not be written; it goes away once there is room."""
    _settle(place, finding_of(error), error.message)


def finding_of(error: SpoolError) -> str:
    """The kind of finding that an error of the spool asks for."""
    return "spool-full" if isinstance(error, SpoolFullError) else "spool-unusable"


def _settle(place: Workplace, kind: str | None = None, detail: str = "") -> None:
    """Leaves this finding about the spool open, and no other one."""
    wanted = {kind} - {None}
    if wanted == place.store.read(_open_kinds):
        return

    def written(ledger: Ledger) -> None:
        for other in SPOOL_STOPS:
            if other != kind:
                ledger.findings.close(other, SUBJECT)
        if kind is not None:
            ledger.findings.open(kind, SUBJECT, detail)

    place.store.transact(written, step="room.report")
    if kind is None:
        log.info(events.SPOOL_MENDED)
    else:
        log.error(events.SPOOL_REFUSED, finding=kind, reason=detail)


def _open_kinds(ledger: Ledger) -> set[str | None]:
    return {kind for kind in SPOOL_STOPS if ledger.findings.is_open(kind, SUBJECT)}
