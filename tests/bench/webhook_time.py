"""``python -m tests.bench.webhook_time``: from a batch's end at the vendor to its rows, with webhooks and without.

Twenty batches that take ten to forty minutes, at a sixtieth of their time: ``check_interval`` is one second in place
of sixty. What batchd itself takes (to hear, ask, fetch, write) is not sped up. The longest usual pause between looks,
ten minutes, is a quarter of the longest batch, so that it need not be scaled.
"""

import argparse
import datetime as dt
import os
import random
import signal
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from batchd.sandbox_process import start_or_join
from tests.acceptance.cli_world import CONFIG, World

SCALE = 60
BATCHES, ROWS_EACH = 20, 5
# The shortest must not have ended before the daemon is there.
SHORTEST, LONGEST = 600 / SCALE, 2400 / SCALE
_PATIENCE = 300.0
_SECRET_LINE = 'webhook_secret = { env = "HOOK_SECRET" }'
_SECRET = {"HOOK_SECRET": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"}


def main() -> int:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    os.environ.update(_SECRET)
    for hears in (False, True):
        chance = random.Random(wanted.seed)  # noqa: S311, durations, not secrets
        waits = [wait for _ in range(wanted.runs) for wait in _run(chance, hears=hears)]
        sys.stdout.write(_line("with webhooks" if hears else "without", waits))
        sys.stdout.flush()
    return 0


def _line(name: str, waits: Sequence[float]) -> str:
    ordered = sorted(waits)
    figures = f"median {statistics.median(ordered):6.2f} s, worst {ordered[-1]:6.2f} s"
    return f"{name:14} {len(ordered)} batches: {figures}\n"


def _run(chance: random.Random, *, hears: bool) -> list[float]:
    """Seconds from each batch's end to its last row."""
    with tempfile.TemporaryDirectory() as folder:
        world = _world(Path(folder), hears=hears)
        with start_or_join(Path(folder) / "sandbox.db", batch_duration=3600):
            sent = world.run("submit")
            if sent.returncode not in (0, 5):
                raise RuntimeError(sent.stderr)
            _spread(Path(folder), chance)
            process = world.start("run")
            try:
                _wait_for_rows(world)
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)
        return _waits(world, Path(folder))


def _world(folder: Path, *, hears: bool) -> World:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    lines = ('kind = "sandbox"', f'webhook_url = "http://127.0.0.1:{port}/webhooks"', _SECRET_LINE)
    text = CONFIG.replace("batch_size = 10", f"batch_size = {ROWS_EACH}\nmax_open_batches = {BATCHES}")
    if hears:
        text = text.replace(lines[0], "\n".join(lines)) + f"\n[webhooks]\nport = {port}\n"
    world = World(folder, text)
    world.write_config(check_interval='"1s"', batch_duration='"1h"')
    world.make_table(BATCHES * ROWS_EACH)
    world.make_ledger()
    return world


def _spread(folder: Path, chance: random.Random) -> None:
    """Gives each batch a duration of its own; they begin together, as those of one claim do."""
    with closing(sqlite3.connect(folder / "sandbox.db", timeout=30)) as state, state:
        ids = [row[0] for row in state.execute("SELECT id FROM batch ORDER BY seq")]
        for place, batch_id in enumerate(ids):
            step = (LONGEST - SHORTEST) / BATCHES
            duration = SHORTEST + step * (place + chance.random())
            state.execute("UPDATE batch SET duration = ? WHERE id = ?", (duration, batch_id))


def _wait_for_rows(world: World) -> None:
    deadline = time.monotonic() + _PATIENCE
    while world.sql("SELECT count(*) FROM people WHERE processed_at IS NULL") != [(0,)]:
        if time.monotonic() > deadline:
            raise RuntimeError("the rows are not done")
        time.sleep(0.5)


def _waits(world: World, folder: Path) -> list[float]:
    with closing(sqlite3.connect(folder / "sandbox.db")) as state:
        ended = dict(state.execute("SELECT id, ended_at FROM batch").fetchall())
    written = world.sql("SELECT vendor_batch_id, applied_at FROM batchd_batch")
    return [
        dt.datetime.fromisoformat(at).replace(tzinfo=dt.UTC).timestamp() - ended[batch_id] for batch_id, at in written
    ]


if __name__ == "__main__":
    sys.exit(main())
