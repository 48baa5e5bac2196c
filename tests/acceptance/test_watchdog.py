"""What systemd's watchdog hears: that the daemon's work goes on, and not that a timer does."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.acceptance.cli_world import PATIENCE, World, command_environment

# A unit may wait for the vendor and under its lease; twice that is too long. Here that is 2 * (1 + 0.8 + 1) seconds.
QUICK = 'kind = "sandbox"\ntimeout = "1s"\ncreate_timeout = "0.8s"\nsubmit_grace = "2s"'


class SystemdEnd:
    """The notify socket, and what came through it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def wait_for(self, *parts: str, seconds: float = PATIENCE) -> bool:
        """A word with these parts; False where none comes."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                word = self._socket.recv(4096).decode()
                if all(part in word for part in parts):
                    return True
            except TimeoutError:
                break
        return False

    def close(self) -> None:
        self._socket.close()


def test_a_daemon_one_of_whose_jobs_hangs_is_no_longer_said_to_be_alive(empty: World) -> None:
    """Its config is on a disk that does not answer: the others go on, systemd hears why, then nothing; it kills."""
    empty.make_table(0)
    empty.make_ledger()
    text = empty.text.replace('kind = "sandbox"', QUICK).replace("[daemon]", '[daemon]\nlease = "1s"')
    World(empty.folder, text.replace('retry_delay = "0s"', 'every = "0.5s"')).write_config()
    systemd = SystemdEnd(empty.folder / "notify")
    daemon = subprocess.Popen(
        [sys.executable, "-m", "batchd", "run"],
        cwd=empty.folder,
        env=command_environment(NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="1000000"),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert systemd.wait_for("READY=1"), "it did not start"
        assert systemd.wait_for("WATCHDOG=1")
        # Opened for reading, it waits for a writer who never comes.
        empty.config.unlink()
        os.mkfifo(empty.config)
        daemon.send_signal(signal.SIGHUP)

        assert systemd.wait_for("STATUS=no progress for 6 s: ", "reload"), "systemd was not told"
        assert not systemd.wait_for("WATCHDOG=1", seconds=3.0), "it is said to be alive all the same"
        empty.sql("INSERT INTO people (id, text) VALUES (1, 'Ada is a plumber')")
        deadline = time.monotonic() + PATIENCE
        while not empty.sql("SELECT 1 FROM people WHERE processed_at IS NOT NULL"):
            assert time.monotonic() < deadline, "the other jobs stand still too"
            time.sleep(0.1)
    finally:
        daemon.kill()
        daemon.wait()
        systemd.close()
