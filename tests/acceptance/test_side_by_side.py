"""Several batches on their way at once, over HTTP: killed, terminated or interrupted in the middle, nothing is lost."""

import signal
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.acceptance.signalled import (
    DONE,
    INTERRUPTED,
    PATIENCE,
    RUN,
    add_rows,
    assert_all_done,
    assert_left_in_order,
    pressed_until_it_ends,
    real_command,
    wait_until_passed,
)
from tests.drills.scenarios import routes
from tests.drills.slot import Slot

# Each call takes so long that others are in hand meanwhile.
SLOW = routes({"route": "files.create", "hang": 0.3}, {"route": "files.content", "hang": 0.3})
HANGING = routes({"route": "files.create", "hang": 60.0})
TRANSFERS = 3
BATCHES = 7


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slot]:
    """One folder with one vendor for all tests."""
    with Slot(tmp_path_factory.mktemp("side_by_side")) as slot:
        yield slot


@pytest.fixture
def slot(place: Slot) -> Iterator[Slot]:
    """Seven batches of two rows to come, three transfers at once, and a vendor that takes its time."""
    place.begin(0, faults=SLOW, daemon=f"transfers = {TRANSFERS}", batch_size=2, max_open_batches=99)
    add_rows(place, 2 * BATCHES)
    yield place
    place.vendor.control("DELETE", "faults")


def most_in_hand(points: Sequence[str], step: str) -> int:
    """How many of a step were in hand at once, by its points in the order they were passed."""
    stage, act = step.split(".")
    in_hand = most = 0
    for point in points:
        in_hand += (point == f"{stage}.before_{act}") - (point == f"{stage}.after_{act}")
        most = max(most, in_hand)
    return most


def test_uploads_and_downloads_meet_as_far_as_the_config_allows(slot: Slot) -> None:
    """No more than `transfers` at once; a batch is written while another is on its way; every row once."""
    assert slot.run(*RUN, traced=True) == DONE, slot.said()
    passed = slot.passed()

    assert TRANSFERS == most_in_hand(passed, "submit.upload")
    assert TRANSFERS == most_in_hand(passed, "collect.download")
    last_download = len(passed) - passed[::-1].index("collect.after_download")
    assert "apply.after_chunk" in passed[:last_download], "nothing was written before all was fetched"
    assert_all_done(slot)


@pytest.mark.parametrize(
    "point",
    [
        "claim.after_record:3",
        "submit.after_upload:2",
        "submit.before_create:2",
        "submit.after_create:2",
        "submit.after_create:5",
        "collect.before_download:2",
        "collect.after_download:3",
        "spool.before_rename:9",
        "collect.before_record:2",
        "apply.before_chunk:2",
        "apply.after_close:2",
    ],
)
def test_a_kill_while_several_are_in_hand_loses_nothing(slot: Slot, point: str) -> None:
    """SIGKILL, then the same command again: every row written once, paid once, nothing left over."""
    killed = slot.start(*RUN, failpoint=point).wait(PATIENCE)
    assert killed.was_killed, f"{point}: {killed}\n{slot.said()}"

    assert_all_done(slot)


@pytest.mark.parametrize("point", ["submit.before_upload:3", "submit.after_create:2", "collect.before_download:3"])
def test_a_daemon_that_is_terminated_finishes_all_that_is_in_hand(slot: Slot, point: str) -> None:
    """SIGTERM while several are on their way: exit code 0, nothing leased, no create half done."""
    ended = slot.start("run", failpoint=f"{point}:TERM").wait(PATIENCE)

    assert ended == DONE, f"{point}: {ended}\n{slot.said()}"
    assert_left_in_order(slot, point)
    assert_all_done(slot)


def test_a_submit_that_is_terminated_finishes_all_that_is_in_hand(slot: Slot) -> None:
    """SIGTERM while three files are on their way: exit code 130; these are sent, the others are the next one's."""
    ended = slot.start("submit", failpoint="submit.before_upload:3:TERM").wait(PATIENCE)

    assert ended == INTERRUPTED, slot.said()
    assert_left_in_order(slot, "SIGTERM")
    sent = slot.execute("SELECT count(*) FROM batchd_batch WHERE state = 'submitted'")
    assert sent[0][0] >= TRANSFERS, slot.said()
    assert_all_done(slot)


@pytest.mark.parametrize("command", ["submit", "run"])
def test_a_second_ctrl_c_waits_for_no_transfer(slot: Slot, command: str) -> None:
    """Uploads hang: the first lets them end, the second ends the command at once, and a restart mends it."""
    slot.vendor.control("PUT", "faults", HANGING)
    with real_command(slot, command) as hanging:
        wait_until_passed(slot, "submit.before_upload")
        hanging.send_signal(signal.SIGINT)
        time.sleep(0.3)
        waits = hanging.poll() is None
        code = pressed_until_it_ends(hanging)
    slot.vendor.control("DELETE", "faults")

    assert waits
    assert code == 130
    assert_all_done(slot)
