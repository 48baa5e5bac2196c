"""What people do about rows, tasks and batches. None of it makes a row be paid for again without saying so."""

from batchd.operations.done import Done
from batchd.operations.ending import abandon, cancel
from batchd.operations.pausing import pause, resume
from batchd.operations.reapplying import Reapplied, ReapplyOrder, reapply
from batchd.operations.resolving import resolve
from batchd.operations.retrying import retry
from batchd.operations.unknown_submits import adopt, send_again

__all__ = [
    "Done",
    "Reapplied",
    "ReapplyOrder",
    "abandon",
    "adopt",
    "cancel",
    "pause",
    "reapply",
    "resolve",
    "resume",
    "retry",
    "send_again",
]
