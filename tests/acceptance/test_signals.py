"""Signals at every fault point: the unit in hand is finished, nothing stays leased, the next run goes on."""

import signal
import time
from collections.abc import Iterator

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
from tests.drills.forking import Ended
from tests.drills.scenarios import route, routes
from tests.drills.slot import Slot

DAEMON = ("run",)
# Every step of a plain run, by what it belongs to; a test holds this list to what a run passes.
STEPS = {
    "claim": (
        "claim.register",
        "claim.lease",
        "claim.version",
        "claim.file",
        "claim.record",
        "claim.sweep",
        "claim.release",
    ),
    "lease": ("lease.take", "lease.release"),
    "submit": ("submit.reserve", "submit.upload", "submit.intent", "submit.create", "submit.record"),
    "poll": ("poll.retrieve", "poll.record"),
    "list": ("poll.list",),
    "collect": ("collect.download", "collect.record"),
    "spool": ("spool.fsync", "spool.rename", "spool.sync_folder"),
    "apply": ("apply.chunk", "apply.close"),
    "cleanup": ("cleanup.remove_files", "cleanup.record"),
    "recover": ("recover.accounts", "recover.list", "recover.strangers", "recover.read"),
}
SENDING = ("claim", "submit")
CHECKING = ("poll", "collect", "apply")
# Files go at once, and each claim reads the whole table.
PACE = 'keep_files = "0s"\nsweep_interval = "1ms"'


def points(*groups: str) -> list[str]:
    """Both points of each step of these groups."""
    steps = [step.partition(".") for group in groups for step in STEPS[group]]
    return [f"{stage}.{when}_{act}" for stage, _, act in steps for when in ("before", "after")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slot]:
    """One folder with one vendor for all drills."""
    with Slot(tmp_path_factory.mktemp("signals")) as slot:
        yield slot


@pytest.fixture
def slot(place: Slot) -> Iterator[Slot]:
    """The folder, put back, with nothing to do."""
    # A create that is slow because the machine is must not count as one whose end is unknown.
    place.begin(0, daemon=PACE, batch_size=2, max_open_batches=99, create_timeout="8s", submit_grace="8.1s")
    yield place
    place.vendor.control("DELETE", "faults")


def prepare(slot: Slot, group: str) -> None:
    """Rows that lead a daemon through this group's points: one batch is asked for by its name, several by a list."""
    add_rows(slot, {"poll": 1, "list": 7}.get(group, 3))
    if group == "list":
        assert slot.run("submit") == DONE, slot.said()


def run(slot: Slot, *arguments: str, failpoint: str) -> Ended:
    """Runs a command that a point ends."""
    try:
        return slot.start(*arguments, failpoint=failpoint).wait(PATIENCE)
    except TimeoutError:
        pytest.fail(f"{failpoint} was not passed, or ended nothing\n{slot.said()}")


def test_the_steps_named_here_are_those_of_a_plain_run(slot: Slot) -> None:
    """A step that is new is drilled too."""
    passed = set()
    for group in ("list", "poll"):
        prepare(slot, group)
        assert slot.run(*RUN, traced=True) == DONE, slot.said()
        passed |= set(slot.passed())

    assert set(points(*STEPS)) == passed


@pytest.mark.parametrize("group", list(STEPS))
def test_a_daemon_that_is_terminated_finishes_its_unit(slot: Slot, group: str) -> None:
    """SIGTERM at each point: exit code 0, nothing leased; one daemon after the other, all rows are done in the end."""
    for point in points(group):
        prepare(slot, group)

        ended = run(slot, *DAEMON, failpoint=f"{point}:1:TERM")

        assert ended == DONE, f"{point}: {ended}\n{slot.said()}"
        assert_left_in_order(slot, point)
    assert_all_done(slot)


def test_a_submit_that_is_terminated_finishes_its_batch(slot: Slot) -> None:
    """SIGTERM at each point: exit code 130, nothing leased; what is left is the next one's."""
    for point in points(*SENDING):
        add_rows(slot, 3)

        ended = run(slot, "submit", failpoint=f"{point}:1:TERM")

        assert ended == INTERRUPTED, f"{point}: {ended}\n{slot.said()}"
        assert_left_in_order(slot, point)
    assert_all_done(slot)


def test_a_check_that_is_terminated_finishes_its_step(slot: Slot) -> None:
    """SIGTERM at each point: exit code 130, nothing leased; the same check again does the rest."""
    some = points(*CHECKING)
    add_rows(slot, 2 * len(some))
    assert slot.run("submit") == DONE, slot.said()
    for batch, point in enumerate(some, 2):
        ended = run(slot, "check", str(batch), failpoint=f"{point}:1:TERM")

        assert ended == INTERRUPTED, f"{point}: {ended}\n{slot.said()}"
        assert_left_in_order(slot, point)
    assert_all_done(slot)


def test_a_second_ctrl_c_ends_a_daemon_at_once(slot: Slot) -> None:
    """The first waits for the unit in hand, however long that takes; the second does not, and a restart mends it."""
    slot.vendor.control("PUT", "faults", routes(route("files.create", hang=60.0)))
    add_rows(slot, 3)
    with real_command(slot, *DAEMON) as daemon:
        wait_until_passed(slot, "submit.before_upload")
        daemon.send_signal(signal.SIGINT)
        time.sleep(0.3)
        waits = daemon.poll() is None
        daemon.send_signal(signal.SIGTERM)
        code = pressed_until_it_ends(daemon)
    slot.vendor.control("DELETE", "faults")

    assert waits
    assert code == 130
    assert_all_done(slot)


def test_a_reader_that_has_gone_stops_no_work(slot: Slot) -> None:
    """`batchd run --until-idle | head -1`: what is told has no reader any more; the rows are done all the same."""
    add_rows(slot, 5)
    with real_command(slot, *RUN, "--json") as reported:
        assert reported.stdout is not None
        reported.stdout.close()
        code = reported.wait(PATIENCE)

    assert code == 0
    assert [(5,)] == slot.execute("SELECT count(*) FROM person WHERE done_at IS NOT NULL")
    assert_all_done(slot)
