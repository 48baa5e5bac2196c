"""What a batch waits for, since when and until when, as ``batchd status`` tells it."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from batchd.errors import VendorBusyError, VendorError
from batchd.pipeline import SENDING
from batchd.store.reading import ask, waiting_facts
from tests.stages.bench import Bench
from tests.stages.unknown_creates import LONG_AGO, RECOVER, leave_unknown


def waiting(bench: Bench) -> list[dict[str, Any]]:
    """What `batchd status --json` tells of batches that wait."""
    return ask(bench.database, waiting_facts)


def test_each_wait_tells_what_for_since_when_and_until_when(bench: Bench) -> None:
    """While it is looked for: since the intent, with the next look and the time by which a person is asked."""
    bench.account(submit_grace=900.0)
    bench.place = replace(bench.place, check_interval=60.0)
    leave_unknown(bench, created=False)
    bench.run(RECOVER)

    (one,) = waiting(bench)
    now = dt.datetime.now(dt.UTC)
    assert "the vendor to show whether it was created" == one["waits_for"]
    assert dt.timedelta(seconds=30) > now - one["waits_since"]
    assert dt.timedelta(seconds=30) < one["not_before"] - now <= dt.timedelta(seconds=60)
    assert dt.timedelta(seconds=870) < one["settle_by"] - now <= dt.timedelta(seconds=900)

    bench.execute("UPDATE batchd_batch SET settle_by = ?, not_before = NULL", LONG_AGO)
    bench.run(RECOVER)
    (one,) = waiting(bench)
    assert ("held", "a person, and it is still looked for", None) == (one["state"], one["waits_for"], one["settle_by"])
    assert one["not_before"] > now <= one["waits_since"]


@pytest.mark.parametrize("error", [VendorBusyError("busy", code="rate_limit_exceeded", retry_after=600.0)])
def test_a_batch_that_waits_for_its_next_try_tells_when(bench: Bench, error: VendorError) -> None:
    """A known refusal: nothing is looked for, the next try has its time."""
    bench.add_people("one")
    bench.vendor.fail_next("create_batch", error)
    bench.run(*SENDING)

    (one,) = waiting(bench)
    assert ("built", "the next try to send it", None) == (one["state"], one["waits_for"], one["settle_by"])
    assert one["not_before"] - one["waits_since"] > dt.timedelta(seconds=590)


def test_what_is_on_its_way_waits_for_nothing(bench: Bench) -> None:
    """Sent, running, applied: the list of waits is empty."""
    bench.add_people("one")
    bench.run(*SENDING)
    assert [] == waiting(bench)
    bench.run_until_quiet()
    assert [] == waiting(bench)
