"""Short forms of the tests with signals and kills: rows to do, the real command, and what must be left in order."""

import signal
import subprocess
import sys
import time
from collections import Counter

from tests.acceptance.cli_world import command_environment
from tests.drills.forking import Ended
from tests.drills.slot import Slot

PATIENCE = 90.0
RUN = ("run", "--until-idle")
DONE = Ended(0, None)
INTERRUPTED = Ended(130, None)


def add_rows(slot: Slot, number: int) -> None:
    """More pending rows."""
    slot.execute(
        "WITH RECURSIVE one(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM one WHERE id < ?)"
        " INSERT INTO person (id, resume) SELECT id + top, 'Ada Number' || (id + top)"
        " FROM one, (SELECT coalesce(max(id), 0) AS top FROM person)",
        number,
    )


def assert_left_in_order(slot: Slot, after: str) -> None:
    """Nothing is leased, and every open batch stands where the next run finds it."""
    leased = slot.execute(
        "SELECT 'batch', id FROM batchd_batch WHERE lease_owner IS NOT NULL"
        " UNION ALL SELECT 'task', id FROM batchd_task WHERE lease_owner IS NOT NULL"
    )
    assert [] == leased, f"still leased after {after}\n{slot.said()}"
    submitting = slot.execute("SELECT id FROM batchd_batch WHERE state = 'submitting'")
    assert [] == submitting, f"the create in hand was not finished after {after}\n{slot.said()}"


def assert_all_done(slot: Slot) -> None:
    """The next run ends as one that nobody disturbed: every row written once and paid for once."""
    assert slot.run(*RUN) == DONE, slot.said()
    ((rows, named),) = slot.execute("SELECT count(*), count(name) FROM person")
    assert rows == named, slot.said()
    assert {1} == set(Counter(key for (key,) in slot.execute("SELECT id FROM audit")).values())
    assert [(0,)] == slot.execute("SELECT count(*) FROM batchd_gate")
    assert {"closed"} == {state for (state,) in slot.execute("SELECT state FROM batchd_batch")}
    assert [1] * rows == list(slot.vendor.paid().values())
    assert [] == slot.execute("SELECT kind, subject FROM batchd_finding WHERE closed_at IS NULL")


def real_command(slot: Slot, *arguments: str) -> subprocess.Popen[bytes]:
    """A process that ends as a user's does: with all that the interpreter does at its end."""
    slot.points.unlink(missing_ok=True)
    with slot.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "batchd", *arguments],
            cwd=slot.folder,
            env=command_environment(BATCHD_FAILPOINT_LOG=str(slot.points)),
            stdout=subprocess.PIPE,
            stderr=log,
        )


def pressed_until_it_ends(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C, and again: on a busy machine two may reach the process as one, as when a person presses too fast."""
    deadline = time.monotonic() + 10.0
    while (code := process.poll()) is None:
        assert time.monotonic() < deadline, "it goes on in spite of Ctrl-C"
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    return code


def wait_until_passed(slot: Slot, point: str) -> None:
    """Waits until a traced command has come to a point."""
    deadline = time.monotonic() + PATIENCE
    while point not in slot.passed():
        assert time.monotonic() < deadline, slot.said()
        time.sleep(0.01)
