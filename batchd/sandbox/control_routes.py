"""The routes under /_sandbox: no vendor has them; tests and people steer the sandbox with them."""

import os
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from batchd.sandbox.account import account
from batchd.sandbox.faults import replace_faults, show_faults
from batchd.sandbox.flavour import take_on
from batchd.sandbox.service import Service
from batchd.sandbox.vendor_errors import VendorError
from batchd.sandbox.webhook_outbox import show


async def health(service: Service, request: Request) -> Response:
    """Tell which state is served, by which process, and whose API it imitates."""
    del request
    shown = {"state": str(service.state.path), "pid": os.getpid(), "flavour": service.settings.flavour}
    return JSONResponse(shown)


async def clock(service: Service, request: Request) -> Response:
    """Show the clock, or move it: ``{"advance": seconds}``, ``{"freeze": true}``, ``{"freeze": false}``."""
    asked = await _body(request) if request.method == "POST" else {}
    _only(asked, {"advance", "freeze"})
    with service.state.transaction() as connection:
        if "freeze" in asked:
            move = service.clock.freeze if asked["freeze"] else service.clock.unfreeze
            move(connection)
        if "advance" in asked:
            service.clock.advance(connection, _number(asked, "advance"))
        return JSONResponse(service.clock.show(connection))


async def faults(service: Service, request: Request) -> Response:
    """Show (GET), replace (PUT) or clear (DELETE) the faults."""
    asked = await _body(request) if request.method == "PUT" else {}
    with service.state.transaction() as connection:
        if request.method in ("PUT", "DELETE"):
            try:
                replace_faults(connection, asked)
            except ValueError as error:
                raise VendorError(400, f"These faults cannot be read: {error}") from error
        return JSONResponse(show_faults(connection))


async def settings(service: Service, request: Request) -> Response:
    """Show or change what may be changed while the sandbox runs: paces, in seconds, the token limit, the webhooks."""
    if request.method == "POST":
        asked = await _body(request)
        _only(asked, {"batch_duration", "file_processing", "token_limit", "webhooks"})
        if "batch_duration" in asked:
            service.settings.batch_duration = max(0.0, _number(asked, "batch_duration"))
        if "file_processing" in asked:
            service.settings.file_processing = max(0.0, _number(asked, "file_processing"))
        if "token_limit" in asked:
            limit = asked["token_limit"]
            service.settings.token_limit = None if limit is None else int(_number(asked, "token_limit"))
        if "webhooks" in asked:
            _set_webhooks(service, asked["webhooks"])
    shown = service.settings
    return JSONResponse(
        {
            "batch_duration": shown.batch_duration,
            "file_processing": shown.file_processing,
            "token_limit": shown.token_limit,
            "webhook_url": shown.webhook_url,
        }
    )


async def show_webhooks(service: Service, request: Request) -> Response:
    """List the webhooks there were, and what became of each."""
    del request
    with service.state.transaction() as connection:
        return JSONResponse(show(connection))


async def show_account(service: Service, request: Request) -> Response:
    """Return what was paid, once every batch whose end has come is ended."""
    del request
    await run_in_threadpool(service.settler.settle_all, None)
    with service.state.transaction() as connection:
        return JSONResponse(account(connection))


async def reset(service: Service, request: Request) -> Response:
    """Forget everything that happened."""
    del request
    await run_in_threadpool(service.settler.settle_all, None)
    service.state.reset()
    with service.state.transaction() as connection:
        take_on(connection, service.settings)
    return JSONResponse({"reset": True})


def _set_webhooks(service: Service, asked: object) -> None:
    """Take ``{"url": …, "secrets": […], "patience": seconds}``; with null, or without a URL, none are sent."""
    asked = asked if isinstance(asked, dict) else {}
    _only(asked, {"url", "secrets", "patience"})
    service.settings.webhook_secrets = tuple(asked.get("secrets") or ())
    service.settings.webhook_url = asked.get("url")
    if "patience" in asked:
        service.settings.webhook_patience = _number(asked, "patience")
    try:
        service.webhooks.begin()
    except ValueError:
        service.settings.webhook_url = None
        raise VendorError(400, "A secret of webhooks is not base64 behind whsec_.", param="webhooks") from None


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise VendorError(400, "The body is not a JSON object.")
    return body


def _only(asked: dict[str, Any], known: set[str]) -> None:
    for name in sorted(set(asked) - known):
        raise VendorError(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")


def _number(asked: dict[str, Any], name: str) -> float:
    value = asked[name]
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise VendorError(400, f"'{name}' is not a number.", param=name, code="invalid_type")
    return float(value)
