"""No log lines: thousands of passes would write millions of them."""

import contextlib
import logging
from collections.abc import Iterator

import structlog


@contextlib.contextmanager
def quiet_log() -> Iterator[None]:
    """Nothing is logged in this block."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
