"""What the judge asks of the ledger: places where a rule is broken, and facts to hold spool and vendor against."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from batchd.core.keys import RowKey
from batchd.core.model import Batch, Moment
from batchd.core.states import BatchState


class Rule(StrEnum):
    """What no ledger may hold at the end of any transaction. ``batchd.inspection.checks`` says it in sentences."""

    UNGATED_REQUEST = "ungated-request"
    LOOSE_GATE = "loose-gate"
    TWO_OPEN_REQUESTS = "two-open-requests"
    SHARED_VENDOR_ID = "shared-vendor-id"
    UNRECORDED_SEND = "unrecorded-send"
    SENT_BUT_BUILT = "sent-but-built"
    RESULT_NOT_KEPT = "result-not-kept"
    DELETED_TOO_EARLY = "deleted-too-early"
    NO_BEFORE_IMAGE = "no-before-image"
    OUTCOME_TAKEN_BACK = "outcome-taken-back"
    APPLIED_DUE_AGAIN = "applied-due-again"
    OVERTAKEN_REQUEST = "overtaken-request"
    NOT_COMPARED = "not-compared"
    OPEN_IN_ENDED_BATCH = "open-in-ended-batch"
    REQUESTS_MISCOUNTED = "requests-miscounted"
    OUTCOMES_MISCOUNTED = "outcomes-miscounted"
    GATE_DISAGREES = "gate-disagrees"
    DUE_AGAIN_UNASKED = "due-again-unasked"
    TOO_MANY_TRIES = "too-many-tries"


@dataclass(frozen=True, slots=True)
class Breach:
    """One place where a rule is broken: a batch, or with ``key`` a row of a task."""

    task: str
    batch_id: int | None
    seq: int | None = None
    key: RowKey | None = None


@dataclass(frozen=True, slots=True)
class Breaches:
    """How many places break a rule, and the first of them."""

    total: int
    first: tuple[Breach, ...]


class Audit(Protocol):
    """The ledger as the judge reads it; of all tasks, or of one. Writes nothing."""

    def counts(self) -> Mapping[str, int]:
        """Numbers of ``batches``, ``requests``, ``gates`` that the rules are held against."""

    def breaches(self, rule: Rule, most: int) -> Breaches:
        """The places that break a rule, the first ``most`` of them by name."""

    def page(self, positions: Collection[BatchState], after: int, most: int) -> Sequence[Batch]:
        """Batches at these positions (held ones too) with a greater id, in the order of their ids."""

    def outcomes(self, batch_id: int) -> Mapping[int, str | None]:
        """Request number to outcome, of one batch."""

    def pieces(self, batch_id: int, kind: str) -> int:
        """How many pieces of row content of one kind are kept for a batch."""

    def may_lack_files(self, batch_id: int, keep: float) -> bool:
        """True where a batch's spool files were removed, or are to be: it ended ``keep`` seconds ago."""

    def trimmed(self) -> int:
        """How many batches have lost requests to retention, as configured."""

    def was_fetched_again(self, batch_id: int) -> bool:
        """True where result files were lost or altered once while a batch was applied."""

    def accounts(self) -> frozenset[tuple[str, str]]:
        """Name and fingerprint of each vendor account that batches were sent to."""

    def oldest_sent(self, account: str, fingerprint: str, seconds: float) -> Moment | None:
        """When the oldest batch of these last seconds was sent to an account; None where there is none."""

    def with_uids(self, uids: Collection[str]) -> Mapping[str, Batch]:
        """Those batches that the ledger knows, by uid, whatever their task."""

    def with_vendor_ids(self, fingerprint: str, ids: Collection[str]) -> Sequence[Batch]:
        """The batches of an account that have these ids there, whatever their task."""

    def uids_of_files(self, file_ids: Collection[str]) -> Mapping[str, str]:
        """Input file at the vendor to the uid of the batch it was uploaded for."""
