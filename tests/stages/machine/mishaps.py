"""What may go wrong in the middle of a pass: where, when, and what."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from batchd.errors import (
    VendorAuthError,
    VendorBillingError,
    VendorBusyError,
    VendorError,
    VendorNotFoundError,
    VendorRefusedError,
    VendorUnclearError,
    VendorUnreachableError,
)


class Crash(BaseException):
    """The process is killed at this moment."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something the world does: the name of one of its methods, with arguments."""

    name: str
    arguments: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.arguments))})"


@dataclass(frozen=True, slots=True)
class Mishap:
    """One thing that goes wrong.

    Attributes:
        point: a method of the vendor's, ``commit``, or ``spool``.
        nth: at which passing of the point.
        when: before the call, or after it had its effect.
        what: ``crash``, ``meanwhile``, a kind of error, or a special of the point (``late``, ``repeat``, …).
        acts: what happens while this process sleeps.
    """

    point: str
    nth: int
    when: Literal["before", "after"]
    what: str
    acts: tuple[Act, ...] = ()

    def __str__(self) -> str:
        meanwhile = f" [{'; '.join(map(str, self.acts))}]" if self.acts else ""
        return f"{self.what} {self.when} {self.point}#{self.nth}{meanwhile}"


ERRORS: dict[str, Callable[[], VendorError]] = {
    "refused": lambda: VendorRefusedError("refused", code="http_400"),
    "busy": lambda: VendorBusyError("busy", code="rate_limit_exceeded", retry_after=150.0),
    "billing": lambda: VendorBillingError("no money", code="insufficient_quota"),
    "auth": lambda: VendorAuthError("wrong key", code="http_401"),
    "not_found": lambda: VendorNotFoundError("not found", code="http_404"),
    "unreachable": lambda: VendorUnreachableError("no connection", code="connect"),
    "unclear": lambda: VendorUnclearError("no whole reply", code="timeout"),
}


class Trouble:
    """The mishaps of one pass; each strikes once."""

    def __init__(self, mishaps: tuple[Mishap, ...] = ()) -> None:
        self._ahead = list(mishaps)
        self._passed: dict[str, int] = {}

    def at(self, point: str) -> Mishap | None:
        """The point is passed once more: what strikes there now, if anything does."""
        passed = self._passed[point] = self._passed.get(point, 0) + 1
        for mishap in self._ahead:
            if mishap.point == point and mishap.nth == passed:
                self._ahead.remove(mishap)
                return mishap
        return None


def error_of(kind: str) -> VendorError:
    """What a call of the vendor's raises."""
    return ERRORS[kind]()
