"""What ``batchd status`` takes beside a large table, on a ledger with a long past: both filled by SQL."""

from tests.bench.contestants import Race, prepare, run_batchd
from tests.bench.results import BATCHD, Run, Status
from tests.bench.vendor_process import VendorProcess

ROWS, REQUESTS = 10_000_000, 5_000_000
_A_BATCH = 200
_OFTEN = 3
# As the ledger writes times: in SQLite it reads them back as text.
_PAST = "'2026-01-01 00:00:00.000'"


def status_at(race: Race, vendor: VendorProcess, rows: int = ROWS, requests: int = REQUESTS) -> Status:
    """The quickest of a few calls, the whole command; half of the requests left a gate. Raises RunFailedError."""
    vendor.forget()
    race.place.fill(iter(()))
    prepare(race, BATCHD)
    race.place.add_rows(rows, {"id": "i", "resume": "'the text of row ' || i"})
    race.place.settle()
    # Makes the task known, and leaves a backlog that a sweep has counted.
    run_batchd(race, "run", "--num-batches", "1", "--batch-size", "1")
    before = _quickest(race)
    _give_a_past(race, requests)
    race.place.settle()
    now = _quickest(race)
    return Status(race.place.name, rows, requests, now.wall, now.cpu, before.wall)


def _quickest(race: Race) -> Run:
    return min((run_batchd(race, "status") for _ in range(_OFTEN)), key=lambda run: run.wall)


def _give_a_past(race: Race, requests: int) -> None:
    """Batches behind the one that made the task known, their requests, and gates of rows that stay pending."""
    batch, seq = f"2 + (i - 1) / {_A_BATCH}", f"1 + (i - 1) % {_A_BATCH}"
    stations = ("created", "intent", "submitted", "ended", "collected", "applied", "closed", "files_removed")
    race.place.add_rows(
        requests // _A_BATCH,
        {
            "uid": "'old-' || i", "task_id": "1", "version_id": "1", "state": "'closed'", "attempt": "1",
            "account": "'instant'", "account_fingerprint": "'old'", "requests": str(_A_BATCH), "input_bytes": "1",
            "input_sha256": "'s'", "vendor_file_id": "'oldfile-' || i", "vendor_batch_id": "'oldbatch-' || i",
            "applied": str(_A_BATCH), "input_tokens": "62000", "output_tokens": "12800", "cost_nano_usd": "9000000",
            **{f"{one}_at": _PAST for one in stations},
        },
        "batchd_batch",
    )  # fmt: skip
    race.place.add_rows(
        requests,
        {
            "batch_id": batch, "seq": seq, "key_int": "i", "key_text": "''", "key_hash": "''",
            "guard": "'00000000000000000000000000000000'", "outcome": "'applied'", "finish_reason": "'stop'",
            "input_tokens": "310", "output_tokens": "64", "finished_at": _PAST,
        },
        "batchd_request",
    )  # fmt: skip
    race.place.add_rows(
        requests // 2,
        {
            "task_id": "1", "key_int": "i", "key_text": "''", "key_hash": "''", "state": "'done'", "paid_tries": "1",
            "batch_id": batch, "seq": seq, "outcome": "'applied'", "changed_at": _PAST,
        },
        "batchd_gate",
    )  # fmt: skip
