"""Each brings a batch to one state, as vendor and people may; named for that state, or for what it is held for."""

from batchd.core.model import VendorFault
from batchd.errors import VendorNotFoundError, VendorRefusedError
from batchd.operations import cancel
from batchd.pipeline import CHECKING, SENDING
from tests.fakes.vendor import unclear
from tests.stages.bench import Bench

CLAIM = SENDING[1]
POLL = CHECKING[1]


def built(bench: Bench) -> None:
    bench.run(CLAIM)


def submitting(bench: Bench) -> None:
    bench.vendor.fail_next("create_batch", unclear(), after=True)
    bench.run(*SENDING)


def submitted(bench: Bench) -> None:
    bench.run(*SENDING)


def ended(bench: Bench) -> None:
    bench.run(*SENDING)
    bench.check_until("ended", stages=(POLL,))


def collected(bench: Bench) -> None:
    bench.run(*SENDING)
    bench.execute("UPDATE batchd_task SET paused = 1")
    bench.check_until("collected")
    bench.execute("UPDATE batchd_task SET paused = 0")


def closed(bench: Bench) -> None:
    bench.run_until_quiet()


def failed(bench: Bench) -> None:
    bench.vendor.statuses = ("validating", "failed")
    bench.vendor.faults = (VendorFault("invalid_request", param="body.messages", line=2),)
    bench.run(*SENDING)
    bench.check_until("failed")


def abandoned(bench: Bench) -> None:
    bench.run(CLAIM)
    cancel(bench.place, "1")


def held_before_it_was_sent(bench: Bench) -> None:
    bench.vendor.fail_next("create_batch", VendorRefusedError("no", code="http_400"))
    bench.run(*SENDING)


def held_unknown(bench: Bench) -> None:
    # It was created, and the vendor's list never shows it.
    bench.vendor.listing_lag = 10_000
    submitting(bench)
    bench.vendor.listing_lag = 0
    bench.check_until("held")


def held_vanished(bench: Bench) -> None:
    bench.run(*SENDING)
    bench.vendor.fail_next("retrieve_batch", VendorNotFoundError("gone", code="http_404"))
    bench.check_until("held")


def held_short(bench: Bench) -> None:
    # One line of two is there, and nobody tells how large the file is.
    bench.vendor.file_bytes = lambda _: None  # type: ignore[method-assign, assignment]
    bench.run(*SENDING)
    bench.check_until("ended", stages=(POLL,))
    output = bench.batch()["output_file_id"]
    bench.vendor.files[output] = bench.vendor.files[output].splitlines(keepends=True)[0]
    bench.check_until("held")


def held_refused(bench: Bench) -> None:
    bench.vendor.statuses = ("validating", "failed")
    bench.vendor.faults = (VendorFault("model_not_found", param="body.model", line=1),)
    bench.run(*SENDING)
    bench.check_until("held")


def held_unwritable(bench: Bench) -> None:
    bench.run(*SENDING)
    bench.execute("ALTER TABLE person RENAME COLUMN level TO rank")
    bench.check_until("held")
    bench.execute("ALTER TABLE person RENAME COLUMN rank TO level")
