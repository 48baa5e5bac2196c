"""A ledger with a batch in every state, and the ground under it that a test moves: database, config, vendor, spool."""

import json
import re
import shlex
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchd.sandbox_process import start_or_join
from tests.acceptance.cli_world import CONFIG, PATIENCE, World

_NEXT = re.compile(r"next: (batchd .*)", re.IGNORECASE)
EACH = 3
# Where a process is killed, and the state its newest batch is then in.
STATES = ("closed", "collected", "ended", "submitted", "submitting", "built")
ROWS = EACH * len(STATES)


@dataclass(frozen=True)
class Ground:
    """A world of one table, what a person sees of it, and what its vendor, whose state is at home, was paid."""

    world: World
    home: Path

    @property
    def folder(self) -> Path:
        return self.world.folder

    def add_rows(self, number: int) -> None:
        """Pending rows, each with a text of its own."""
        (last,) = self.world.sql("SELECT coalesce(max(id), 0) FROM people")[0]
        for key in range(last + 1, last + number + 1):
            self.world.sql("INSERT INTO people (id, text) VALUES (?, ?)", key, f"Ada Number{key} is a plumber")

    def kill(self, point: str, *command: str) -> None:
        """Runs a command that is killed at a fault point."""
        killed = self.world.run(*command, BATCHD_FAILPOINT=point)
        assert killed.returncode == -9, f"{command} was not killed at {point}: {killed.stderr}"

    def run(self) -> subprocess.CompletedProcess[str]:
        """``batchd run --until-idle``."""
        return self.world.run("run", "--until-idle")

    def follow(self, told: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
        """Runs, word for word, the first next command that a person was told."""
        found = _NEXT.search(told.stdout + told.stderr)
        assert found is not None, f"no next command was told:\n{told.stdout}{told.stderr}"
        return self.world.run(*shlex.split(found[1])[1:])

    def follow_finding(self, kind: str) -> subprocess.CompletedProcess[str]:
        """Runs, word for word, the next command that ``status`` tells for a finding."""
        found = self.world.run_json("status")["findings"]
        (command,) = {one["next_command"] for one in found if one["kind"] == kind}
        return self.world.run(*shlex.split(command)[1:])

    def findings(self) -> list[tuple[str, str]]:
        """Kind and subject of what waits for a person."""
        found = self.world.sql("SELECT kind, subject FROM batchd_v_findings ORDER BY since")
        return [(str(kind), str(subject)) for kind, subject in found]

    def states(self) -> list[str]:
        """The state of each batch, the first built first."""
        return [str(state) for (state,) in self.world.sql("SELECT state FROM batchd_batch ORDER BY id")]

    def vendor_id(self, batch: int) -> str:
        """What the vendor calls a batch."""
        return str(self.world.sql("SELECT vendor_batch_id FROM batchd_batch WHERE id = ?", batch)[0][0])

    def people(self) -> dict[int, tuple[str | None, str | None]]:
        """What stands in each row."""
        return {key: (name, level) for key, name, level in self.world.sql("SELECT id, full_name, level FROM people")}

    def pending(self) -> list[int]:
        """Rows that nothing was written to."""
        rows = self.world.sql("SELECT id FROM people WHERE processed_at IS NULL AND full_name IS NULL ORDER BY id")
        return [key for (key,) in rows]

    def write(self, text: str) -> None:
        """Another config."""
        self.world.config.write_text(text, encoding="utf-8")

    def back_up(self) -> Path:
        """A backup as SQLite makes one, of a database in use."""
        target = self.folder / "backup.db"
        self.world.sql(f"VACUUM INTO '{target}'")
        return target

    def restore(self, backup: Path) -> None:
        """Puts a backup in the database's place."""
        for path in self._database_files():
            path.unlink()
        shutil.copy(backup, self.folder / "people.db")

    def copy_to(self, folder: Path) -> "Ground":
        """Database, with its write-ahead log, spool and config in another folder; the vendor stays what it is."""
        folder.mkdir()
        for path in self._database_files():
            shutil.copy(path, folder)
        shutil.copytree(self.folder / "spool", folder / "spool")
        other = Ground(World(folder, self.world.text), self.home)
        other.world.write_config()
        return other

    def move_to(self, folder: Path) -> "Ground":
        """The same, and nothing is left where it was."""
        other = self.copy_to(folder)
        for path in self._database_files():
            path.unlink()
        return other

    def _database_files(self) -> list[Path]:
        return sorted(self.folder.glob("people.db*"))

    def spooled(self) -> dict[str, bytes]:
        """What the spool folder holds."""
        return {path.name: path.read_bytes() for path in (self.folder / "spool").iterdir()}

    def account(self) -> dict[str, Any]:
        """What the vendor was paid for, by its own account."""
        return self._control("account")

    def paid_twice(self) -> int:
        """How many inputs were paid for more than once."""
        found = self.account()
        assert found["max_paid_per_input"] <= 2, found["paid_more_than_once"]
        return int(found["requests_paid"]) - int(found["inputs_paid"])

    def forget_at_vendor(self) -> None:
        """The vendor no longer knows anything: its files expired, or they are another project's."""
        self._control("reset", post=True)

    def _control(self, name: str, *, post: bool = False) -> dict[str, Any]:
        announced = json.loads((self.home / "sandbox.db.server.json").read_text(encoding="utf-8"))
        address = f"{announced['url'].removesuffix('/v1')}/_sandbox/{name}"
        request = urllib.request.Request(address, data=b"{}" if post else None)  # noqa: S310 - the sandbox's own address
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:  # noqa: S310
            found: dict[str, Any] = json.load(reply)
            return found


def lay(folder: Path, **replaced: str) -> Ground:
    """A folder with a config, an empty table and a ledger; ``replaced`` gives lines of the config."""
    text = CONFIG.replace("batch_size = 10", f"batch_size = {EACH}")
    text = text.replace('kind = "sandbox"', f'kind = "sandbox"\nstate = "{folder / "sandbox.db"}"')
    world = World(folder, text)
    world.write_config(**replaced)
    world.make_table(0)
    world.make_ledger()
    return Ground(world, folder)


def build(folder: Path) -> None:
    """The same, with a batch of three rows in each of ``STATES``."""
    ground = lay(folder)
    with held_sandbox(folder):
        ground.add_rows(EACH)
        assert ground.run().returncode == 0
        ground.add_rows(3 * EACH)
        assert ground.world.run("submit").returncode == 0
        ground.kill("apply.before_chunk", "check", "2")
        ground.kill("collect.before_record", "check", "3")
        ground.add_rows(2 * EACH)
        ground.kill("submit.after_create", "submit")
    assert ground.states() == list(STATES), ground.states()


def put_back(snapshot: Path, folder: Path) -> Ground:
    """The folder as it was when the snapshot was taken."""
    shutil.rmtree(folder)
    shutil.copytree(snapshot, folder)
    return Ground(World(folder, (folder / "config.toml").read_text(encoding="utf-8")), folder)


@contextmanager
def held_sandbox(folder: Path) -> Iterator[None]:
    """The vendor of a folder runs meanwhile, and is gone after: its state may be put back then."""
    with start_or_join(folder / "sandbox.db", batch_duration=0):
        pid = json.loads((folder / "sandbox.db.server.json").read_text(encoding="utf-8"))["pid"]
        yield
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"sandbox {pid} does not end"
        time.sleep(0.01)
