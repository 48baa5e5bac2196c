"""The spool against the ledger: paid results are on disk as they were collected, and every line is accounted for."""

from collections.abc import Mapping

from batchd.core.model import Batch
from batchd.core.outcomes import Outcome
from batchd.core.result_index import ResultIndex, ResultKind, index_results
from batchd.core.states import BatchState
from batchd.errors import SpoolError
from batchd.inspection import checks
from batchd.inspection.paging import pages
from batchd.inspection.record import Record
from batchd.ports import Workplace

_UNSENT = frozenset({BatchState.BUILT, BatchState.SUBMITTING})
_MISSING, _ALTERED = "is missing", "was altered"
_COLLECTED = frozenset({BatchState.COLLECTED, BatchState.CLOSED})


def look_at_files(place: Workplace, task: str | None, record: Record) -> None:
    """Every file that the spool must hold, measured and read; memory for one batch at a time."""
    look = _Look(place, record)
    for done, batch in enumerate(pages(place.store, task, _UNSENT | _COLLECTED)):
        place.progress.step("checking the spool", done, None)
        look.at(batch)
    if look.removed:
        record.note("spool", f"not looked at: files that were removed as configured (batches: {look.removed:,})")


class _Look:
    """Looks at the files of one batch after the other."""

    def __init__(self, place: Workplace, record: Record) -> None:
        self._place = place
        self._record = record
        self.removed = 0

    def at(self, batch: Batch) -> None:
        try:
            if batch.position in _UNSENT:
                self._at_input(batch)
            else:
                self._at_results(batch)
        except SpoolError as error:
            if self._is_as_it_was(batch):
                self._record.note(f"batch {batch.id}", f"its files could not be looked at: {error.message}")

    def _at_input(self, batch: Batch) -> None:
        """Nothing of it is paid yet: what was lost is sent anew."""
        found = self._place.spool.measure_input(batch.uid)
        trouble = _MISSING if found is None else _ALTERED if found.sha256 != batch.input_sha256 else ""
        if trouble and self._is_as_it_was(batch):
            self._record.note(f"batch {batch.id}", f"its input file {trouble}; nothing of it is known to be paid")
        elif found is not None and not trouble:
            self._record.saw("input_files")
            if found.lines != batch.requests:
                self._record.broken(checks.INPUT_LINES, batch, f"{found.lines:,} lines, {batch.requests:,} requests")

    def _at_results(self, batch: Batch) -> None:
        recorded = _recorded(batch)
        trouble = {kind: self._trouble(batch, kind, sha256) for kind, sha256 in recorded.items()}
        told = " and ".join(f"the {kind} file {what}" for kind, what in trouble.items() if what)
        if not told:
            self._record.saw("result_files", len(recorded))
            if batch.state is BatchState.CLOSED and not self._is_trimmed(batch):
                self._at_lines(batch, recorded)
        elif _ALTERED not in trouble.values() and self._may_lack_files(batch):
            self.removed += 1
        elif not self._is_as_it_was(batch):
            return
        elif batch.position is BatchState.COLLECTED:
            self._record.note(f"batch {batch.id}", f"{told}; it is fetched again before anything is written")
        else:
            self._record.broken(checks.RESULT_FILE, batch, told)

    def _is_trimmed(self, batch: Batch) -> bool:
        """Its requests are gone, and somebody has put its files back: there is nothing to hold them against."""
        return self._place.store.read(lambda ledger: ledger.retention.trimmed_at(batch.id)) is not None

    def _may_lack_files(self, batch: Batch) -> bool:
        keep = self._place.keep_files
        return self._place.store.read(lambda ledger: ledger.audit().may_lack_files(batch.id, keep))

    def _trouble(self, batch: Batch, kind: ResultKind, sha256: str) -> str:
        found = self._place.spool.measure_result(batch.uid, kind)
        if found is None:
            return _MISSING
        return _ALTERED if found.sha256 != sha256 else ""

    def _at_lines(self, batch: Batch, recorded: dict[ResultKind, str]) -> None:
        outcomes, strangers, fetched_again = self._place.store.read(
            lambda ledger: (
                ledger.audit().outcomes(batch.id),
                ledger.audit().pieces(batch.id, "stranger"),
                ledger.audit().was_fetched_again(batch.id),
            )
        )
        files = [(kind, self._place.spool.result_lines(batch.uid, kind)) for kind in recorded]
        index = index_results(batch.uid, frozenset(outcomes), files)
        self._record.saw("result_lines", index.lines + len(index.strangers) + index.repeats)
        if len(index.strangers) > strangers:
            self._record.broken(checks.STRANGE_LINES, batch, f"{len(index.strangers):,} lines, {strangers:,} kept")
        passed_over = _passed_over(index, outcomes)
        # Files that came a second time may hold what the first ones lacked.
        if passed_over and not fetched_again:
            detail = f"{len(passed_over):,} requests, the first is {passed_over[0]}"
            self._record.broken(checks.ANSWER_PASSED_OVER, batch, detail)

    def _is_as_it_was(self, batch: Batch) -> bool:
        """A batch that others have moved meanwhile is theirs to look after."""
        return self._place.store.read(lambda ledger: ledger.batches.get(batch.id)) == batch


def _recorded(batch: Batch) -> dict[ResultKind, str]:
    files: dict[ResultKind, str | None] = {"output": batch.output_sha256, "error": batch.error_sha256}
    return {kind: sha256 for kind, sha256 in files.items() if sha256 is not None}


def _passed_over(index: ResultIndex, outcomes: Mapping[int, str | None]) -> list[int]:
    return sorted(seq for seq in index.places if outcomes[seq] == Outcome.MISSING.value)
