"""Lets a route's fault befall a call: a hang, an error, a cut body or a closed connection."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from batchd.sandbox.faults import RouteFault, Truncation
from batchd.sandbox.vendor_errors import error_body

Serve = Callable[[], Awaitable[Response]]


async def serve_with_fault(fault: RouteFault | None, request: Request, serve: Serve) -> Response:
    """Serve a call as its fault wants it: before the work is done, in its place, or after it."""
    if fault is None:
        return await serve()
    if fault.twice:
        await serve()
    if not fault.after_effect:
        # Read first, so that the call takes effect in the end even if its client goes away meanwhile.
        await request.body()
        await asyncio.sleep(fault.hang)
        return _instead(fault, request) or _cut(fault, await serve())
    response = await serve()
    await asyncio.sleep(fault.hang)
    return _instead(fault, request) or _cut(fault, response)


def _instead(fault: RouteFault, request: Request) -> Response | None:
    if fault.drop:
        return DroppedConnection(request)
    if fault.body is not None:
        return Response(fault.body, fault.status or 200, fault.headers, "application/json")
    return None if fault.status is None else _error(fault, fault.status)


def _cut(fault: RouteFault, response: Response) -> Response:
    return CutResponse(response, fault.truncate) if fault.truncate else response


def _error(fault: RouteFault, status: int) -> Response:
    if fault.html:
        page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
        return HTMLResponse(page, status, fault.headers)
    body = error_body(fault.message, code=fault.code, kind=fault.type)
    return JSONResponse(body, status, fault.headers)


class DroppedConnection(Response):
    """Closes the connection without a word; the server has put its transport into the request's state."""

    def __init__(self, request: Request) -> None:
        """Remember whose connection to close."""
        super().__init__()
        self._transport: asyncio.Transport = request.state.transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close, then wait until the server has noticed."""
        del scope, send
        self._transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass


class CutResponse(Response):
    """Sends the first bytes of another response, with or without the length that it announced."""

    def __init__(self, whole: Response, truncation: Truncation) -> None:
        """Take the response to cut."""
        super().__init__(status_code=whole.status_code)
        self._whole = whole
        self._truncation = truncation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and the first bytes; with a kept length the server then breaks the connection."""
        left = self._truncation.bytes

        async def cut(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                await send(self._head(message))
            elif left >= 0:
                part = message.get("body", b"")[:left]
                left = left - len(part) if message.get("more_body") and len(part) < left else -1
                ends = left < 0 and not self._truncation.keep_length
                await send({"type": "http.response.body", "body": part, "more_body": not ends})

        await self._whole(scope, receive, cut)

    def _head(self, message: Message) -> Message:
        if self._truncation.keep_length:
            return message
        headers = [(name, value) for name, value in message["headers"] if name != b"content-length"]
        return {**message, "headers": headers}
