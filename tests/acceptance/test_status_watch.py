"""`status --watch`, as a terminal shows it and as a program reads it: drawn in place, and put back at its end."""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.cli_world import PATIENCE, World, command_environment

ENTERED, LEFT = b"\x1b[?1049h", b"\x1b[?25h\x1b[?1049l"
HOME = b"\x1b[H"


@pytest.fixture
def made(empty: World) -> World:
    """A ledger with nothing in it."""
    empty.make_table(3)
    empty.make_ledger()
    empty.write_config()
    return empty


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, world: World, *arguments: str) -> None:
        self._hand, other = pty.openpty()
        self.resize(80)
        environment = {key: one for key, one in command_environment().items() if key not in {"COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "batchd", *arguments],
            cwd=world.folder,
            env=environment | {"TERM": "xterm"},
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)
        self.seen = b""

    def resize(self, columns: int) -> None:
        """Gives the terminal another width."""
        fcntl.ioctl(self._hand, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

    def read_until(self, wanted: bytes) -> bytes:
        """What was drawn until these bytes came, from where it was read last."""
        read, limit = b"", time.monotonic() + PATIENCE
        while wanted not in read:
            assert time.monotonic() < limit, read
            if select.select([self._hand], [], [], 0.2)[0]:
                read += self._more()
        self.seen += read
        return read

    def read_to_the_end(self) -> bytes:
        """All that was ever drawn."""
        with contextlib.suppress(OSError):
            while more := self._more():
                self.seen += more
        return self.seen

    def _more(self) -> bytes:
        return os.read(self._hand, 65536)

    def close(self) -> None:
        """Nobody sits there any more."""
        self.process.kill()
        self.process.wait(PATIENCE)
        with contextlib.suppress(OSError):
            os.close(self._hand)


@contextlib.contextmanager
def at_terminal(world: World, *arguments: str) -> Iterator[Terminal]:
    terminal = Terminal(world, *arguments)
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_is_put_back(made: World, number: signal.Signals) -> None:
    """It draws in place on the terminal's other screen, and leaves that, with the cursor, whatever ends it."""
    with at_terminal(made, "status", "--watch", "--every", "0.2s") as terminal:
        first = terminal.read_until(b"FINDINGS")
        terminal.read_until(b"FINDINGS")
        terminal.process.send_signal(number)
        code = terminal.process.wait(PATIENCE)
        drawn = terminal.read_to_the_end()

    assert code == 0
    assert first.startswith(ENTERED)
    assert drawn.endswith(LEFT)
    # Cleared once, as it begins; then each picture goes over the one before.
    assert drawn.count(b"\x1b[2J") == 1
    assert drawn.count(HOME) > 2


def test_another_width_of_the_terminal_is_followed(made: World) -> None:
    """The clock stands at the right edge, wherever that is, without waiting for the next look at the ledger."""
    with at_terminal(made, "status", "--watch", "--every", "1h") as terminal:
        narrow = terminal.read_until(b"FINDINGS")
        terminal.resize(132)
        wide = terminal.read_until(b"FINDINGS")

    first = [picture.partition(HOME)[2].partition(b"UTC")[0].rpartition(HOME)[2] + b"UTC" for picture in (narrow, wide)]
    assert [len(line.rpartition(b"\x1b[2J")[2].removeprefix(HOME)) for line in first] == [80, 132]


def test_a_database_that_is_away_is_waited_for(made: World) -> None:
    """It says so, keeps the last picture, and goes on when the database is back."""
    with at_terminal(made, "status", "--watch", "--every", "0.2s") as terminal:
        terminal.read_until(b"FINDINGS")
        made.sql("ALTER TABLE batchd_task RENAME TO gone")
        away = terminal.read_until(b"The database is away: ") + terminal.read_until(b"FINDINGS")
        made.sql("ALTER TABLE gone RENAME TO batchd_task")
        back = terminal.read_until(HOME + b"Nothing has been sent yet")

    assert b"As of " in away
    assert back


def test_each_look_is_a_line_of_json(made: World) -> None:
    """One document a line, an error in place of one while the database is away; SIGTERM ends it with 0."""
    process = made.start("status", "--watch", "--json", "--every", "0.2s")
    assert process.stdout is not None
    told = [json.loads(process.stdout.readline()) for _ in range(2)]
    made.sql("ALTER TABLE batchd_task RENAME TO gone")
    while "error" not in told[-1]:
        told.append(json.loads(process.stdout.readline()))
    made.sql("ALTER TABLE gone RENAME TO batchd_task")
    while "error" in told[-1]:
        told.append(json.loads(process.stdout.readline()))
    process.terminate()
    process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert told[0]["at"] < told[1]["at"] < told[-1]["at"]


def test_a_reader_that_goes_ends_it(made: World) -> None:
    """`batchd status --watch | head -1` comes to its end by itself."""
    process = made.start("status", "--watch", "--every", "0.2s")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Nothing has been sent yet")
    process.stdout.close()

    assert process.wait(PATIENCE) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_pause_that_is_none_is_refused(made: World) -> None:
    """`--every soon` ends with 2 and says how to write it."""
    refused = made.run("status", "--watch", "--every", "soon")

    assert refused.returncode == 2
    assert "next: write it like 5s or 1m" in refused.stderr
