"""The web application: routes, the key, and the headers that every reply carries."""

import secrets
import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchd.sandbox import batches_routes, control_routes, files_routes
from batchd.sandbox.faults import RouteFault, take_route_fault
from batchd.sandbox.route_faults import serve_with_fault
from batchd.sandbox.service import Service
from batchd.sandbox.vendor_errors import VendorError

Handler = Callable[[Service, Request], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]

VENDOR_ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("POST", "/v1/files", "files.create", files_routes.create_file),
    ("GET", "/v1/files", "files.list", files_routes.list_all_files),
    ("GET", "/v1/files/{file_id}", "files.retrieve", files_routes.retrieve_file),
    ("GET", "/v1/files/{file_id}/content", "files.content", files_routes.file_content),
    ("DELETE", "/v1/files/{file_id}", "files.delete", files_routes.delete_file),
    ("POST", "/v1/batches", "batches.create", batches_routes.create_batch),
    ("GET", "/v1/batches", "batches.list", batches_routes.list_all_batches),
    ("GET", "/v1/batches/{batch_id}", "batches.retrieve", batches_routes.retrieve_batch),
    ("POST", "/v1/batches/{batch_id}/cancel", "batches.cancel", batches_routes.cancel_batch),
)
CONTROL_ROUTES: tuple[tuple[str, list[str], Handler], ...] = (
    ("/_sandbox/health", ["GET"], control_routes.health),
    ("/_sandbox/clock", ["GET", "POST"], control_routes.clock),
    ("/_sandbox/faults", ["GET", "PUT", "DELETE"], control_routes.faults),
    ("/_sandbox/settings", ["GET", "POST"], control_routes.settings),
    ("/_sandbox/account", ["GET"], control_routes.show_account),
    ("/_sandbox/reset", ["POST"], control_routes.reset),
)
RATE_LIMITS = {
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-remaining-requests": "9999",
    "x-ratelimit-reset-requests": "6ms",
    "x-ratelimit-limit-tokens": "10000000",
    "x-ratelimit-remaining-tokens": "9999999",
    "x-ratelimit-reset-tokens": "6ms",
}


def build_app(service: Service) -> Starlette:
    """Return the application that serves one sandbox."""
    vendor = [
        Route(path, _vendor_endpoint(service, name, handler), methods=[method])
        for method, path, name, handler in VENDOR_ROUTES
    ]
    control = [
        Route(path, _control_endpoint(service, handler), methods=methods) for path, methods, handler in CONTROL_ROUTES
    ]
    nowhere = {404: _unknown_url, 405: _unknown_url}
    return Starlette(routes=[*vendor, *control], exception_handlers=nowhere)


def _vendor_endpoint(service: Service, name: str, handler: Handler) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        started = time.monotonic()
        try:
            _check_key(service, request)
            fault = await run_in_threadpool(_fault, service, name)
            response = await serve_with_fault(fault, request, lambda: _served(service, request, handler))
        except VendorError as error:
            response = error.response()
        return _with_headers(response, time.monotonic() - started)

    return endpoint


def _control_endpoint(service: Service, handler: Handler) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return await _served(service, request, handler)

    return endpoint


async def _served(service: Service, request: Request, handler: Handler) -> Response:
    try:
        return await handler(service, request)
    except VendorError as error:
        return error.response()


def _fault(service: Service, name: str) -> RouteFault | None:
    with service.state.transaction() as connection:
        return take_route_fault(connection, name)


def _check_key(service: Service, request: Request) -> None:
    given = request.headers.get("authorization", "")
    if not secrets.compare_digest(given.encode(), f"Bearer {service.settings.api_key}".encode()):
        raise VendorError(401, "Incorrect API key provided.", code="invalid_api_key")


def _with_headers(response: Response, seconds: float) -> Response:
    response.headers["x-request-id"] = f"req_{secrets.token_hex(16)}"
    response.headers["openai-processing-ms"] = str(int(seconds * 1000))
    for name, value in RATE_LIMITS.items():
        response.headers.setdefault(name, value)
    return response


async def _unknown_url(request: Request, error: Exception) -> Response:
    del error
    return VendorError(404, f"Invalid URL ({request.method} {request.url.path})").response()
