"""The service as docs/how-to/run-as-a-service.md has it, without systemd: its config, its folders, its ExecStart line.

Usage: as_the_page_says.py ENVIRONMENT FOLDER, where ENVIRONMENT has an installed batchd, and FOLDER stands for ``/``.
systemd's part is played: folders that are made, credentials in a folder of their own, the place of the notify socket.
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "how-to" / "run-as-a-service.md"
NAME = "resumes"
ROWS = 12
PATIENCE = 90.0
KEY = "sk-of-the-trial"
TABLE = "CREATE TABLE candidates (id INTEGER PRIMARY KEY, resume TEXT, full_name TEXT, processed_at TEXT)"


class Machine:
    """A folder that stands for the root of a machine, and an environment that is installed there."""

    def __init__(self, environment: Path, root: Path) -> None:
        self._programs = environment / "bin"
        self._unit = environment / "share" / "batchd" / "batchd@.service"
        self._root = root
        self.state = root / "var" / "lib" / "batchd" / NAME
        self.config = root / "etc" / "batchd" / f"{NAME}.toml"
        self._credentials = root / "run" / "credentials"
        self.database = self.state / "app.db"
        for folder in (self.state, self.config.parent, self._credentials):
            folder.mkdir(parents=True, mode=0o700)

    def set_up(self, vendor: str) -> None:
        """Config, secrets and table; of the page's config only the addresses are other ones."""
        text = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
        text = self._placed(text)
        text = re.sub(r"^url = .*\npassword = .*$", f'url = "sqlite:///{self.database}"', text, flags=re.MULTILINE)
        text = text.replace("[daemon]\n", '[daemon]\ncheck_interval = "0.5s"\n')
        text = text.replace("api_key =", f'base_url = "{vendor}"\napi_key =')
        self.config.write_text(text, encoding="utf-8")
        (self._credentials / "openai_api_key").write_text(f"{KEY}\n", encoding="utf-8")
        with closing(sqlite3.connect(self.database)) as database:
            database.execute(TABLE)
            database.executemany("INSERT INTO candidates (resume) VALUES (?)", [("Jane Doe, nurse",)] * ROWS)
            database.commit()

    def program(self, *arguments: str) -> list[str]:
        return [str(self._programs / "batchd"), *arguments]

    def start(self) -> subprocess.Popen[str]:
        """What ExecStart says, with what systemd gives."""
        unit = self._unit.read_text(encoding="utf-8").replace("%i", NAME)
        line = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)[0]
        words = self._placed(line.replace("/usr/local/bin", str(self._programs))).split()
        return subprocess.Popen(
            words, cwd=self.state, env=self._environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )

    def command(self, *arguments: str) -> None:
        """As batchd-service runs it."""
        subprocess.run(self.program(*arguments), cwd=self.state, env=self._environment(), check=True, timeout=PATIENCE)

    def rows_done(self) -> int:
        with closing(sqlite3.connect(self.database, timeout=PATIENCE)) as database:
            (done,) = database.execute("SELECT count(full_name) FROM candidates WHERE processed_at > ''").fetchone()
            return int(done)

    def files(self) -> set[str]:
        return {str(path.relative_to(self._root)) for path in self._root.rglob("*") if path.is_file()}

    def _placed(self, text: str) -> str:
        return text.replace('"/var/lib', f'"{self._root}/var/lib').replace("/etc/batchd", f"{self._root}/etc/batchd")

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "BATCHD_CONFIG": str(self.config),
            "CREDENTIALS_DIRECTORY": str(self._credentials),
            # Nobody listens there: that must not matter.
            "NOTIFY_SOCKET": str(self._root / "run" / "notify"),
        }


def main(environment: str, root: str) -> None:
    """Ends with an error where the service does not do what the page says."""
    os.umask(0o077)
    machine = Machine(Path(environment), Path(root))
    sandbox = subprocess.Popen(
        machine.program(
            "sandbox", "--state", f"{root}.sandbox.db", "--api-key", KEY, "--batch-duration", "1s", "--json"
        ),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert sandbox.stdout is not None
        machine.set_up(json.loads(sandbox.stdout.readline())["url"])
        machine.command("db", "upgrade")
        machine.command("check-config")
        before = machine.files()
        log = serve(machine)
    finally:
        sandbox.terminate()
        sandbox.wait(PATIENCE)
        if sandbox.stdout is not None:
            sandbox.stdout.close()
    made = {path for path in machine.files() - before if not path.startswith(f"var/lib/batchd/{NAME}/")}
    if made:
        raise SystemExit(f"as_the_page_says: written outside of the state folder: {sorted(made)}")
    for line in log.splitlines():
        json.loads(line)
    if KEY in log:
        raise SystemExit("as_the_page_says: the key is in the log")
    sys.stdout.write(f"as_the_page_says: {ROWS} rows, {len(log.splitlines())} lines of log, ended with 0\n")


def serve(machine: Machine) -> str:
    """Runs the service until all rows are done; returns its log."""
    service = machine.start()
    deadline = time.monotonic() + PATIENCE
    while machine.rows_done() < ROWS and time.monotonic() < deadline and service.poll() is None:
        time.sleep(0.2)
    service.send_signal(signal.SIGTERM)
    _, log = service.communicate(timeout=PATIENCE)
    if machine.rows_done() < ROWS or service.returncode != 0:
        raise SystemExit(f"as_the_page_says: {machine.rows_done()} rows, exit code {service.returncode}\n{log}")
    return log


if __name__ == "__main__":
    main(*sys.argv[1:])
