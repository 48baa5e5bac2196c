"""notify: people who do not look are told of open findings, each once, by the ways that the config names.

At least once: a finding counts as told when a way has worked, so a crash in between tells it again. It is taken first,
by a change of its row, so that of two processes one tells it.
"""

from functools import partial

import structlog

from batchd import events
from batchd.core.notices import Notice
from batchd.core.outcomes import growing_delay
from batchd.failpoints import step
from batchd.ports import Counts, Ledger, UntoldError, Workplace

log = structlog.get_logger("batchd")

# A pass is short, so that the rest of the housekeeping goes on; the next one goes on with it.
_MOST = 20
# The first wait after a try that failed, and the time that a process has for a try; no way takes half of that.
_WAIT = 120.0


class Notify:
    """Tells what is due, until a way fails: what keeps it from one finding would keep it from the next."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._counts = Counts()

    def run_once(self) -> Counts:
        """One pass. Counts ``findings_told``."""
        if not self._place.messengers:
            return self._counts
        due = self._place.store.ask(lambda ledger: ledger.notices.due(self._place.notify_priority, _MOST))
        for notice in due:
            if self._place.stopping() or not self._tell(notice):
                break
        return self._counts

    def _tell(self, notice: Notice) -> bool:
        """False where a way has failed."""
        wait = growing_delay(notice.tries + 1, _WAIT)
        taken: bool = self._place.store.transact(lambda ledger: ledger.notices.take(notice, wait), step="notify.take")
        if not taken:
            return True
        told = {way for way in self._place.messengers if way in notice.told_by or self._worked(way, notice, wait)}
        done = told == self._place.messengers.keys()
        self._place.store.transact(partial(_note, notice, frozenset(told), done), step="notify.record")
        if done:
            self._counts.add("findings_told")
            log.info(events.NOTIFY_TOLD, kind=notice.kind, subject=notice.subject, ways=sorted(told))
        return done

    def _worked(self, way: str, notice: Notice, wait: float) -> bool:
        # A pass of many slow ones is long, and no standstill.
        self._place.beat()
        try:
            with step("notify.tell"):
                self._place.messengers[way].tell(notice)
        except UntoldError as error:
            log.warning(
                events.NOTIFY_FAILED,
                way=way,
                code=error.code,
                kind=notice.kind,
                subject=notice.subject,
                tries=notice.tries + 1,
                next_try_in_seconds=round(wait),
            )
            return False
        return True


def _note(notice: Notice, told: frozenset[str], done: bool, ledger: Ledger) -> None:  # noqa: FBT001 - by partial
    ledger.notices.note_told(notice, told, all_of_them=done)
