"""The list of checks: which promise each one is about, what it says where it fails, and what a person runs next."""

from dataclasses import dataclass

from batchd.ports import Rule


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        promise: its number in docs/explanation.
        broken: our sentence; ``{batch}`` is the batch's number, ``{detail}`` what was seen.
        next_command: may use ``{batch}`` and ``{task}``.
    """

    promise: int
    broken: str
    next_command: str = "batchd show {batch}"


SENT_TWICE = "sent-twice"
FORGOTTEN = "forgotten-batch"
NOT_FOLLOWED = "batch-not-followed"
UNSENT_AT_VENDOR = "unsent-at-vendor"
FOREIGN_BATCH = "foreign-batch"
ABSENT = "absent-at-vendor"
RESULT_FILE = "result-file"
STRANGE_LINES = "strange-lines-not-kept"
ANSWER_PASSED_OVER = "answer-passed-over"
INPUT_LINES = "input-lines"

CHECKS: dict[str, Check] = {
    # 1. One open request per row.
    Rule.UNGATED_REQUEST: Check(
        1, "its request in batch {batch} is open and its gate is not: the row could be claimed, and paid for, again"
    ),
    Rule.LOOSE_GATE: Check(
        1, "its gate is open and belongs to no open request (last batch {batch}): the row would wait for ever"
    ),
    Rule.TWO_OPEN_REQUESTS: Check(1, "two requests of it are open, the last in batch {batch}: it is paid for twice"),
    # 2. One vendor batch per batch.
    Rule.SHARED_VENDOR_ID: Check(2, "an older batch of the same account has the same id at the vendor"),
    Rule.UNRECORDED_SEND: Check(2, "it was sent, and the intent to send it or the vendor's id is not written down"),
    Rule.SENT_BUT_BUILT: Check(2, "it stands to be sent and has an id at the vendor already"),
    SENT_TWICE: Check(2, "the vendor has run, or runs, more than one batch for it: {detail}"),
    FORGOTTEN: Check(
        2, "the vendor holds it, it bears this installation's id, and the ledger does not know it", "batchd status"
    ),
    NOT_FOLLOWED: Check(2, "what the vendor runs for it is {detail}, and the ledger follows another one"),
    UNSENT_AT_VENDOR: Check(
        2, "the vendor has it as {detail}, and the ledger takes it for not sent", "batchd submit --task {task}"
    ),
    FOREIGN_BATCH: Check(2, "its id at the vendor is that of a batch made for something else: {detail}"),
    ABSENT: Check(2, "the vendor does not know it, though it lists others: {detail}", "batchd check {batch}"),
    # 3. No paid result is lost.
    RESULT_FILE: Check(
        3,
        "what was collected is not in the spool any more: {detail}",
        "look for it in a backup of the spool, or on the machine that collected batch {batch}",
    ),
    STRANGE_LINES: Check(3, "lines of its result files belong to no request, and are not kept: {detail}"),
    ANSWER_PASSED_OVER: Check(3, "its result files hold answers of requests that count as missing: {detail}"),
    Rule.RESULT_NOT_KEPT: Check(3, "its answer in batch {batch} was not applied, and is not kept either"),
    Rule.DELETED_TOO_EARLY: Check(3, "its files at the vendor were deleted, and it had not come to its end"),
    # 4. A result is applied at most once.
    Rule.NO_BEFORE_IMAGE: Check(4, "it was written by batch {batch}, and what stood there before is not kept"),
    Rule.OUTCOME_TAKEN_BACK: Check(4, "the outcome of its request in batch {batch} was changed by hand"),
    Rule.APPLIED_DUE_AGAIN: Check(4, "batch {batch} has written it, and its gate says that it is due or stuck"),
    Rule.OVERTAKEN_REQUEST: Check(4, "its request in batch {batch} is open, and a newer one has come to an end"),
    # 5. A row that changed meanwhile is not overwritten.
    Rule.NOT_COMPARED: Check(5, "it was written by batch {batch} without a guard to compare it with"),
    # 6. Every request is accounted for.
    Rule.OPEN_IN_ENDED_BATCH: Check(6, "it has ended, and requests of it have no outcome"),
    Rule.REQUESTS_MISCOUNTED: Check(6, "it was built with another number of requests than the ledger has of it"),
    Rule.OUTCOMES_MISCOUNTED: Check(6, "its outcomes, tokens or cost are not those of its requests"),
    Rule.GATE_DISAGREES: Check(6, "its gate tells another end of its request in batch {batch} than the request"),
    INPUT_LINES: Check(6, "its input file holds another number of lines than the ledger has requests: {detail}"),
    # 9. Bounded: paid for as often as allowed.
    Rule.DUE_AGAIN_UNASKED: Check(
        9, "it is due again after an end that waits for a person, and no person freed it", "batchd status --task {task}"
    ),
    Rule.TOO_MANY_TRIES: Check(9, "it was tried more often than its task allows", "batchd status --task {task}"),
}
