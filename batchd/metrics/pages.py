"""The pages: /metrics for Prometheus, /live and /ready for who starts and restarts the daemon."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_WELL, _UNWELL = 200, 503


def pages(registry: CollectorRegistry, live: Callable[[], str | None], ready: Callable[[], list[str]]) -> Starlette:
    """The application; GET and HEAD only.

    Args:
        registry: what is scraped.
        live: None while the daemon makes progress, else why it doesn't.
        ready: why it can't do its work now, if there is anything.
    """

    # Plain functions: each runs in a thread, for it may have to wait a moment for the database.
    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        # Not by `media_type`, to which Starlette would add a character set that is named already.
        return Response(encode(registry), headers={"content-type": content_type})

    def alive(_: Request) -> Response:
        reason = live()
        return _told([] if reason is None else [reason], "alive")

    def readiness(_: Request) -> Response:
        return _told(ready(), "ready")

    return Starlette(routes=[Route("/metrics", metrics), Route("/live", alive), Route("/ready", readiness)])


def _told(reasons: list[str], well: str) -> Response:
    text = "".join(f"{line}\n" for line in reasons or [well])
    return PlainTextResponse(text, _UNWELL if reasons else _WELL, headers={"cache-control": "no-store"})
