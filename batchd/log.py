"""Logs on stderr: text for people on a terminal, JSON lines elsewhere, with a level that the journal understands."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from batchd.redaction import cleaned_as, told, traceback_of

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["auto", "json", "console"]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
# What syslog calls them: the journal takes the number off a line and keeps it as the line's priority.
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
# What a line begins with, as far as it is there; what it tells follows in the order of its call.
_FIRST = ("timestamp", "level", "event", "stage", "task", "vendor", "batch", "vendor_batch")
_OURS = frozenset({"timestamp", "level", "event"})


def configure(level: Level, form: Form) -> None:
    """Sets up structlog for this process. Only our own events are logged: libraries may quote row content."""
    _silence_libraries()
    as_text = form == "console" or (form == "auto" and sys.stderr.isatty())
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
        _in_order,
        _as_text() if as_text else structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    if is_journal(sys.stderr, os.environ):
        processors[-1] = _with_priority(processors[-1])
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Unbroken(sys.stderr))),
        cache_logger_on_first_use=False,
    )


class _Unbroken:
    """The stream that lines go to. A full disk under it, or a reader that has gone, costs lines and never the work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def redact(_logger: WrappedLogger, _method: str, values: EventDict) -> EventDict:
    """The one place that every line passes: see :mod:`batchd.redaction`."""
    error = _error_of(values.pop("exc_info", None))
    values.pop("stack_info", None)
    shown = {name: one if name in _OURS else cleaned_as(name, one) for name, one in values.items()}
    if error is not None:
        shown |= {"error": told(error), "traceback": traceback_of(error).splitlines()}
    return shown


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """True where what is written goes straight to the systemd journal, and not to a file or pipe put in between."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found = os.fstat(stream.fileno())
        return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return False


def _silence_libraries() -> None:
    # APScheduler reports each turn that was skipped because the last one still ran: that is by design here.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    # The pool prints tracebacks where a second Ctrl-C meets it; what was in hand is rolled back all the same.
    logging.getLogger("sqlalchemy").setLevel(logging.CRITICAL + 1)
    # Without any handler, Python itself prints what the others warn of.
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(logging.NullHandler())


def _as_text() -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )


def _in_order(_logger: WrappedLogger, _method: str, values: EventDict) -> EventDict:
    return {**{name: values[name] for name in _FIRST if name in values}, **values}


def _with_priority(render: Processor) -> Callable[[WrappedLogger, str, EventDict], str]:
    def rendered(logger: WrappedLogger, method: str, values: EventDict) -> str:
        priority = _PRIORITIES.get(str(values.get("level")), _PRIORITIES["info"])
        return f"<{priority}>{render(logger, method, values)!s}"

    return rendered


def _error_of(given: object) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1] if isinstance(given[1], BaseException) else None
    return sys.exception() if given else None
