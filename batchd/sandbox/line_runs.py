"""Runs the lines of a batch in their order, as far as it got, and sums up what they cost."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from batchd.sandbox.batches import BatchEnd, BatchRecord
from batchd.sandbox.execution import (
    CANCELLED,
    EXPIRED,
    LinePlace,
    LineResult,
    Payment,
    answered_line,
    failed_line,
    run_line,
    unrun_line,
)
from batchd.sandbox.faults import BatchFaults, Faults
from batchd.sandbox.output_files import ResultFiles
from batchd.sandbox.progress import Progress
from batchd.sandbox.state import State
from batchd.sandbox.vendor_errors import error_body

OK = 200


@dataclass
class Totals:
    """Counts and bills of the lines that were run."""

    completed: int = 0
    failed: int = 0
    expired: bool = False
    payments: list[Payment] = field(default_factory=list)

    def add(self, result: LineResult) -> None:
        """Count one line."""
        self.completed += result.completed
        self.failed += result.failed
        self.expired = self.expired or result.expired
        if result.payment is not None:
            self.payments.append(result.payment)

    def end(self, standing: Progress, faults: BatchFaults, output: str | None, error: str | None) -> BatchEnd:
        """Return the end of the batch; one line that expired makes an expired batch of a completed one."""
        status = "expired" if standing.status == "completed" and self.expired else standing.status
        return BatchEnd(
            status=status,
            at=standing.since,
            finalized=not faults.skip_finalizing,
            completed=self.completed,
            failed=self.failed,
            output_file_id=output,
            error_file_id=error,
            usage=self.usage(),
        )

    def usage(self) -> dict[str, object]:
        """Return the token usage of all answered lines together."""
        asked = sum(payment.input_tokens for payment in self.payments)
        said = sum(payment.output_tokens for payment in self.payments)
        return {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": asked + said,
        }

    def bill(self, connection: sqlite3.Connection, batch_id: str) -> None:
        """Enter every payment into the account."""
        connection.executemany(
            "INSERT INTO payment (batch_id, custom_id, input_hash, input_tokens, output_tokens) VALUES (?, ?, ?, ?, ?)",
            [
                (batch_id, paid.custom_id, paid.input_hash, paid.input_tokens, paid.output_tokens)
                for paid in self.payments
            ],
        )


def run_lines(state: State, batch: BatchRecord, standing: Progress, faults: Faults, files: ResultFiles) -> Totals:
    """Run or skip every line of the batch, write its envelopes, and return the totals."""
    totals = Totals()
    for result in _results(state, batch, standing, faults):
        totals.add(result)
        files.write(result.output, result.error)
    if standing.status == "cancelled" and faults.batches.cancelled_counts_disagree:
        totals.completed = 0
    return totals


def requests_of(state: State, batch: BatchRecord) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the requests of a sound input file with their line numbers, from 1 on."""
    with state.content(batch.created.input_file_id).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, orjson.loads(line)


def _results(state: State, batch: BatchRecord, standing: Progress, faults: Faults) -> Iterator[LineResult]:
    reason = CANCELLED if standing.status == "cancelled" else EXPIRED
    answers = _upstream_answers(state, batch) if batch.created.upstream else None
    run = int(standing.share * batch.created.total)
    lost = standing.status == "cancelled" and faults.batches.cancelled_counts_disagree
    for number, request in requests_of(state, batch):
        place = LinePlace(batch.created.id, number, standing.since)
        if answers is not None:
            result = _from_upstream(request, place, answers.get(number), reason)
        elif number <= run:
            result = run_line(batch.created.endpoint, request, place, faults.lines)
        else:
            result = unrun_line(request["custom_id"], place, reason)
        yield LineResult(payment=result.payment) if lost and result.completed else result


def _from_upstream(
    request: dict[str, Any], place: LinePlace, answer: tuple[int, str] | None, reason: tuple[str, str]
) -> LineResult:
    custom_id = request["custom_id"]
    if answer is None:
        return unrun_line(custom_id, place, reason)
    status, text = answer
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        body = None
    if status == OK and isinstance(body, dict):
        return answered_line(custom_id, place, body, request["body"])
    shown = body if isinstance(body, dict) else error_body("The upstream server sent no JSON.", kind="server_error")
    return failed_line(custom_id, place, status if status != OK else 502, shown)


def _upstream_answers(state: State, batch: BatchRecord) -> dict[int, tuple[int, str]]:
    with state.transaction() as connection:
        rows = connection.execute(
            "SELECT line, status, body FROM upstream_answer WHERE batch_id = ?", (batch.created.id,)
        )
        return {row["line"]: (row["status"], row["body"]) for row in rows}
