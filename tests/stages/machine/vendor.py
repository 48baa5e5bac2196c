"""A vendor that does nothing by itself: its batches move only when told, its bill counts every line that ran."""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from batchd.core.model import Listing, VendorBatch, VendorFault
from batchd.core.states import VendorPhase, phase_of
from batchd.errors import VendorNotFoundError
from tests.fakes.answers import ResultLine, Script, answered, both, http_error, never_run
from tests.stages.machine.clock import Clock

_DAY = 86_400

# How a whole batch is refused in its validation; `line` names the first one.
REFUSALS: dict[str, VendorFault] = {
    "token_limit": VendorFault("token_limit_exceeded"),
    "file": VendorFault("invalid_request", param="file_id"),
    "line": VendorFault("invalid_json_line", line=1),
    "strange": VendorFault("something_new"),
}
ENDINGS = ("completed", "expired", "cancelled")
# How a line is answered; those in UNPAID never ran.
LINES = (
    "good",
    "null",
    "poison",
    "invalid",
    "not_json",
    "truncated",
    "refused",
    "errored",
    "rejected",
    "lost",
    "absent",
    "same_twice",
    "two_answers",
    "stranger",
)


@dataclass(slots=True)
class Sent:
    """A batch as the vendor has it.

    Attributes:
        lines: the requests, as they were uploaded.
        shown_from: Unix seconds from when on lists show it.
        names_late: looks at its end in which the result files are not named yet.
        billed: custom_id → how often its line ran.
        delivered: custom_id → the lines of the result files that answer it.
    """

    batch: VendorBatch
    lines: list[dict[str, Any]]
    shown_from: int
    names_late: int = 0
    billed: Counter[str] = field(default_factory=Counter)
    delivered: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    @property
    def has_ended(self) -> bool:
        return phase_of(self.batch.status) is VendorPhase.ENDED

    @property
    def uid(self) -> str:
        return self.batch.metadata["batchd_uid"]


class VendorModel:
    """Implements the ``Vendor`` port; nothing fails here, mishaps are put around it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._answers = itertools.count(1)
        self.files: dict[str, bytes] = {}
        self.sent: dict[str, Sent] = {}
        self.listing_lag = 0
        self.tells_sizes = True
        self.creates_on_their_way: list[tuple[str, Mapping[str, str]]] = []

    # What batchd calls.

    def upload(self, path: Path, filename: str) -> str:
        del filename
        return self._add_file(path.read_bytes())

    def create_batch(self, file_id: str, endpoint: str, metadata: Mapping[str, str]) -> VendorBatch:
        del endpoint
        if file_id not in self.files:
            raise VendorNotFoundError("no such file", code="http_404")
        now = self._clock.unix()
        batch = VendorBatch(
            id=f"batch_{next(self._numbers)}",
            status="validating",
            input_file_id=file_id,
            created_at=now,
            expires_at=now + _DAY,
            total=0,
            completed=0,
            failed=0,
            metadata=dict(metadata),
        )
        lines = [json.loads(line) for line in self.files[file_id].splitlines()]
        self.sent[batch.id] = Sent(batch, lines, shown_from=now + self.listing_lag)
        return batch

    def retrieve_batch(self, batch_id: str) -> VendorBatch:
        return self._look(self._find(batch_id))

    def list_batches(self, since: int) -> Listing:
        shown = [one for one in reversed(self.sent.values()) if one.shown_from <= self._clock.unix()]
        found = [self._look(one) for one in shown]
        return Listing(tuple(one for one in found if (one.created_at or since) >= since), complete=True)

    def cancel_batch(self, batch_id: str) -> VendorBatch:
        sent = self._find(batch_id)
        if not sent.has_ended:
            sent.batch = replace(sent.batch, status="cancelling")
        return sent.batch

    def file_bytes(self, file_id: str) -> int | None:
        if file_id not in self.files:
            raise VendorNotFoundError("no such file", code="http_404")
        return len(self.files[file_id]) if self.tells_sizes else None

    def download(self, file_id: str, sink: BinaryIO) -> None:
        if file_id not in self.files:
            raise VendorNotFoundError("no such file", code="http_404")
        sink.write(self.files[file_id])

    def delete_file(self, file_id: str) -> None:
        self.files.pop(file_id, None)

    def close(self) -> None:
        """Nothing to let go of."""

    # What happens at the vendor.

    def create_later(self, file_id: str, metadata: Mapping[str, str]) -> None:
        """The POST is on its way; nobody waits for its answer any more."""
        self.creates_on_their_way.append((file_id, dict(metadata)))

    def let_late_creates_land(self) -> None:
        """Those whose file was deleted meanwhile fail."""
        for file_id, metadata in self.creates_on_their_way:
            if file_id in self.files:
                self.create_batch(file_id, "", metadata)
        self.creates_on_their_way.clear()

    def open(self) -> list[Sent]:
        """Batches that have not ended, oldest first."""
        return [sent for sent in self.sent.values() if not sent.has_ended]

    def begin(self, sent: Sent, status: str) -> None:
        """Validated, or in a state that nobody has heard of."""
        if sent.batch.status != "cancelling":
            sent.batch = replace(sent.batch, status=status)

    def refuse(self, sent: Sent, why: str) -> None:
        """Validation fails; nothing ran."""
        if sent.batch.status == "validating":
            sent.batch = replace(sent.batch, status="failed", faults=(REFUSALS[why],))

    def end(self, sent: Sent, status: str, kinds: Sequence[str], *, ran: int | None = None) -> None:
        """Runs the first ``ran`` lines, all where None, each in its kind; the others never ran."""
        if sent.batch.status == "cancelling":
            status = "cancelled"
        ran = len(sent.lines) if ran is None or status == "completed" else min(ran, len(sent.lines))
        results = [
            line
            for at, request in enumerate(sent.lines[:ran])
            for line in self._run(sent, request, kinds[at % len(kinds)])
        ]
        # Some vendors list what was cancelled, others leave it out.
        rest = sent.lines[ran:] if status == "expired" else []
        results += [line for request in rest for line in never_run(f"batch_{status}")(request)]
        output, error = [[one.raw for one in results if one.kind == kind] for kind in ("output", "error")]
        sent.batch = replace(
            sent.batch,
            status=status,
            output_file_id=self._result_file(output),
            error_file_id=self._result_file(error),
            total=len(sent.lines),
            completed=sum(sent.billed.values()),
            failed=len(error),
        )

    def bill(self) -> Counter[str]:
        """custom_id → how often it was paid for, over all batches."""
        return sum((sent.billed for sent in self.sent.values()), Counter())

    def _run(self, sent: Sent, request: dict[str, Any], kind: str) -> list[ResultLine]:
        name = request["custom_id"]
        lines = [] if kind == "absent" else self._script(kind)(request)
        if kind not in ("errored", "rejected", "absent"):
            sent.billed[name] += 1
        if kind == "lost":
            return []
        sent.delivered[name] += [line.raw for line in lines if _named(line) == name]
        return lines

    def _script(self, kind: str) -> Script:
        good, other = self._good(), self._good()
        if kind == "same_twice":
            return both(good, good)
        if kind == "two_answers":
            return both(good, other)
        if kind == "stranger":
            return lambda request: good(request) + good({**request, "custom_id": "nobody-1"})
        scripts: dict[str, Script] = {
            "null": answered('{"name": null, "level": "junior"}'),
            "poison": answered('{"name": "poison", "level": "junior"}'),
            "invalid": answered('{"name": "Ada", "level": "boss"}'),
            "not_json": answered("I would rather not"),
            "truncated": answered('{"name": "A', finish_reason="length"),
            "refused": answered("", refusal="no"),
            "errored": http_error(500),
            "rejected": http_error(400, "invalid_value"),
        }
        return scripts.get(kind, good)

    def _good(self) -> Script:
        # Each answer is another one, so that it can be told whose answer stands in a row.
        number = next(self._answers)
        return answered(json.dumps({"name": f"n{number}", "level": ("junior", "senior")[number % 2]}))

    def _look(self, sent: Sent) -> VendorBatch:
        if sent.has_ended and sent.names_late > 0:
            sent.names_late -= 1
            return replace(sent.batch, output_file_id=None, error_file_id=None)
        return sent.batch

    def _find(self, batch_id: str) -> Sent:
        if batch_id not in self.sent:
            raise VendorNotFoundError("no such batch", code="http_404")
        return self.sent[batch_id]

    def _add_file(self, content: bytes) -> str:
        file_id = f"file-{next(self._numbers)}"
        self.files[file_id] = content
        return file_id

    def _result_file(self, lines: list[bytes]) -> str | None:
        return self._add_file(b"".join(line + b"\n" for line in lines)) if lines else None


def _named(line: ResultLine) -> str:
    return str(json.loads(line.raw)["custom_id"])
