"""The web application: routes, the key, and the headers that every reply carries."""

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchd.sandbox import (
    azure_access,
    azure_batches,
    azure_errors,
    azure_files,
    batches_routes,
    control_routes,
    files_routes,
)
from batchd.sandbox.faults import RouteFault, take_route_fault
from batchd.sandbox.flavour import AZURE
from batchd.sandbox.route_faults import serve_with_fault
from batchd.sandbox.service import Service
from batchd.sandbox.vendor_errors import VendorError

Handler = Callable[[Service, Request], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]

# Method, path below the API's root, name for faults, handler.
VENDOR_ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("POST", "/files", "files.create", files_routes.create_file),
    ("GET", "/files", "files.list", files_routes.list_all_files),
    ("GET", "/files/{file_id}", "files.retrieve", files_routes.retrieve_file),
    ("GET", "/files/{file_id}/content", "files.content", files_routes.file_content),
    ("DELETE", "/files/{file_id}", "files.delete", files_routes.delete_file),
    ("POST", "/batches", "batches.create", batches_routes.create_batch),
    ("GET", "/batches", "batches.list", batches_routes.list_all_batches),
    ("GET", "/batches/{batch_id}", "batches.retrieve", batches_routes.retrieve_batch),
    ("POST", "/batches/{batch_id}/cancel", "batches.cancel", batches_routes.cancel_batch),
)
# Where a resource of Azure differs from the plain API.
AZURE_HANDLERS: dict[str, Handler] = {
    "files.create": azure_files.create_file,
    "files.list": azure_files.list_all_files,
    "files.retrieve": azure_files.retrieve_file,
    "batches.create": azure_batches.create_batch,
    "batches.list": azure_batches.list_all_batches,
    "batches.retrieve": azure_batches.retrieve_batch,
    "batches.cancel": azure_batches.cancel_batch,
}
CONTROL_ROUTES: tuple[tuple[str, list[str], Handler], ...] = (
    ("/_sandbox/health", ["GET"], control_routes.health),
    ("/_sandbox/clock", ["GET", "POST"], control_routes.clock),
    ("/_sandbox/faults", ["GET", "PUT", "DELETE"], control_routes.faults),
    ("/_sandbox/settings", ["GET", "POST"], control_routes.settings),
    ("/_sandbox/webhooks", ["GET"], control_routes.show_webhooks),
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


@dataclass(frozen=True)
class Front:
    """How a flavour is entered: below which paths, who is let in, how a refusal is worded, what it does its own way."""

    roots: tuple[str, ...]
    admit: Callable[[Service, Request], None]
    refusal: Callable[[VendorError], Response]
    nowhere: Callable[[Request], VendorError]
    handlers: Mapping[str, Handler]


def build_app(service: Service) -> Starlette:
    """Return the application that serves one sandbox."""
    front = AZURE_FRONT if service.settings.flavour == AZURE else OPENAI_FRONT
    vendor = [
        Route(f"{root}{path}", _vendor_endpoint(service, front, name, handler), methods=[method])
        for root in front.roots
        for method, path, name, handler in VENDOR_ROUTES
    ]
    control = [
        Route(path, _control_endpoint(service, handler), methods=methods) for path, methods, handler in CONTROL_ROUTES
    ]

    async def nowhere(request: Request, error: Exception) -> Response:
        del error
        return front.refusal(front.nowhere(request))

    return Starlette(routes=[*vendor, *control], exception_handlers={404: nowhere, 405: nowhere})


def _vendor_endpoint(service: Service, front: Front, name: str, usual: Handler) -> Endpoint:
    handler = front.handlers.get(name, usual)

    async def served(request: Request) -> Response:
        try:
            return await handler(service, request)
        except VendorError as error:
            return front.refusal(error)

    async def endpoint(request: Request) -> Response:
        started = time.monotonic()
        try:
            front.admit(service, request)
            fault = await run_in_threadpool(_fault, service, name)
            response = await serve_with_fault(fault, request, lambda: served(request))
        except VendorError as error:
            response = front.refusal(error)
        return _with_headers(response, time.monotonic() - started)

    return endpoint


def _control_endpoint(service: Service, handler: Handler) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(service, request)
        except VendorError as error:
            return error.response()

    return endpoint


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


def _unknown_url(request: Request) -> VendorError:
    return VendorError(404, f"Invalid URL ({request.method} {request.url.path})")


OPENAI_FRONT = Front(("/v1",), _check_key, VendorError.response, _unknown_url, {})
AZURE_FRONT = Front(
    ("/openai/v1", "/openai"),
    azure_access.admit,
    azure_errors.azure_error,
    lambda _: azure_errors.no_such_path(),
    AZURE_HANDLERS,
)
