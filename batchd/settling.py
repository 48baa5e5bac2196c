"""Accounts for the requests of a batch that ends without results: each gets its outcome, its row's gate follows."""

from dataclasses import dataclass

from batchd.core.model import Batch, FinishedRequest, OpenRequest, SettledGate
from batchd.core.outcomes import Limits, Outcome, settle_gate
from batchd.core.verdicts import Usage
from batchd.ports import Ledger


@dataclass(frozen=True, slots=True)
class EarlyEnd:
    """Why a batch ends without results: the outcome of its requests, a code and our sentence."""

    outcome: Outcome
    code: str
    sentence: str


CANCELLED_UNSENT = EarlyEnd(Outcome.CANCELLED, "cancelled", "cancelled by a person before it was sent")


def give_up(ledger: Ledger, batch: Batch, end: EarlyEnd, *, chunk: int) -> None:
    """Ends a batch in the caller's transaction; whether its requests count as paid is in their outcome."""
    limits = ledger.tasks.definition(batch.version_id).limits
    seqs = ledger.requests.open_after(batch.id, 0, batch.requests)
    for at in range(0, len(seqs), chunk):
        requests = ledger.requests.lock_open(batch.id, seqs[at : at + chunk])
        ledger.requests.finish(batch.id, [_finished(one, end) for one in requests])
        ledger.gates.settle(batch.task_id, batch.id, [_settled(one, end, limits) for one in requests])
    ledger.batches.tally(batch)
    ledger.batches.abandon(batch, end.sentence)


def _finished(request: OpenRequest, end: EarlyEnd) -> FinishedRequest:
    return FinishedRequest(request.seq, end.outcome, Usage(), "", end.code, end.sentence, None)


def _settled(request: OpenRequest, end: EarlyEnd, limits: Limits) -> SettledGate:
    tries = request.tries.after(end.outcome)
    # Nothing is wrong with the rows and nobody is asked to wait.
    verdict = settle_gate(end.outcome, tries, limits, still_pending=True, first_delay=0.0)
    return SettledGate(
        request.seq, request.key, verdict.state, verdict.delay, tries, end.outcome, end.code, end.sentence
    )
