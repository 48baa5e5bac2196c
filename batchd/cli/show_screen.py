"""``batchd show ID`` on a screen: what the batch is and came to, its timeline, and what to do next."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.cells import cell_len

from batchd.cli.batch_words import actor_words, state_words, vendor_id_words
from batchd.cli.checking import outcome_words
from batchd.cli.out import dollars, plural, shown
from batchd.cli.screen import Column, padded, table, wrapped
from batchd.cli.since import ago, lasting

Facts = Mapping[str, Any]
_LABEL = 12
_COLUMNS = [
    Column("when (UTC)"),
    Column("after", right=True),
    Column("what", least=20),
    Column("who", least=10, name=True),
]
# A reason that has less room than this beside its step stands below it.
_LEAST_WHY = 24
_MOST_WHY = 6


class _Step(NamedTuple):
    at: dt.datetime
    what: str
    who: str
    why: str


def show_lines(batch: Facts, now: dt.datetime, width: int) -> list[str]:
    """The lines of the screen.

    Args:
        batch: with its timeline, its findings, and its next command.
        now: by the database's clock.
        width: of the screen, in cells.
    """
    lines = [line for label, words in _header(batch, now) for line in _labelled(label, words, width)]
    lines += ["", *_timeline(batch, width)]
    if batch["next_command"]:
        lines += ["", f"next: {batch['next_command']}"]
    return lines


def _labelled(label: str, words: str, width: int) -> list[str]:
    first, *others = wrapped(words, width, " " * _LABEL, 4)
    return [f"{label:<{_LABEL}}{first[_LABEL:]}", *others]


def _header(batch: Facts, now: dt.datetime) -> Iterator[tuple[str, str]]:
    yield "batch", f"{batch['batch']}, uid {batch['uid']}"
    yield "task", batch["task"]
    yield "state", f"{state_words(batch)}; {_age(batch, now)}"
    yield "built", shown(batch["created_at"])
    yield "vendor", f"{batch['vendor']}, {vendor_id_words(batch)}"
    yield "vendor says", _vendor_words(batch, now)
    yield "requests", f"{batch['requests']:,} in {batch['input_bytes']:,} bytes, try {batch['attempt']}"
    yield "outcomes", outcome_words(batch["outcomes"])
    yield "tokens in", f"{batch['input_tokens']:,} ({batch['cached_tokens']:,} from the vendor's cache)"
    yield "tokens out", f"{batch['output_tokens']:,} ({batch['reasoning_tokens']:,} for reasoning)"
    unpriced = batch["unpriced_requests"]
    more = f", and {plural(unpriced, 'request')} without a known price" if unpriced else ""
    yield "cost", dollars(batch["cost_usd"]) + more
    if batch["error_code"]:
        yield "last error", f"{batch['error_code']}: {batch['error_text']}"
    if batch["expires_at"] is not None and batch["ended_at"] is None:
        yield "window", f"the vendor's ends at {shown(batch['expires_at'])}"
    if batch["not_before"] is not None and batch["closed_at"] is None and batch["not_before"] > now:
        yield "left alone", f"for {lasting((batch['not_before'] - now).total_seconds())} more"
    if batch["requests_removed_at"] is not None:
        yield "removed", f"its requests, {ago(batch['requests_removed_at'], now)} (keep_ledger)"
    if batch["vendor_files_deleted_at"] is not None:
        yield "deleted", f"its files at the vendor, {ago(batch['vendor_files_deleted_at'], now)} (keep_vendor_files)"


def _age(batch: Facts, now: dt.datetime) -> str:
    if batch["closed_at"] is None:
        return f"open for {lasting((now - batch['created_at']).total_seconds())}"
    took = lasting((batch["closed_at"] - batch["created_at"]).total_seconds())
    return f"took {took}, ended {ago(batch['closed_at'], now)}"


def _vendor_words(batch: Facts, now: dt.datetime) -> str:
    done, failed, total = (shown(batch["vendor_counts"][name]) for name in ("completed", "failed", "total"))
    if batch["vendor_status"] is None:
        return "nothing yet"
    looked = f"; looked at {ago(batch['polled_at'], now)}" if batch["closed_at"] is None else ""
    return f"{batch['vendor_status']}, {done} completed, {failed} failed of {total}{looked}"


def _timeline(batch: Facts, width: int) -> list[str]:
    steps = sorted([*_moves(batch["timeline"]), *_findings(batch["findings"])], key=lambda one: one.at)
    rows, before = [], None
    for step in steps:
        after = "" if before is None else f"+{lasting((step.at - before).total_seconds())}"
        rows.append([_moment(step.at), after, step.what, step.who])
        before = step.at
    heading, *lines = table(_COLUMNS, rows, width)
    beside = max(map(cell_len, (heading, *lines))) + 2
    if width - beside < _LEAST_WHY:
        return [
            heading,
            *(one for line, step in zip(lines, steps, strict=True) for one in (line, *_below(step, width))),
        ]
    told = [f"{padded(heading, beside)}why"]
    for line, step in zip(lines, steps, strict=True):
        first, *others = wrapped(step.why, width, " " * beside, _MOST_WHY)
        told += [f"{padded(line, beside)}{first[beside:]}".rstrip(), *others]
    return told


def _below(step: _Step, width: int) -> list[str]:
    return wrapped(step.why, width, " " * _LABEL, _MOST_WHY) if step.why else []


def _moves(timeline: Sequence[Facts]) -> Iterator[_Step]:
    for one in timeline:
        yield _Step(one["at"], _what(one), actor_words(one["actor"]), one["reason"])


def _what(move: Facts) -> str:
    """A move between two states says by itself what it is; what has a name of its own is called by it."""
    if not move["from"] or not move["to"]:
        return str(move["action"])
    if move["action"] == "moved":
        return f"{move['from']} → {move['to']}"
    return f"{move['action']}, from {move['from']}"


def _findings(findings: Sequence[Facts]) -> Iterator[_Step]:
    for one in findings:
        yield _Step(one["opened_at"], f"! {one['kind']}", "", one["detail"] or one["meaning"])
        if one["closed_at"] is not None:
            yield _Step(one["closed_at"], f"{one['kind']} ends", "", "")


def _moment(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%m-%d %H:%M:%S}"
