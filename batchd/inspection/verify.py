"""verify: holds ledger, spool and vendor against promises 1 to 6, and changes none of them."""

from batchd.inspection.files import look_at_files
from batchd.inspection.record import Record, Verdict
from batchd.inspection.vendors import look_at_vendors
from batchd.ports import Breaches, Ledger, Rule, Workplace


def verify(place: Workplace, task: str | None = None, *, most: int = 20) -> Verdict:
    """Looks for broken promises; may be used while others work.

    What is read of the ledger is one consistent view. Spool and vendor are compared with what the ledger says now,
    and where they differ, all is looked at once more before it is reported.

    Args:
        place: ledger, spool, and the vendor accounts that can be reached.
        task: the name of the only task to look at.
        most: how many violations of one check are named.

    Raises:
        DatabaseError: the ledger could not be read.
    """
    record = Record(most)
    _look_at_ledger(place, task, record)
    look_at_files(place, task, record)
    look_at_vendors(place, task, record)
    return record.verdict()


def _look_at_ledger(place: Workplace, task: str | None, record: Record) -> None:
    def asked(ledger: Ledger) -> tuple[dict[str, int], int, list[tuple[Rule, Breaches]]]:
        audit, found = ledger.audit(task), []
        for done, rule in enumerate(Rule):
            place.progress.step("checking the ledger", done, len(Rule))
            found.append((rule, audit.breaches(rule, record.most)))
        return dict(audit.counts()), audit.trimmed(), found

    counts, trimmed, found = place.store.read(asked)
    for what, number in counts.items():
        record.saw(what, number)
    if trimmed:
        record.note("ledger", f"not looked at: requests that were removed as configured (batches: {trimmed:,})")
    for rule, breaches in found:
        for breach in breaches.first:
            record.breach(rule, breach)
        record.unlisted(rule, breaches.total - len(breaches.first))
