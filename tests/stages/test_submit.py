"""Money hangs on it: one create per batch, the intent written down first, and nothing sent again on a guess."""

import pytest

from batchd.core.model import VendorBatch
from batchd.errors import (
    LeaseLostError,
    VendorAuthError,
    VendorBillingError,
    VendorBusyError,
    VendorError,
    VendorRefusedError,
    VendorUnreachableError,
)
from batchd.operations import resume
from batchd.pipeline import SENDING, StageMaker
from tests.fakes.vendor import unclear
from tests.stages.bench import Bench

SUBMIT: tuple[StageMaker, ...] = (SENDING[2],)


def test_the_intent_is_committed_before_the_create(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the moment of the POST the ledger already knows the file and the try."""
    bench.add_people("one")
    seen: list[tuple[str, str, int]] = []
    create = bench.vendor.create_batch

    def watched(file_id: str, endpoint: str, metadata: dict[str, str]) -> VendorBatch:
        batch = bench.batch()
        seen.append((batch["state"], batch["vendor_file_id"], batch["attempt"]))
        return create(file_id, endpoint, metadata)

    monkeypatch.setattr(bench.vendor, "create_batch", watched)
    bench.run(*SENDING)

    assert [("submitting", next(iter(bench.vendor.files)), 1)] == seen


def test_file_and_batch_carry_what_an_orphan_is_found_by(bench: Bench) -> None:
    """The uid and the try stand in the file's name and the metadata, with the installation and the table."""
    bench.add_people("one")

    bench.run(*SENDING)

    (created,) = bench.vendor.batches()
    ((installation,),) = bench.execute("SELECT installation_id FROM batchd_installation")
    uid = bench.batch()["uid"]
    assert [f"batchd-{uid}-1.jsonl"] == list(bench.vendor.filenames.values())
    assert {"batchd_uid": uid, "batchd_try": "1", "batchd_installation": installation} == {
        name: value for name, value in created.metadata.items() if name != "batchd_table"
    }
    assert 64 == len(created.metadata["batchd_table"])


@pytest.mark.parametrize(
    ("error", "state", "finding", "cause"),
    [
        (VendorBusyError("busy", code="rate_limit_exceeded", retry_after=0.0), "built", None, 12),
        (VendorAuthError("key refused", code="invalid_api_key"), "built", "vendor-auth", 4),
        (VendorBillingError("no money", code="insufficient_quota"), "built", "billing-stop", 3),
        (VendorRefusedError("no such endpoint", code="invalid_value"), "held", "submit-refused", 20),
        (VendorUnreachableError("no route", code="unreachable"), "built", None, 12),
    ],
)
def test_a_refusal_creates_nothing_and_charges_no_try(
    bench: Bench, error: VendorError, state: str, finding: str | None, cause: int
) -> None:
    """Known not created: back to built, or to a person; no row's try is counted."""
    bench.add_people("one")
    bench.vendor.fail_next("create_batch", error)

    counts = bench.run(*SENDING)

    assert [state] == bench.states()
    assert [finding] * bool(finding) == [kind for kind, _ in bench.findings()]
    assert cause in counts.causes
    assert [(0, 0)] == bench.execute("SELECT paid_tries, unpaid_tries FROM batchd_gate")
    assert [] == bench.vendor.batches()


def test_a_busy_vendor_is_asked_again_and_pays_once(bench: Bench) -> None:
    """The batch goes under a new try and a new file."""
    bench.add_people("one")
    bench.vendor.fail_next("create_batch", VendorBusyError("busy", code="rate_limit_exceeded"))

    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert 2 == bench.batch()["attempt"]
    assert 1 == sum(bench.vendor.paid.values())


def test_a_wait_that_the_vendor_asks_for_is_kept(bench: Bench) -> None:
    """Retry-After above two minutes is no reason to give up, and none to come sooner."""
    bench.add_people("one")
    bench.vendor.fail_next("create_batch", VendorBusyError("busy", code="rate_limit_exceeded", retry_after=600.0))

    bench.run(*SENDING)
    bench.run(*SUBMIT)

    assert 1 == bench.vendor.calls.count("create_batch")
    ((wait,),) = bench.execute("SELECT (julianday(not_before) - julianday('now')) * 86400 FROM batchd_batch")
    assert 590 < wait <= 600


def test_an_account_without_money_stops_its_task_until_a_person_resumes_it(bench: Bench) -> None:
    """One finding, no second call; resume ends both."""
    bench.add_people("one")
    bench.vendor.fail_next("create_batch", VendorBillingError("no money", code="insufficient_quota"))
    bench.run(*SENDING)
    bench.run(*SENDING)

    assert 1 == bench.vendor.calls.count("create_batch")
    assert [("billing-stop", "task people")] == bench.findings()

    resume(bench.place.store, "people", "paid the bill")
    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert [] == bench.findings()


def test_an_unclear_create_is_not_repeated(bench: Bench) -> None:
    """It stays submitting; however often submit runs, there is one POST."""
    bench.add_people("one")
    bench.vendor.fail_next("create_batch", unclear(), after=True)

    bench.run(*SENDING)
    bench.run(*SUBMIT)
    bench.run(*SUBMIT)

    assert ["submitting"] == bench.states()
    assert 1 == bench.vendor.calls.count("create_batch")


def test_a_failed_upload_is_repeated_without_harm(bench: Bench) -> None:
    """An upload costs nothing; the batch stays built until one succeeds."""
    bench.add_people("one")
    bench.vendor.fail_next("upload", unclear())

    bench.run(*SENDING)
    assert ["built"] == bench.states()

    bench.run_until_quiet()
    assert [(1, "applied")] == bench.outcomes()


@pytest.mark.parametrize("damage", ["remove", "alter"])
def test_an_input_file_that_was_lost_or_altered_is_never_sent(bench: Bench, damage: str) -> None:
    """Its batch is abandoned, its rows are due again, and a finding says so."""
    bench.add_people("one")
    bench.run(SENDING[1])
    (file,) = (bench.folder / "spool").glob("*.input.jsonl")
    if damage == "remove":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes().replace(b"one", b"two"))

    bench.run(*SUBMIT)

    assert ["abandoned"] == bench.states()
    assert [(1, "unsent")] == bench.outcomes()
    assert [("input-lost", "batch 1")] == bench.findings()
    assert [] == bench.vendor.batches()

    bench.run_until_quiet()
    assert [(1, "Ada", "senior", 1)] == bench.people()


def test_a_vendor_id_is_written_down_even_without_the_lease(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process slept through its lease during the POST: the id is a fact, and recover adopts it."""
    bench.add_people("one")
    create = bench.vendor.create_batch

    def slow(file_id: str, endpoint: str, metadata: dict[str, str]) -> VendorBatch:
        created = create(file_id, endpoint, metadata)
        bench.execute("UPDATE batchd_batch SET lease_owner = 'other', lease_epoch = lease_epoch + 1")
        return created

    monkeypatch.setattr(bench.vendor, "create_batch", slow)
    counts = bench.run(*SENDING)

    assert {LeaseLostError.exit_code} == counts.causes
    assert ["submitting"] == bench.states()
    assert bench.vendor.batches()[0].id == bench.batch()["vendor_batch_id"]

    bench.execute("UPDATE batchd_batch SET lease_owner = NULL")
    bench.run_until_quiet()
    assert [(1, "applied")] == bench.outcomes()
    assert 1 == bench.vendor.calls.count("create_batch")


def test_a_paused_task_sends_nothing(bench: Bench) -> None:
    """A built batch waits with its task."""
    bench.add_people("one")
    bench.run(SENDING[1])
    bench.execute("UPDATE batchd_task SET paused = 1")

    bench.run(*SUBMIT)

    assert ["built"] == bench.states()
    assert [] == bench.vendor.calls


def test_a_batch_of_a_vendor_that_changed_is_not_sent_elsewhere(bench: Bench) -> None:
    """Another URL or project under the same name is another account."""
    bench.add_people("one")
    bench.run(SENDING[1])
    bench.account(fingerprint="account-2")

    bench.run(*SUBMIT)

    assert ["built"] == bench.states()
    assert [] == bench.vendor.calls
