"""Creates a batch: reads its file once, reserves its tokens, and stores what validation will report."""

import sqlite3

from batchd.sandbox.batches import BatchRecord, NewBatch, add_batch, open_batches
from batchd.sandbox.create_request import CreateRequest
from batchd.sandbox.faults import take_batch_failure
from batchd.sandbox.files import find_file
from batchd.sandbox.identifiers import new_id
from batchd.sandbox.service import Service
from batchd.sandbox.validation import FileReport, FileRules, batch_error, validate_lines


def create(service: Service, asked: CreateRequest) -> BatchRecord:
    """Store a new batch; what is wrong with its file is found out now and told after validation."""
    return store(service, asked, _report(service, asked), new_id("batch_"))


def store(service: Service, asked: CreateRequest, report: FileReport, batch_id: str) -> BatchRecord:
    """Store a batch of a file that was read; its tokens are reserved, or are one more thing that is wrong."""
    with service.state.transaction() as connection:
        failure = take_batch_failure(connection)
        if failure is not None:
            report.errors = [failure]
        if not report.errors:
            report.errors = over_token_limit(service, connection, report)
        batch = _new_batch(service, asked, report, batch_id, service.clock.now(connection))
        add_batch(connection, batch)
    return BatchRecord(batch, cancelling_at=None, end=None)


def _report(service: Service, asked: CreateRequest) -> FileReport:
    with service.state.transaction() as connection:
        file = find_file(connection, asked.input_file_id, service.clock.now(connection))
    if file is None or file.purpose != "batch":
        message = f"Cannot find file {asked.input_file_id}, or this project may not use it for a batch."
        return FileReport(errors=[batch_error("invalid_request", message, param="file_id")])
    settings = service.settings
    rules = FileRules(asked.endpoint, settings.max_lines, settings.unsupported_models)
    with service.state.content(file.id).open("rb") as lines:
        return validate_lines(lines, rules)


def over_token_limit(service: Service, connection: sqlite3.Connection, report: FileReport) -> list[dict[str, object]]:
    """Return the error of a file whose tokens are too many beside those of its model's open batches."""
    limit = service.settings.token_limit
    if limit is None:
        return []
    enqueued = sum(
        batch.created.prompt_tokens
        for batch in open_batches(connection)
        if batch.created.model == report.model and batch.created.errors is None
    )
    if enqueued + report.prompt_tokens <= limit:
        return []
    message = (
        f"Enqueued token limit reached for {report.model} in organization org-sandbox. Limit: {limit}"
        " enqueued tokens. Please try again once some in_progress batches have been completed."
    )
    return [batch_error("token_limit_exceeded", message)]


def _new_batch(service: Service, asked: CreateRequest, report: FileReport, batch_id: str, now: float) -> NewBatch:
    return NewBatch(
        id=batch_id,
        endpoint=asked.endpoint,
        input_file_id=asked.input_file_id,
        completion_window=asked.completion_window,
        metadata=asked.metadata,
        output_seconds=asked.output_seconds,
        created_at=now,
        duration=service.settings.batch_duration,
        upstream=service.settings.upstream is not None,
        model=report.model,
        total=report.total,
        prompt_tokens=report.prompt_tokens,
        errors=report.errors or None,
    )
