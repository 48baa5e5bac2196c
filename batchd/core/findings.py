"""The catalogue of findings: what needs a person, why, and the next command."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FindingKind:
    """One kind of finding. ``next_command`` may use ``{id}``, the last word of the subject."""

    meaning: str
    next_command: str


KINDS: dict[str, FindingKind] = {
    "unknown-submit": FindingKind(
        "nobody knows whether the vendor created this batch; sending it again could pay for it twice",
        "batchd resolve {id}",
    ),
    "extra-batch": FindingKind(
        "the vendor holds more than one batch for one submit; the others are cancelled, what ran of them is paid for",
        "batchd show {id}",
    ),
    "late-batch": FindingKind(
        "a batch that was given up appeared at the vendor after all; it is cancelled, and what ran of it is paid for",
        "batchd show {id}",
    ),
    "stranger": FindingKind(
        "the vendor holds a batch of this installation that the ledger has forgotten, as after a restored backup; "
        "claiming is stopped",
        "batchd resolve {id}",
    ),
    "list-unread": FindingKind(
        "the vendor's list could not be read since the start; until it shows that nothing was forgotten, "
        "nothing is claimed or sent there; a vendor without a list needs listing = false",
        "batchd submit",
    ),
    "batch-vanished": FindingKind(
        "the vendor no longer knows a batch that was submitted; with the key and project it was sent with it goes on "
        "by itself; if it is gone for good, its rows are asked, and paid for, again after",
        "batchd resolve {id} --give-up",
    ),
    "unknown-status": FindingKind(
        "the vendor reports a status batchd does not know; it stays open", "batchd show {id}"
    ),
    "overdue": FindingKind("the vendor's window is over and the batch has not ended", "batchd show {id}"),
    "batch-refused": FindingKind(
        "the vendor refused the whole batch for a reason that no single row explains", "batchd show {id}"
    ),
    "submit-refused": FindingKind("the vendor refuses to take this batch", "batchd show {id}"),
    "results-unread": FindingKind(
        "a batch ended an hour ago and its results cannot be fetched; the vendor's copy expires", "batchd check {id}"
    ),
    "short-results": FindingKind("the result files hold fewer lines than the vendor counted", "batchd resolve {id}"),
    "missing-lines": FindingKind(
        "result lines the vendor counted are in neither file; their rows are asked again, and paid for again",
        "batchd show {id}",
    ),
    "strange-lines": FindingKind("result lines with ids that are not ours; they are kept", "batchd show {id}"),
    "suspect-results": FindingKind(
        "more than half of the first rows are stale, gone or invalid; nothing was written",
        "batchd resolve {id}",
    ),
    "apply-failed": FindingKind(
        "the database refused the write for a reason that is not the rows' own; once that is mended, it goes on with",
        "batchd resolve {id}",
    ),
    "pending-not-cleared": FindingKind(
        "rows are still pending after they were written; they are not sent again",
        "batchd failures --task {id}",
    ),
    "billing-stop": FindingKind("the vendor's account is out of money; the task is paused", "batchd resume {id}"),
    "vendor-auth": FindingKind("the vendor refuses the key", "batchd check-config"),
    "task-moved": FindingKind(
        "table, key or name of a task changed while its rows are in work; claiming is stopped", "batchd check-config"
    ),
    "account-moved": FindingKind(
        "a vendor account is missing or changed while batches are open there; they wait, and nothing is claimed",
        "batchd check-config",
    ),
    "unusable-keys": FindingKind(
        "rows have a key that is NULL or of the wrong type; they are passed over", "batchd check-config"
    ),
    "input-lost": FindingKind(
        "a batch's file was lost or altered before it was sent; its rows are due again", "batchd show {id}"
    ),
    "spool-full": FindingKind(
        "the disk of the spool folder has no room; nothing is claimed until there is, open batches go on",
        "batchd status",
    ),
    "spool-unusable": FindingKind(
        "no file can be written to the spool folder; nothing is claimed until that is mended", "batchd status"
    ),
}


# While one of these is open about the spool, or about a batch whose results it could not take, nothing is claimed.
SPOOL_STOPS = ("spool-full", "spool-unusable")

# While one of these is open about a vendor, nothing new is sent there.
SENDING_STOPS = ("stranger", "list-unread")

# While one of these is open about a task or its vendor, nothing is claimed for the task.
CLAIMING_STOPS = (*SENDING_STOPS, *SPOOL_STOPS, "account-moved", "task-moved", "billing-stop")

# What a person may mark as seen: it reports, and stops nothing.
REPORTS = (
    "extra-batch",
    "late-batch",
    "overdue",
    "missing-lines",
    "strange-lines",
    "input-lost",
    "unusable-keys",
    "pending-not-cleared",
)


def next_command(kind: str, subject: str) -> str:
    """The command a person runs next. ``subject`` is such as ``batch 12`` or ``task resumes``."""
    return KINDS[kind].next_command.format(id=subject.rpartition(" ")[2])
