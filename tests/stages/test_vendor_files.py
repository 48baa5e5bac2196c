"""vendor_files: what batches left at the vendor is deleted there, long after their end and nothing else of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from batchd import failpoints
from batchd.errors import VendorAuthError, VendorError, VendorNotFoundError, VendorRefusedError, VendorUnclearError
from batchd.pipeline import HOUSEKEEPING, SENDING
from batchd.ports import EVERYTHING
from batchd.stages import vendor_files
from batchd.store.installation import adopt_copied
from batchd.store.reading import ask, batch_detail
from batchd.store.vendor_files import SqlVendorFiles
from tests.stages.bench import Bench
from tests.stages.judging import broken

VENDOR_FILES, CLEANUP = HOUSEKEEPING[:2]
LONG_AGO = "2026-01-01 00:00:00.000"
AUTH = VendorAuthError("the key may not delete files", next_command="use another key")
OPEN_FINDING = """
INSERT INTO batchd_finding (kind, subject, next_command, opened_at) VALUES ('extra-batch', 'batch 1', '', '2026-01-01')
"""
OPEN_GATE = """
INSERT INTO batchd_gate (task_id, key_int, key_hash, key_text, state, batch_id, seq, changed_at)
VALUES (1, 1, '', '', 'open', 1, 1, '2026-01-01')
"""
ACCOUNT = ("fake", "account-1")
GONE = VendorRefusedError("the vendor says no", next_command="look at it")


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """Files of the spool go at once, and those at the vendor an hour after the end of their batch."""
    bench.place = replace(bench.place, keep_files=0.0, keep_vendor_files=3600.0)
    return bench


def grow_old(bench: Bench) -> None:
    """Every batch has ended long ago."""
    bench.execute("UPDATE batchd_vendor_files SET due_from = ? WHERE due_from IS NOT NULL", LONG_AGO)


def done(bench: Bench, batches: int = 1, **place: Any) -> None:
    """So many batches of a row each are done, long ago."""
    bench.place = replace(bench.place, **place)
    bench.configure(batch_size=1)
    bench.add_people(*["text"] * batches)
    bench.run_until_quiet()
    grow_old(bench)


def deleted(bench: Bench) -> int:
    """How many files one pass has deleted."""
    return bench.run(VENDOR_FILES)["vendor_files_deleted"]


def told(bench: Bench) -> list[str]:
    """What the timelines say about it."""
    return [one for (one,) in bench.execute("SELECT reason FROM batchd_event WHERE action = 'vendor_files_deleted'")]


def test_nothing_is_deleted_unless_it_is_asked_for(bench: Bench) -> None:
    """Without ``keep_vendor_files`` the vendor is not even asked."""
    done(bench, keep_vendor_files=None)
    calls = list(bench.vendor.calls)

    assert not bench.run(VENDOR_FILES)
    assert (calls, []) == (bench.vendor.calls, bench.vendor.deleted)


def test_young_files_stay(bench: Bench) -> None:
    """They are kept for as long as the config says, from the end of their batch on."""
    bench.add_people("text")
    bench.run_until_quiet()
    bench.execute("UPDATE batchd_vendor_files SET due_from = strftime('%Y-%m-%d %H:%M:%f', 'now', '-3500 seconds')")

    assert 0 == deleted(bench)
    bench.execute("UPDATE batchd_vendor_files SET due_from = strftime('%Y-%m-%d %H:%M:%f', 'now', '-3700 seconds')")
    assert 2 == deleted(bench)


def test_they_stay_as_long_as_those_of_the_spool(bench: Bench) -> None:
    """One copy of what was paid for is always within reach until ``keep_files`` is over."""
    done(bench, keep_files=1e6)

    assert not bench.run(VENDOR_FILES, CLEANUP, VENDOR_FILES)
    assert [] == bench.vendor.deleted


def test_all_files_of_a_batch_go_once_and_the_timeline_says_so(bench: Bench) -> None:
    """Request and result files, by the ids in the ledger; no promise is broken by it, and nobody asks again."""
    done(bench)
    batch = bench.batch()

    assert 2 == deleted(bench)
    assert [batch["output_file_id"], batch["vendor_file_id"]] == bench.vendor.deleted
    assert {} == bench.vendor.files
    assert ["2 files deleted at fake"] == told(bench)
    assert ask(bench.database, lambda connection: batch_detail(connection, 1))["vendor_files_deleted_at"] is not None
    assert [] == broken(bench)
    assert (0, 2) == (deleted(bench), len(bench.vendor.deleted))


def test_files_of_others_stay(bench: Bench) -> None:
    """Whatever else is in the account is not looked at."""
    bench.vendor.add_file(b"a stranger's", "stranger.jsonl")
    done(bench)

    deleted(bench)

    assert [b"a stranger's"] == list(bench.vendor.files.values())


def test_files_of_an_open_batch_stay(bench: Bench) -> None:
    """Promise 3: nothing at the vendor is deleted before the batch is closed, however old it is."""
    bench.place = replace(bench.place, keep_vendor_files=0.001)
    bench.vendor.statuses = ("in_progress",)
    bench.add_people("text")
    bench.run(*SENDING)

    bench.run(CLEANUP, VENDOR_FILES)

    assert [] == bench.vendor.deleted


@pytest.mark.parametrize(
    "reason",
    [OPEN_FINDING, OPEN_GATE, "UPDATE batchd_request SET outcome = NULL"],
    ids=["finding", "open gate", "open request"],
)
def test_files_that_somebody_may_need_stay(bench: Bench, reason: str) -> None:
    """A person looks into the batch, or something of it is not accounted for: it is looked at again a day later."""
    done(bench)
    bench.execute(reason)

    assert (0, []) == (deleted(bench), bench.vendor.deleted)
    assert 0 == len(bench.place.store.read(lambda ledger: ledger.vendor_files.due(EVERYTHING, ACCOUNT, 3600.0, 9)))
    bench.execute("UPDATE batchd_finding SET closed_at = opened_at")
    bench.execute("DELETE FROM batchd_gate")
    bench.execute("UPDATE batchd_request SET outcome = 'applied'")
    grow_old(bench)
    assert 2 == deleted(bench)


def at_the_vendor(bench: Bench, **changes: Any) -> None:
    """The vendor has the only batch otherwise."""
    (run,) = bench.vendor._runs.values()
    run.batch = replace(run.batch, **changes)
    run.ahead.clear()


@pytest.mark.parametrize("status", ["in_progress", "finalizing", "dreaming"])
def test_files_of_a_batch_that_the_vendor_still_runs_stay(bench: Bench, status: str) -> None:
    """Ledger and vendor disagree: nothing is deleted on the word of one of them."""
    done(bench)
    at_the_vendor(bench, status=status)

    assert (0, []) == (deleted(bench), bench.vendor.deleted)


def test_what_bears_another_installations_id_is_left_to_it(bench: Bench) -> None:
    """A ledger that was copied long ago does not tidy up after the original; it asks once."""
    done(bench)
    at_the_vendor(bench, metadata={"batchd_installation": "another"})

    assert (0, []) == (deleted(bench), bench.vendor.deleted)
    calls = len(bench.vendor.calls)
    grow_old(bench)
    assert (0, calls) == (deleted(bench), len(bench.vendor.calls))


def test_an_adopted_copy_deletes_nothing_of_the_originals(bench: Bench) -> None:
    """Also where the vendor does not keep what it was told of a batch, and for batches tidied up later."""
    done(bench, 2)
    bench.execute("DELETE FROM batchd_vendor_files WHERE batch_id = 2")
    bench.execute("UPDATE batchd_batch SET files_removed_at = NULL WHERE id = 2")
    adopt_copied(bench.database.engine, bench.database.dialect, bench.database.url, actor="person")

    bench.run(CLEANUP)
    grow_old(bench)
    bench.run(VENDOR_FILES)

    assert [] == bench.vendor.deleted


def test_a_batch_that_the_vendor_has_forgotten_is_done_with(bench: Bench) -> None:
    """Its files may be there all the same; one that is not counts as deleted."""
    done(bench)
    bench.vendor.forget(bench.batch()["vendor_batch_id"])

    assert 2 == deleted(bench)
    assert ["2 files deleted at fake"] == told(bench)


def test_another_account_of_the_same_name_is_not_asked(bench: Bench) -> None:
    """Ids of one account mean nothing, or something else, at another."""
    done(bench)
    bench.account(fingerprint="account-2")

    assert (0, []) == (deleted(bench), bench.vendor.deleted)


@pytest.mark.parametrize("error", [AUTH, VendorUnclearError("no answer")], ids=["key", "no answer"])
def test_a_vendor_in_trouble_is_left_alone_for_an_hour(bench: Bench, error: VendorError) -> None:
    """One call a pass, then none; nothing else stops, and the run does not end for it."""
    done(bench, 3)
    bench.vendor.fail_next("delete_file", error)

    counts = bench.run(VENDOR_FILES)
    calls = len(bench.vendor.calls)

    assert (0, set()) == (counts["vendor_files_deleted"], counts.causes)
    assert (0, calls) == (deleted(bench), len(bench.vendor.calls))
    bench.execute("UPDATE batchd_vendor_files SET due_from = datetime(due_from, '-3700 seconds')")
    assert 4 == deleted(bench), "the one that failed waits for a day, the others for an hour"
    grow_old(bench)
    assert 2 == deleted(bench)


def test_one_file_that_cannot_be_deleted_keeps_no_other(bench: Bench) -> None:
    """Its batch waits for a day, the others go."""
    done(bench, 3)
    bench.vendor.fail_next("delete_file", GONE)

    assert (4, 0) == (deleted(bench), deleted(bench))
    grow_old(bench)
    assert 2 == deleted(bench)


def test_a_pass_asks_for_few_and_the_next_one_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor has a limit on calls, and other work waits."""
    done(bench, 5)
    monkeypatch.setattr(vendor_files, "_MOST", 2)

    assert [4, 4, 2, 0] == [deleted(bench) for _ in range(4)]


def test_a_stop_is_heard_between_batches(bench: Bench) -> None:
    """The unit in hand is finished, and no other begun."""
    done(bench, 3)
    bench.place = replace(bench.place, stopping=lambda: bool(bench.vendor.deleted))

    assert 2 == deleted(bench)


class _KilledError(Exception):
    """The process ends here."""


def _foreign(bench: Bench) -> None:
    at_the_vendor(bench, metadata={"batchd_installation": "another"})


def _refused(bench: Bench) -> None:
    bench.vendor.fail_next("delete_file", GONE)


COMMITS: dict[str, tuple[Callable[[Bench], None], int]] = {
    "vendor_files.delete": (lambda _: None, 0),
    "vendor_files.record": (lambda _: None, 0),
    "vendor_files.record of another's": (_foreign, 2),
    "vendor_files.put_off": (_refused, 0),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", COMMITS)
def test_killed_anywhere_it_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch, when: str, step: str) -> None:
    """Promise 8: nothing is broken at any moment, the end is the same, and it is told once."""
    happens, left = COMMITS[step]
    done(bench)
    happens(bench)

    def strike(name: str) -> None:
        if name == step.partition(" ")[0]:
            raise _KilledError

    with monkeypatch.context() as armed:
        armed.setattr(failpoints, when, strike)
        with pytest.raises(_KilledError):
            bench.run(VENDOR_FILES)
    assert [] == broken(bench)

    grow_old(bench)
    bench.run(VENDOR_FILES)
    assert (left, [] if left else ["2 files deleted at fake"]) == (len(bench.vendor.files), told(bench))
    assert [] == broken(bench)
    assert not bench.run(VENDOR_FILES)


def test_two_processes_at_once_tell_it_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one was faster: what is deleted twice does no harm."""
    done(bench)
    other = vendor_files.VendorFiles(bench.place, EVERYTHING)
    due = SqlVendorFiles.due

    def overtaken(self: SqlVendorFiles, *arguments: Any) -> Any:
        found = due(self, *arguments)
        monkeypatch.setattr(SqlVendorFiles, "due", due)
        other.run_once()
        return found

    monkeypatch.setattr(SqlVendorFiles, "due", overtaken)
    bench.run(VENDOR_FILES)

    assert ["2 files deleted at fake"] == told(bench)
    assert [] == broken(bench)


def test_files_of_a_batch_that_was_refused_whole_go_too(bench: Bench) -> None:
    """It has a request file at the vendor, and nothing else; its rows went on in other batches, or failed."""
    done(bench)
    bench.execute("UPDATE batchd_batch SET state = 'failed', output_file_id = NULL, error_file_id = NULL")
    at_the_vendor(bench, status="failed")

    assert 1 == deleted(bench)
    assert ["1 file deleted at fake"] == told(bench)


def test_a_file_that_is_gone_counts_as_deleted(bench: Bench) -> None:
    """As an adapter tells it: a 404 to a deletion is no error; that the batch is gone is none either."""
    done(bench)
    bench.vendor.fail_next("retrieve_batch", VendorNotFoundError("no such batch"))
    bench.vendor.files.clear()

    assert 2 == deleted(bench)
