"""The one path that webhooks are sent to. Slow to import: only by who serves."""

import asyncio

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from batchd.core.webhooks import ended_batch
from batchd.webhooks.bell import Bell
from batchd.webhooks.door import Door, Reason, RefusedError
from batchd.webhooks.refusals import Refusals

# An event names a batch, in some 200 bytes.
LARGEST = 65_536
# How long a sender may take over its body, in seconds.
SLOWEST = 5.0

_STATUS = {Reason.UNSIGNED: 400, Reason.UNTIMELY: 400, Reason.TOO_LARGE: 413, Reason.TOO_SLOW: 408}


def front(path: str, door: Door, bell: Bell, refusals: Refusals) -> Starlette:
    """The application. It answers with a status alone: 200 also for what changes nothing, so that it is sent once."""

    async def heard(request: Request) -> Response:
        try:
            body = await _body(request)
            accounts = door.admit(request.headers, body)
        except RefusedError as error:
            refusals.count(error.reason)
            return Response(status_code=_STATUS[error.reason])
        except ClientDisconnect:
            return Response(status_code=400)
        batch_id = ended_batch(body)
        if accounts and batch_id is not None and not bell.ring(accounts, batch_id):
            # Not remembered: the vendor sends it again.
            return Response(status_code=503)
        door.remember(accounts, request.headers["webhook-id"])
        return Response()

    app = Starlette(routes=[Route(path, heard, methods=["POST"])])
    app.router.redirect_slashes = False
    return app


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(SLOWEST):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST:
                    raise RefusedError(Reason.TOO_LARGE)
    except TimeoutError:
        raise RefusedError(Reason.TOO_SLOW) from None
    return bytes(body)
