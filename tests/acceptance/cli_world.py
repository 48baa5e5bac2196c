"""A folder with a database, a config and the real command, for tests of what a user sees."""

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchd.store import migrate
from batchd.store.opening import open_database
from tests.planted import RESUME

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 120.0

CONFIG = """\
[database]
url = "sqlite:///people.db"

[vendors.local]
kind = "sandbox"
batch_duration = "0s"

[daemon]
check_interval = "0.2s"

[tasks.people]
vendor = "local"
table = "people"
key = ["id"]
pending = "processed_at IS NULL"
model = "gpt-6-luna"
prompt = "<text>{{ text }}</text>"
batch_size = 10
retry_delay = "0s"
on_success = { processed_at = { now = "utc" } }

[tasks.people.fields]
full_name = { type = "string", column = "full_name" }
level = { type = "string", enum = ["junior", "senior"], column = "level" }
"""

TABLE = """
CREATE TABLE people (
    id INTEGER PRIMARY KEY, text TEXT, full_name TEXT, level TEXT, note TEXT, processed_at TEXT
)
"""


@dataclass(frozen=True)
class World:
    """One folder. ``run`` starts the command in it, or elsewhere."""

    folder: Path
    text: str = CONFIG

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def write_config(self, more: str = "", **replaced: str) -> None:
        """Writes the config, with ``more`` at its end; ``replaced`` gives lines by their key."""
        lines = [
            next((f"{key} = {value}" for key, value in replaced.items() if line.startswith(f"{key} = ")), line)
            for line in self.text.splitlines()
        ]
        self.config.write_text("\n".join([*lines, more, ""]), encoding="utf-8")

    def make_table(self, rows: int, ddl: str = TABLE) -> None:
        """Creates the table with that many made-up rows."""
        with sqlite3.connect(self.folder / "people.db") as connection:
            connection.execute(ddl)
            texts = [(f"Person {number}, plumber since 2001. {RESUME}",) for number in range(1, rows + 1)]
            connection.executemany("INSERT INTO people (text) VALUES (?)", texts)
        connection.close()

    def make_ledger(self) -> None:
        """Does what ``batchd db upgrade`` does, without a process of its own."""
        database = open_database(f"sqlite:///{self.folder / 'people.db'}", create=True)
        migrate.upgrade(database.engine, database.dialect, database.url)
        database.engine.dispose()

    def run(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs ``batchd`` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "batchd", *arguments],
            cwd=cwd or self.folder,
            env=command_environment(**environment),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def run_json(self, *arguments: str) -> dict[str, Any]:
        """Runs a command that must succeed, and reads its document."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Starts ``batchd`` and does not wait."""
        return subprocess.Popen(
            [sys.executable, "-m", "batchd", *arguments],
            cwd=self.folder,
            env=command_environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database says."""
        connection = sqlite3.connect(self.folder / "people.db", timeout=PATIENCE)
        try:
            found = connection.execute(query, values).fetchall()
            connection.commit()
        finally:
            connection.close()
        return found


def command_environment(**changes: str) -> dict[str, str]:
    """This process's environment, with the checkout's own code."""
    # Without compiled files on disk every one of many processes would compile the SDK anew.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {"PYTHONPATH": str(REPOSITORY), "PYTHONUTF8": "1"} | changes
