"""Batches at a resource of Azure: made of processed files only, and shown in its own way."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from batchd.sandbox import batches_routes
from batchd.sandbox.azure_access import is_old
from batchd.sandbox.azure_files import status_of
from batchd.sandbox.azure_validation import ENDPOINTS, read_file
from batchd.sandbox.azure_view import azure_batch
from batchd.sandbox.batch_view import Disguise, batch_object
from batchd.sandbox.batches import BatchRecord
from batchd.sandbox.create_request import CreateRequest, read_create_request
from batchd.sandbox.creation import over_token_limit, store
from batchd.sandbox.files import find_file
from batchd.sandbox.progress import Progress
from batchd.sandbox.service import Service
from batchd.sandbox.validation import FileReport, FileRules, batch_error
from batchd.sandbox.vendor_errors import VendorError

WINDOW = "24h"


async def create_batch(service: Service, request: Request) -> Response:
    """Create a batch of a processed file; the file says which endpoint it is for."""
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise VendorError(400, "The body is not valid JSON.") from None
    asked = _asked(body)
    await run_in_threadpool(service.settler.settle_all)
    batch = await run_in_threadpool(_create, service, asked)
    newborn = batch_object(batch, Progress("validating", batch.created.created_at, 0.0), Disguise())
    return JSONResponse(azure_batch(newborn, old=is_old(request)))


async def retrieve_batch(service: Service, request: Request) -> Response:
    """Return the batch as it stands now."""
    return _rewritten(await batches_routes.retrieve_batch(service, request), request)


async def cancel_batch(service: Service, request: Request) -> Response:
    """Start cancelling."""
    return _rewritten(await batches_routes.cancel_batch(service, request), request)


async def list_all_batches(service: Service, request: Request) -> Response:
    """Return a page of batches."""
    page = orjson.loads((await batches_routes.list_all_batches(service, request)).body)
    return JSONResponse({**page, "data": [azure_batch(batch, old=is_old(request)) for batch in page["data"]]})


def _rewritten(response: Response, request: Request) -> Response:
    return JSONResponse(azure_batch(orjson.loads(response.body), old=is_old(request)))


def _asked(body: Any) -> CreateRequest:
    """Check the body of a create call; a window that is not served is found out with the file."""
    if not isinstance(body, dict):
        raise VendorError(400, "The body is not a JSON object.")
    window, endpoint = body.get("completion_window"), body.get("endpoint")
    plain = {**body, "endpoint": ENDPOINTS.get(str(endpoint), endpoint)}
    if isinstance(window, str):
        plain["completion_window"] = WINDOW
    asked = read_create_request(plain)
    return replace(asked, completion_window=str(window))


def _create(service: Service, asked: CreateRequest) -> BatchRecord:
    endpoint, report = _report(service, asked)
    if asked.completion_window != WINDOW:
        message = "The completion window is 24h."
        report.errors.append(batch_error("invalid_request", message, param="completion_window"))
    with service.state.transaction() as connection:
        too_many = [] if report.errors else over_token_limit(service, connection, report)
    if too_many:
        # As regions do that fail fast.
        raise VendorError(400, str(too_many[0]["message"]), code="token_limit_exceeded")
    return store(service, replace(asked, endpoint=endpoint), report, f"batch_{uuid4()}")


def _report(service: Service, asked: CreateRequest) -> tuple[str, FileReport]:
    with service.state.transaction() as connection:
        file = find_file(connection, asked.input_file_id, service.clock.now(connection))
        status = None if file is None else status_of(service, connection, file)
    if file is None:
        raise VendorError(404, "The input file does not exist.")
    if status != "processed" or file.purpose != "batch":
        message = f"The file is in '{status}' state. Only batch files with status 'Processed' are accepted."
        raise VendorError(400, message, code="unexpectedEntityState")
    settings = service.settings
    rules = FileRules(asked.endpoint, settings.max_lines, settings.unsupported_models)
    return read_file(service.state.content(file.id), rules, settings.deployments)
