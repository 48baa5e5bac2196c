"""Logs on stderr: text for people on a terminal, JSON lines elsewhere."""

import logging
import sys
from typing import Literal

import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: Literal["debug", "info", "warning", "error"], form: Literal["auto", "json", "console"]) -> None:
    """Sets up structlog for this process. Only our own events are logged: libraries may quote row content."""
    # APScheduler reports each turn that was skipped because the last one still ran: that is by design here.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    # The pool prints tracebacks where a second Ctrl-C meets it; what was in hand is rolled back all the same.
    logging.getLogger("sqlalchemy").setLevel(logging.CRITICAL + 1)
    as_text = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if as_text else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
