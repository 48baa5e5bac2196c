"""The catalogue of findings: what needs a person, why, and the next command."""

import shlex
from dataclasses import dataclass
from typing import Final

# How urgent a finding is; the smaller, the more. Money or data is at stake, or everything stands still:
AT_STAKE: Final = 1
# A task, a batch or rows stand still until somebody acts:
AT_A_STAND: Final = 2
# Nothing waits for it, and somebody should know:
WORTH_KNOWING: Final = 3


@dataclass(frozen=True, slots=True)
class FindingKind:
    """One kind of finding. ``next_command`` may use ``{id}``, the last word of the subject."""

    priority: int
    meaning: str
    next_command: str


KINDS: dict[str, FindingKind] = {
    "unknown-submit": FindingKind(
        AT_STAKE,
        "nobody knows whether the vendor created this batch; sending it again could pay for it twice",
        "batchd resolve {id}",
    ),
    "extra-batch": FindingKind(
        WORTH_KNOWING,
        "the vendor holds more than one batch for one submit; the others are cancelled, what ran of them is paid for",
        "batchd show {id}",
    ),
    "late-batch": FindingKind(
        WORTH_KNOWING,
        "a batch that was given up appeared at the vendor after all; it is cancelled, and what ran of it is paid for",
        "batchd show {id}",
    ),
    "stranger": FindingKind(
        AT_STAKE,
        "the vendor holds a batch of this installation that the ledger has forgotten, as after a restored backup; "
        "claiming is stopped",
        "batchd resolve {id}",
    ),
    "list-unread": FindingKind(
        AT_STAKE,
        "the vendor's list could not be read since the start; until it shows that nothing was forgotten, "
        "nothing is claimed or sent there; a vendor without a list needs listing = false",
        "batchd submit",
    ),
    "batch-vanished": FindingKind(
        AT_STAKE,
        "the vendor no longer knows a batch that was submitted; with the key and project it was sent with it goes on "
        "by itself; if it is gone for good, its rows are asked, and paid for, again after",
        "batchd resolve {id} --give-up",
    ),
    "unknown-status": FindingKind(
        WORTH_KNOWING, "the vendor reports a status batchd does not know; it stays open", "batchd show {id}"
    ),
    "overdue": FindingKind(AT_A_STAND, "the vendor's window is over and the batch has not ended", "batchd show {id}"),
    "batch-refused": FindingKind(
        AT_A_STAND, "the vendor refused the whole batch for a reason that no single row explains", "batchd show {id}"
    ),
    "submit-refused": FindingKind(AT_A_STAND, "the vendor refuses to take this batch", "batchd show {id}"),
    "results-unread": FindingKind(
        AT_STAKE,
        "a batch ended an hour ago and its results cannot be fetched; the vendor's copy expires",
        "batchd check {id}",
    ),
    "short-results": FindingKind(
        AT_STAKE, "the result files hold fewer lines than the vendor counted", "batchd resolve {id}"
    ),
    "missing-lines": FindingKind(
        WORTH_KNOWING,
        "result lines the vendor counted are in neither file; their rows are asked again, and paid for again",
        "batchd show {id}",
    ),
    "strange-lines": FindingKind(
        WORTH_KNOWING, "result lines with ids that are not ours; they are kept", "batchd show {id}"
    ),
    "suspect-results": FindingKind(
        AT_A_STAND,
        "more than half of the first rows are stale, gone or invalid; nothing was written",
        "batchd resolve {id}",
    ),
    "apply-failed": FindingKind(
        AT_A_STAND,
        "the database refused the write for a reason that is not the rows' own; once that is mended, it goes on with",
        "batchd resolve {id}",
    ),
    "pending-not-cleared": FindingKind(
        AT_A_STAND,
        "rows are still pending after they were written; they are not sent again",
        "batchd failures --task {id}",
    ),
    "poison-rows": FindingKind(
        AT_A_STAND,
        "the database refuses the answers of some rows; they are kept, and written for free once that is mended",
        "batchd failures --task {id}",
    ),
    "billing-stop": FindingKind(
        AT_STAKE, "the vendor's account is out of money; the task is paused", "batchd resume {id}"
    ),
    "vendor-auth": FindingKind(AT_STAKE, "the vendor refuses the key", "batchd doctor"),
    "task-moved": FindingKind(
        AT_A_STAND,
        "table, key or name of a task changed while its rows are in work; claiming is stopped",
        "batchd check-config",
    ),
    "task-unfit": FindingKind(
        AT_A_STAND,
        "the task does not fit its table as it is now; nothing is claimed for it, all other tasks go on",
        "batchd check-config --task {id}",
    ),
    "account-moved": FindingKind(
        AT_STAKE,
        "a vendor account is missing or changed while batches are open there; they wait, and nothing is claimed",
        "batchd check-config",
    ),
    "unusable-keys": FindingKind(
        AT_A_STAND, "rows have a key that is NULL or of the wrong type; they are passed over", "batchd check-config"
    ),
    "input-lost": FindingKind(
        WORTH_KNOWING,
        "a batch's file was lost or altered before it was sent; its rows are due again",
        "batchd show {id}",
    ),
    "spool-full": FindingKind(
        AT_STAKE,
        "the disk of the spool folder has no room; nothing is claimed until there is, open batches go on",
        "batchd doctor",
    ),
    "spool-unusable": FindingKind(
        AT_STAKE, "no file can be written to the spool folder; nothing is claimed until that is mended", "batchd doctor"
    ),
}


# While one of these is open about the spool, or about a batch whose results it could not take, nothing is claimed.
SPOOL_STOPS = ("spool-full", "spool-unusable")

# While one of these is open about a vendor, nothing new is sent there.
SENDING_STOPS = ("stranger", "list-unread")

# While one of these is open about a task or its vendor, nothing is claimed for the task.
CLAIMING_STOPS = (*SENDING_STOPS, *SPOOL_STOPS, "account-moved", "task-moved", "task-unfit", "billing-stop")

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
    "poison-rows",
)


def page_of(kind: str) -> str:
    """The page of the runbook about findings of this kind, as it is called in the repository."""
    return f"docs/runbook/{kind}.md"


def next_command(kind: str, subject: str) -> str:
    """The command a person runs next. ``subject`` is such as ``batch 12`` or ``task resumes``."""
    return KINDS[kind].next_command.format(id=shlex.quote(subject.rpartition(" ")[2]))
