"""What people do about rows, tasks and batches. None of it makes a row be paid for again without saying so.

Each act has a ``foresee_…`` beside it that refuses what the act would refuse, and changes nothing.
"""

from batchd.operations.cancelling import cancel, check_cancellable, foresee_cancel, free_again
from batchd.operations.done import Done
from batchd.operations.ending import abandon, foresee_abandon
from batchd.operations.named import open_batches
from batchd.operations.pausing import foresee_pause, foresee_resume, pause, resume
from batchd.operations.prospects import Prospect, RowAhead
from batchd.operations.reapplying import Reapplied, ReapplyOrder, reapply
from batchd.operations.resolving import foresee_resolve, resolve
from batchd.operations.retrying import RetryOrder, foresee_retry, retry
from batchd.operations.unknown_submits import adopt, foresee_adopt, foresee_send_again, send_again

__all__ = [
    "Done",
    "Prospect",
    "Reapplied",
    "ReapplyOrder",
    "RetryOrder",
    "RowAhead",
    "abandon",
    "adopt",
    "cancel",
    "check_cancellable",
    "foresee_abandon",
    "foresee_adopt",
    "foresee_cancel",
    "foresee_pause",
    "foresee_resolve",
    "foresee_resume",
    "foresee_retry",
    "foresee_send_again",
    "free_again",
    "open_batches",
    "pause",
    "reapply",
    "resolve",
    "resume",
    "retry",
    "send_again",
]
