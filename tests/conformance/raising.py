"""Calls that have to fail."""

from collections.abc import Callable
from typing import Any

import pytest


def raised(act: Callable[..., Any], *arguments: Any) -> Exception:
    """The error of a call."""
    try:
        act(*arguments)
    except Exception as error:  # noqa: BLE001 - which one it is, is the question
        return error
    pytest.fail("what has to fail was taken for a success")
