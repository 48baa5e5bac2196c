"""What to do with a batch that the vendor refused as a whole in its validation (vendor status ``failed``)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import orjson

from batchd.core.model import Kept, VendorFault
from batchd.core.quota import TOKEN_LIMIT, told_limit


class Remedy(Enum):
    """What follows from a refusal."""

    AGAIN = auto()  # nothing is wrong with the file: send it again later, nobody's try is charged
    ROWS = auto()  # the lines named are set aside, the others go again
    PERSON = auto()  # no single row explains it


@dataclass(frozen=True, slots=True)
class Refusal:
    """A remedy; for ``ROWS`` the code of each refused line, counted from 1."""

    remedy: Remedy
    code: str
    lines: dict[int, str] = field(default_factory=dict)


# Codes about the task and not about a row: every other line would fail for the same reason.
_TASK_WIDE = frozenset({"model_not_found", "mismatched_model", "model_mismatch", "invalid_url", "url_mismatch"})


def judge(faults: Sequence[VendorFault], requests: int) -> Refusal:
    """Reads ``errors.data`` of a failed batch of so many requests.

    ``token_limit_exceeded`` passes when other batches finish. ``invalid_request`` on ``file_id`` is said of good
    files that were just uploaded, for minutes or hours. Any unknown code without a line asks for a person.
    """
    first = faults[0].code if faults else "unknown"
    if faults and all(_passes(fault) for fault in faults):
        return Refusal(Remedy.AGAIN, first)
    explained = [fault for fault in faults if not _passes(fault)]
    lines = {fault.line: fault.code for fault in explained if fault.line is not None and 1 <= fault.line <= requests}
    unexplained = any(fault.line not in lines for fault in explained)
    task_wide = any(fault.code in _TASK_WIDE or fault.param == "body.model" for fault in faults)
    if not lines or unexplained or task_wide:
        return Refusal(Remedy.PERSON, first)
    return Refusal(Remedy.ROWS, first, lines)


def faults_as_text(faults: Sequence[VendorFault]) -> str:
    """The faults as ``batchd_content`` keeps them; messages may quote row content, so they stay there."""
    return orjson.dumps(
        [{"code": one.code, "param": one.param, "line": one.line, "message": one.message} for one in faults]
    ).decode()


def read_faults(kept: Sequence[Kept]) -> list[VendorFault]:
    """The faults of the last refusal that was kept."""
    found = orjson.loads(kept[-1].body) if kept else []
    return [VendorFault(one["code"], one["param"], one["line"]) for one in found]


def read_limit(kept: Sequence[Kept]) -> tuple[bool, int | None]:
    """Whether the last refusal that was kept was for enqueued tokens, and the limit that the vendor named in it."""
    found = [one for one in (orjson.loads(kept[-1].body) if kept else []) if one["code"] == TOKEN_LIMIT]
    return bool(found), next((limit for one in found if (limit := told_limit(one["message"]))), None)


def _passes(fault: VendorFault) -> bool:
    return fault.code == TOKEN_LIMIT or (fault.code == "invalid_request" and fault.param == "file_id")
