"""Faults on demand: what goes wrong with lines, routes, batches and webhooks, kept in the state until replaced."""

import dataclasses
import sqlite3
from dataclasses import dataclass
from typing import Any, TypeVar

from batchd.sandbox.batch_view import Disguise
from batchd.sandbox.line_faults import KINDS, LineFaults
from batchd.sandbox.progress import RANKS, Pace
from batchd.sandbox.state import read_setting, write_setting
from batchd.sandbox.webhook_faults import KINDS as WEBHOOK_KINDS
from batchd.sandbox.webhook_faults import WebhookFault

SETTING = "faults"
ROUTES = (
    "files.create",
    "files.retrieve",
    "files.content",
    "files.delete",
    "files.list",
    "batches.create",
    "batches.retrieve",
    "batches.list",
    "batches.cancel",
)
LIST_ORDERS = ("newest", "oldest", "shuffled")
LIST_ENDS = ("sound", "empty_pages", "repeats")
Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Truncation:
    """Send only so many bytes of a body; keep the length that was announced, or announce none."""

    bytes: int
    keep_length: bool = False


@dataclass(frozen=True)
class RouteFault:
    """One rule: what happens to the next ``times`` calls (None: to all) of a route.

    Without a status, a body, a drop or a truncation the call is served as usual, ``hang`` seconds late.
    A ``body`` is sent as it stands in place of the reply's, with status 200 unless another is given.
    With ``after_effect`` the call does its work first, then the fault befalls the reply; with ``twice`` it does its
    work two times, as behind a relay that repeats what was not answered.
    """

    route: str
    times: int | None = None
    after_effect: bool = False
    twice: bool = False
    status: int | None = None
    code: str | None = None
    type: str = "server_error"
    message: str = "The sandbox was told to fail here."
    html: bool = False
    body: str | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    drop: bool = False
    hang: float = 0.0
    truncate: Truncation | None = None


@dataclass(frozen=True)
class BatchFaults:
    """What befalls whole batches: a failed validation, a status to stay in, odd ways of showing them.

    The list gives ``page_size`` batches a page at most, whatever was asked for, and leaves the newest one out of the
    next ``hide_newest_calls`` pages. ``request_counts`` are shown of batches that have ended, in place of their own.
    """

    fail_with: dict[str, Any] | None = None
    times: int | None = None
    stay_in: str | None = None
    skip_finalizing: bool = False
    empty_string_ids: bool = False
    null_output: bool = False
    hide_from_list_seconds: float = 0.0
    hide_newest_calls: int = 0
    list_order: str = "newest"
    list_end: str = "sound"
    page_size: int | None = None
    shuffle_output: bool = False
    unknown_status: str | None = None
    cancelled_counts_disagree: bool = False
    request_counts: dict[str, Any] | None = None
    null_metadata: bool = False

    @property
    def pace(self) -> Pace:
        """What holds batches up."""
        return Pace(self.stay_in, self.skip_finalizing)

    @property
    def disguise(self) -> Disguise:
        """How batches are shown."""
        return Disguise(
            self.empty_string_ids, self.null_output, self.unknown_status, self.request_counts, self.null_metadata
        )


@dataclass(frozen=True)
class Faults:
    """Everything that is to go wrong."""

    lines: LineFaults = dataclasses.field(default_factory=LineFaults)
    routes: tuple[RouteFault, ...] = ()
    batches: BatchFaults = dataclasses.field(default_factory=BatchFaults)
    webhooks: tuple[WebhookFault, ...] = ()


def parse_faults(given: dict[str, Any]) -> Faults:
    """Read faults from JSON; raises ValueError, naming the key, for anything that is not known."""
    unknown = set(given) - {"lines", "routes", "batches", "webhooks"}
    if unknown:
        raise ValueError(f"unknown key: {min(unknown)}")
    lines = _build(LineFaults, given.get("lines") or {}, "lines")
    routes = tuple(_route(rule, f"routes[{n}]") for n, rule in enumerate(given.get("routes") or ()))
    batches = _build(BatchFaults, given.get("batches") or {}, "batches")
    webhooks = tuple(_webhook(rule, f"webhooks[{n}]") for n, rule in enumerate(given.get("webhooks") or ()))
    for kind in (*lines.kinds, *(aim.get("kind") for aim in lines.kind_by_input)):
        _closed(kind, KINDS, "lines kind")
    _closed(batches.list_order, LIST_ORDERS, "batches.list_order")
    _closed(batches.list_end, LIST_ENDS, "batches.list_end")
    _closed(batches.stay_in, (None, *RANKS), "batches.stay_in")
    return Faults(lines, routes, batches, webhooks)


def read_faults(connection: sqlite3.Connection) -> Faults:
    """Return the faults that are set now."""
    return parse_faults(read_setting(connection, SETTING))


def show_faults(connection: sqlite3.Connection) -> dict[str, object]:
    """Return the faults as they were given, with the numbers of times that are left."""
    return read_setting(connection, SETTING)


def replace_faults(connection: sqlite3.Connection, given: dict[str, object]) -> None:
    """Set the faults; raises ValueError when they cannot be read."""
    parse_faults(given)
    write_setting(connection, SETTING, given)


def take_route_fault(connection: sqlite3.Connection, route: str) -> RouteFault | None:
    """Return the first rule for a route that has times left, and use one of them up."""
    given = read_setting(connection, SETTING)
    for rule in _rules(given):
        if rule["route"] == route and _use_up(rule):
            write_setting(connection, SETTING, given)
            return _route(rule, "routes")
    return None


def take_webhook_fault(connection: sqlite3.Connection, *, early: bool) -> WebhookFault | None:
    """Return the first rule for webhooks that has times left, and use one up; one of kind ``early`` only if asked."""
    given = read_setting(connection, SETTING)
    for rule in _webhook_rules(given):
        if (rule["kind"] == "early") == early and _use_up(rule):
            write_setting(connection, SETTING, given)
            return _webhook(rule, "webhooks")
    return None


def take_batch_failure(connection: sqlite3.Connection) -> dict[str, Any] | None:
    """Return the error that a batch created now shall fail with, and use one of the times up."""
    given = read_setting(connection, SETTING)
    batches = given.get("batches")
    if not isinstance(batches, dict) or not batches.get("fail_with") or not _use_up(batches):
        return None
    write_setting(connection, SETTING, given)
    failure: dict[str, Any] = batches["fail_with"]
    return {key: failure.get(key) for key in ("code", "message", "param", "line")}


def take_list_lag(connection: sqlite3.Connection) -> bool:
    """Tell whether the page asked for now leaves the newest batch out, and use one of the calls up."""
    given = read_setting(connection, SETTING)
    batches = given.get("batches")
    if not isinstance(batches, dict) or not batches.get("hide_newest_calls"):
        return False
    batches["hide_newest_calls"] -= 1
    write_setting(connection, SETTING, given)
    return True


def _rules(given: dict[str, Any]) -> list[dict[str, Any]]:
    return given.get("routes") or []


def _webhook_rules(given: dict[str, Any]) -> list[dict[str, Any]]:
    return given.get("webhooks") or []


def _use_up(rule: dict[str, Any]) -> bool:
    left = rule.get("times")
    if left is None:
        return True
    if left > 0:
        rule["times"] = left - 1
    return bool(left > 0)


def _route(rule: dict[str, Any], place: str) -> RouteFault:
    truncation = rule.get("truncate")
    fields = {key: value for key, value in rule.items() if key != "truncate"}
    fault = _build(RouteFault, fields, place)
    _closed(fault.route, ROUTES, f"{place}.route")
    if truncation is None:
        return fault
    return dataclasses.replace(fault, truncate=_build(Truncation, truncation, f"{place}.truncate"))


def _webhook(rule: dict[str, Any], place: str) -> WebhookFault:
    fault = _build(WebhookFault, rule, place)
    _closed(fault.kind, WEBHOOK_KINDS, f"{place}.kind")
    return fault


def _build(shape: type[Shape], given: object, place: str) -> Shape:
    if not isinstance(given, dict):
        raise ValueError(f"{place} is not an object")  # noqa: TRY004, one kind of error for all bad input
    known = {field.name for field in dataclasses.fields(shape)}  # type: ignore[arg-type]
    unknown = set(given) - known
    if unknown:
        raise ValueError(f"unknown key: {place}.{min(unknown)}")
    try:
        return shape(**given)
    except TypeError as error:
        raise ValueError(f"{place}: {error}") from error


def _closed(value: object, known: tuple[object, ...], place: str) -> None:
    if value not in known:
        raise ValueError(f"{place}: {value!r} is none of {', '.join(map(str, known))}")
