"""Where the service of a drill is at work: a database of three tables, two vendors, and systemd's end of the socket."""

import json
import shlex
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.cli_world import command_environment
from tests.drills.vendor import Vendor
from tests.leaks import Leaks
from tests.planted import KEY, RESUME

PATIENCE = 120.0
TABLES = ("healthy", "poor", "misfit")

_CONFIG = """\
[database]
url = "sqlite:///people.db"
[vendors.local]
kind = "sandbox"
state = "{state}"
batch_duration = "400ms"
[vendors.other]
kind = "sandbox"
state = "{other_state}"
batch_duration = "400ms"
[daemon]
check_interval = "200ms"
"""
_TASK = """
[tasks.{name}]
vendor = "{vendor}"
table = "{name}"
key = ["id"]
pending = "done_at IS NULL"
model = "gpt-6-luna"
prompt = "{name} {{{{ resume }}}}"
batch_size = 50
max_open_batches = 4
every = "1s"
retry_delay = "0s"
on_success = {{ done_at = {{ now = "utc" }} }}
[tasks.{name}.fields]
name = {{ type = "string", column = "{column}" }}
"""
_TABLE = """
CREATE TABLE {name} (id INTEGER PRIMARY KEY, resume TEXT, name TEXT, done_at TEXT);
CREATE TABLE {name}_audit (id INTEGER);
CREATE TRIGGER {name}_written AFTER UPDATE OF done_at ON {name} BEGIN INSERT INTO {name}_audit VALUES (new.id); END;
"""


class TroubleError(Exception):
    """What was not as it should be."""


@dataclass
class Site:
    """A folder with a database of three tables, two vendors, a config, and systemd's end of the notify socket."""

    folder: Path
    vendor: Vendor
    other: Vendor
    heard: list[str] = field(default_factory=list)
    killed: int = 0
    leaks: Leaks = field(default_factory=Leaks)

    def __post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.folder / "notify"))
        self._socket.settimeout(0.0)
        for name in TABLES:
            with closing(self._connected()) as connection:
                connection.executescript(_TABLE.format(name=name))

    def configure(self, *tasks: str, misfit_column: str = "no_such_column") -> None:
        """These tasks; the misfit's answer goes to a column that is not there, or to one that is."""
        text = _CONFIG.format(state=self.vendor.state, other_state=self.other.state)
        for name in tasks:
            vendor, column = "other" if name == "poor" else "local", misfit_column if name == "misfit" else "name"
            text += _TASK.format(name=name, vendor=vendor, column=column)
        (self.folder / "config.toml").write_text(text, encoding="utf-8")

    def add(self, table: str, rows: int) -> None:
        """Pending rows, each with a text of its own."""
        with closing(self._connected()) as connection, connection:
            (last,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
            texts = [
                (number, f"Ada Number{number} is a plumber. {RESUME}") for number in range(last + 1, last + rows + 1)
            ]
            connection.executemany(f"INSERT INTO {table} (id, resume) VALUES (?, ?)", texts)

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says."""
        with closing(self._connected()) as connection:
            return connection.execute(query).fetchall()

    def done(self, table: str) -> int:
        """Rows that are written."""
        return int(self.sql(f"SELECT count(*) FROM {table} WHERE done_at IS NOT NULL")[0][0])

    def findings(self) -> dict[str, dict[str, Any]]:
        """Open findings by kind, as ``batchd status`` tells them."""
        found = json.loads(self.run("status", "--json").stdout)["findings"]
        return {one["kind"]: one for one in found}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of a person, to its end."""
        ended = subprocess.run(
            [sys.executable, "-m", "batchd", *arguments],
            cwd=self.folder,
            env=command_environment(OPENAI_API_KEY=KEY),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.leaks.hear_command(ended.args, ended.stdout, ended.stderr)
        return ended

    def follow(self, command: str) -> subprocess.CompletedProcess[str]:
        """Runs a next command, word for word."""
        program, *arguments = shlex.split(command)
        if program != "batchd":
            raise TroubleError(f"no command of batchd is told, but: {command}")
        return self.run(*arguments)

    def listen(self) -> None:
        """Takes down what the service has told systemd since."""
        while True:
            try:
                self.heard.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return

    def said(self, word: str) -> int:
        """How often it told systemd so."""
        self.listen()
        return sum(one.startswith(word) for one in self.heard)

    def service(self) -> "subprocess.Popen[bytes]":
        """Starts the service as its unit does, and waits until it is ready."""
        ready = self.said("READY=1")
        process = subprocess.Popen(
            [sys.executable, "-m", "batchd", "run", "--config", "config.toml"],
            cwd=self.folder,
            env=command_environment(
                NOTIFY_SOCKET=str(self.folder / "notify"), WATCHDOG_USEC="30000000", OPENAI_API_KEY=KEY
            ),
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "service.log").open("ab"),
            start_new_session=True,
        )
        self.until(lambda: self.said("READY=1") > ready, "the service did not say that it is ready")
        return process

    def let_out(self) -> list[str]:
        """What was planted in rows and environment, and came out by output, log, ledger or the word to systemd."""
        self.leaks.hear_folder(self.folder)
        self.leaks.hear("\n".join(self.heard), "what systemd was told")
        return self.leaks.finds()

    def until(self, holds: Callable[[], object], failure: str) -> None:
        """Waits for it. Raises TroubleError where it does not come."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                states = dict(self.sql("SELECT state, count(*) FROM batchd_batch GROUP BY state"))
                log = (self.folder / "service.log").read_text("utf-8")[-2000:]
                raise TroubleError(f"{failure}; batches: {states}\n{log}")
            time.sleep(0.05)

    def close(self) -> None:
        self._socket.close()

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / "people.db", timeout=PATIENCE)


@contextmanager
def site_in(folder: Path) -> Iterator[Site]:
    folder.mkdir()
    (folder / "other").mkdir()
    vendor, other = Vendor(folder), Vendor(folder / "other")
    site = Site(folder, vendor, other)
    try:
        yield site
    finally:
        site.close()
        vendor.close()
        other.close()
