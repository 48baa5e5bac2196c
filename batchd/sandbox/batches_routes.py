"""The routes under /v1/batches."""

import hashlib
import sqlite3

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from batchd.sandbox.batch_view import batch_object
from batchd.sandbox.batches import END_STATUSES, BatchRecord, find_batch, list_batches, start_cancelling
from batchd.sandbox.create_request import read_create_request
from batchd.sandbox.creation import create
from batchd.sandbox.faults import BatchFaults, read_faults, take_list_lag
from batchd.sandbox.pages import page, page_limit
from batchd.sandbox.progress import Progress
from batchd.sandbox.service import Service
from batchd.sandbox.standing import standing
from batchd.sandbox.vendor_errors import VendorError

USUAL_PAGE, LARGEST_PAGE = 20, 100


async def create_batch(service: Service, request: Request) -> Response:
    """Create a batch; it is ``validating``, whatever will become of it."""
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise VendorError(400, "The body is not valid JSON.") from None
    asked = read_create_request(body)
    await run_in_threadpool(service.settler.settle_all)
    batch = await run_in_threadpool(create, service, asked)
    with service.state.transaction() as connection:
        disguise = read_faults(connection).batches.disguise
    newborn = Progress("validating", batch.created.created_at, 0.0)
    return JSONResponse(batch_object(batch, newborn, disguise))


async def retrieve_batch(service: Service, request: Request) -> Response:
    """Return the batch as it stands now."""
    batch_id = request.path_params["batch_id"]
    await run_in_threadpool(service.settler.settle, batch_id)
    with service.state.transaction() as connection:
        return JSONResponse(_shown(service, connection, _known(connection, batch_id)))


async def cancel_batch(service: Service, request: Request) -> Response:
    """Start cancelling; a batch that has ended otherwise cannot be cancelled (409)."""
    batch_id = request.path_params["batch_id"]
    await run_in_threadpool(service.settler.settle, batch_id)
    with service.state.transaction() as connection:
        batch = _known(connection, batch_id)
        status = standing(connection, batch, service.clock.now(connection)).status
        if status in END_STATUSES and status != "cancelled":
            raise VendorError(409, f"Cannot cancel a batch with status '{status}'.")
        if batch.cancelling_at is None:
            start_cancelling(connection, batch_id, service.clock.now(connection))
            batch = _known(connection, batch_id)
            return JSONResponse(_just_cancelled(service, connection, batch))
        return JSONResponse(_shown(service, connection, batch))


async def list_all_batches(service: Service, request: Request) -> Response:
    """Return a page of batches, newest first unless the faults say otherwise."""
    limit = page_limit(request, USUAL_PAGE, LARGEST_PAGE)
    await run_in_threadpool(service.settler.settle_all)
    after = request.query_params.get("after")
    with service.state.transaction() as connection:
        faults = read_faults(connection).batches
        now = service.clock.now(connection)
        newest_first = list_batches(connection)[take_list_lag(connection) :]
        batches = [
            batch
            for batch in _ordered(newest_first, faults.list_order)
            if now - batch.created.created_at >= faults.hide_from_list_seconds
        ]
        shown = [_shown(service, connection, batch, faults) for batch in batches]
    found = page(shown, None if faults.list_end == "repeats" else after, min(limit, faults.page_size or limit))
    return JSONResponse(found if faults.list_end == "sound" else {**found, "has_more": True})


def _known(connection: sqlite3.Connection, batch_id: str) -> BatchRecord:
    batch = find_batch(connection, batch_id)
    if batch is None:
        raise VendorError(404, f"No batch found with id '{batch_id}'.")
    return batch


def _ordered(newest_first: list[BatchRecord], order: str) -> list[BatchRecord]:
    if order == "shuffled":
        return sorted(newest_first, key=lambda batch: hashlib.sha256(batch.created.id.encode()).digest())
    return newest_first[::-1] if order == "oldest" else newest_first


def _shown(
    service: Service, connection: sqlite3.Connection, batch: BatchRecord, faults: BatchFaults | None = None
) -> dict[str, object]:
    chosen = faults or read_faults(connection).batches
    stands = standing(connection, batch, service.clock.now(connection), chosen)
    if batch.end is None and stands.status in END_STATUSES:
        # Its lines are still being run in the background: the end is not shown before the files are there.
        in_between = "cancelling" if stands.status == "cancelled" else "finalizing"
        stands = Progress("validating" if stands.status == "failed" else in_between, stands.since, stands.share)
    return batch_object(batch, stands, chosen.disguise)


def _just_cancelled(service: Service, connection: sqlite3.Connection, batch: BatchRecord) -> dict[str, object]:
    stands = standing(connection, batch, service.clock.now(connection))
    faults = read_faults(connection).batches
    return batch_object(batch, Progress("cancelling", stands.since, stands.share), faults.disguise)
