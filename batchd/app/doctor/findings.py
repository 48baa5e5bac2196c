"""What waits for a person: unknown submits and every other open finding, one line for each kind."""

from collections.abc import Iterator
from typing import Any

from batchd.app.remarks import Remark
from batchd.core.findings import CLAIMING_STOPS, KINDS, REPORTS
from batchd.errors import HoldBatchError, SpoolError, VendorAuthError
from batchd.store.opening import Database
from batchd.store.reading import Facts, ask, finding_facts, waiting_facts

_SUBJECT = "findings"
_ROWS_LEFT = SpoolError.exit_code
_UNKNOWN = "unknown-submit"


def look_at_findings(database: Database, task: str | None) -> Iterator[Remark]:
    """Those of all tasks; of a submit that is still looked for it says so."""
    found: dict[str, list[Facts]] = {}
    for one in ask(database, finding_facts):
        found.setdefault(one["kind"], []).append(one)
    # Unknown submits hang on money: they come first, and are told of where there is none, too.
    for kind in sorted(found, key=lambda kind: kind != _UNKNOWN):
        yield _remark(kind, found[kind])
    waiting = ask(database, lambda connection: waiting_facts(connection, task))
    looked_for = [one for one in waiting if one["settle_by"] is not None and one["state"] == "submitting"]
    if looked_for:
        number = "1 submit is" if len(looked_for) == 1 else f"{len(looked_for)} submits are"
        told = (
            f"{number} still being looked for at the vendor, until {_shown(looked_for[0]['settle_by'])} at the latest"
        )
        yield Remark("warning", "unknown submits", told, "batchd status")
    elif _UNKNOWN not in found:
        yield Remark("ok", "unknown submits", "none")
    if not found:
        yield Remark("ok", _SUBJECT, "none is open")


def _remark(kind: str, some: list[Facts]) -> Remark:
    """The oldest one's next command stands for all of its kind."""
    oldest = some[0]
    meaning = KINDS[kind].meaning if kind in KINDS else oldest["detail"]
    number = "1 open" if len(some) == 1 else f"{len(some):,} open, the oldest"
    sentence = f"{kind}: {number}, {oldest['subject']}, since {_shown(oldest['since'])}: {meaning}"
    # Where a finding leads to the doctor, the cause has a line of its own there.
    is_here = oldest["next_command"].startswith("batchd doctor")
    command = f"batchd runbook {kind}" if is_here else oldest["next_command"]
    if kind in REPORTS:
        return Remark("warning", _SUBJECT, sentence, command)
    return Remark("problem", _SUBJECT, sentence, command, _code(kind))


def _code(kind: str) -> int:
    """The exit code of a run that meets it: a key, rows that nobody claims for, or a held batch."""
    if kind == "vendor-auth":
        return VendorAuthError.exit_code
    return _ROWS_LEFT if kind in CLAIMING_STOPS else HoldBatchError.exit_code


def _shown(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
