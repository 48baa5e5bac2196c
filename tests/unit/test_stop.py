"""A stop by signal, at every moment: also where the thread that handles it has just begun to wait for it."""

import subprocess
import sys
import threading
import time

from batchd.stop import Stop

PATIENCE = 60.0
# A second thread sends a signal as soon as the last one was handled, a thousand times: some of them come between
# any two steps of a wait.
SHOT_AT = """
import os, signal, threading, time
from batchd.stop import Stop

stop, sent, handled = Stop(), 0, 0
stop.on_signals()
told = signal.getsignal(signal.SIGTERM)

def handle(*arguments):
    global handled
    told(*arguments)
    handled += 1

def shoot():
    global sent
    while sent < 1_000:
        sent += 1
        os.kill(os.getpid(), signal.SIGTERM)
        while handled < sent:
            time.sleep(0)

signal.signal(signal.SIGTERM, handle)
shooting = threading.Thread(target=shoot, daemon=True)
shooting.start()
while shooting.is_alive():
    stop.wait(0.001)
"""


def test_a_signal_is_taken_in_any_moment_of_a_wait() -> None:
    """It is handled in the thread that waits: that one must not end up waiting for itself."""
    done = subprocess.run([sys.executable, "-c", SHOT_AT], timeout=PATIENCE, check=False)

    assert 0 == done.returncode


def test_a_wait_ends_with_its_time_or_once_a_stop_is_asked_for() -> None:
    """Whichever comes first, in whatever thread it is asked for."""
    stop = Stop()
    begun = time.monotonic()
    was_asked = stop.wait(0.05)
    waited = time.monotonic() - begun
    threading.Timer(0.05, stop.ask).start()

    assert (False, True) == (was_asked, waited >= 0.05)
    assert stop.wait()
    assert stop.wait(PATIENCE)
    assert time.monotonic() - begun < PATIENCE / 2
