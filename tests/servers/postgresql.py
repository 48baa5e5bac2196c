"""A PostgreSQL server for tests."""

import os
import secrets
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.servers.base import HOST, Owner, Process, Running, program
from tests.servers.given import POSTGRESQL

# No power fails in these tests. A clock that is not at UTC shows where somebody believed that it is.
_SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "jit": "off",
    "listen_addresses": HOST,
    "max_connections": "200",
    "max_wal_senders": "0",
    "timezone": "Asia/Kolkata",
    "unix_socket_directories": "",
    "wal_level": "minimal",
}
# For who measures: what its makers think is right, fsync above all.
AS_INSTALLED: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
}


class PostgreSQL:
    """PostgreSQL as it is installed here, the newest version of several; with settings for tests, or with others."""

    given = POSTGRESQL
    package = "postgresql"

    def __init__(self, settings: Mapping[str, str] = _SETTINGS) -> None:
        self._settings = settings

    def is_installed(self) -> bool:
        return None not in {_program("initdb"), _program("postgres"), _program("pg_isready")}

    def start(self, folder: Path) -> Running:
        owner, password = Owner("postgres"), secrets.token_hex(8)
        home = owner.owns(folder / "postgresql")
        data, known = home / "data", home / "password"
        known.write_text(password, encoding="ascii")
        known.chmod(0o644)  # in a folder that only its owner enters
        owner.run(
            str(_program("initdb")), "--no-sync", "--auth=scram-sha-256", f"--pwfile={known}", "--username=postgres",
            "--encoding=UTF8", "--locale=C.UTF-8", str(data),
        )  # fmt: skip
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        process = Process(
            owner,
            folder / "postgresql.log",
            lambda port: [str(_program("postgres")), "-D", str(data), f"--port={port}", *settings],
            # Clients that are still connected don't keep it.
            signal.SIGINT,
        ).started(_answers)
        return Running(f"postgresql://postgres:{password}@{HOST}:{process.port}/postgres", process)


def _answers(port: int) -> bool:
    asked = [str(_program("pg_isready")), "--quiet", f"--host={HOST}", f"--port={port}"]
    return subprocess.run(asked, check=False).returncode == 0


def _program(name: str) -> str | None:
    # On Debian each version has a folder of its own, off PATH.
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    newest = sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    return program(name, os.pathsep.join(map(str, newest)))
