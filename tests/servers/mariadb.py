"""A MariaDB server for tests."""

import contextlib
import secrets
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from tests.servers.base import HOST, Owner, Process, Running, program
from tests.servers.given import MARIADB

# No power fails in these tests; but a server that is killed may leave half of a page behind, hence its doublewrite
# buffer. A clock that is not at UTC shows where somebody believed that it is.
_SETTINGS = (
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
    "--default-time-zone=+05:30",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--max-allowed-packet=64M",
    "--max-connections=200",
    "--performance-schema=OFF",
    "--skip-log-bin",
    "--skip-name-resolve",
)
# For who measures: what its makers think is right, flushing at each commit above all.
AS_INSTALLED = (
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
    "--max-allowed-packet=64M",
    "--skip-name-resolve",
)


class MariaDB:
    """MariaDB as it is installed here; with settings for tests, or with others."""

    given = MARIADB
    package = "mariadb-server"

    def __init__(self, settings: Sequence[str] = _SETTINGS) -> None:
        self._settings = settings

    def is_installed(self) -> bool:
        return None not in {program("mariadbd"), program("mariadb-install-db")}

    def start(self, folder: Path) -> Running:
        owner, password = Owner("mysql"), secrets.token_hex(8)
        home = owner.owns(folder / "mariadb")
        data, first = home / "data", home / "first.sql"
        # A server that starts removes the temporary tables that it finds in this folder: another server's too.
        temporary = owner.owns(home / "tmp")
        # Runs before anybody is let in.
        first.write_text(
            f"CREATE OR REPLACE USER tests@'{HOST}' IDENTIFIED BY '{password}';\n"
            f"GRANT ALL ON *.* TO tests@'{HOST}' WITH GRANT OPTION;\n",
            encoding="ascii",
        )
        first.chmod(0o644)  # in a folder that only its owner enters
        owner.run(
            str(program("mariadb-install-db")), "--no-defaults", f"--datadir={data}", "--skip-test-db",
            "--auth-root-authentication-method=normal", "--skip-name-resolve", f"--tmpdir={temporary}",
        )  # fmt: skip
        process = Process(
            owner,
            folder / "mariadb.log",
            lambda port: [
                str(program("mariadbd")), "--no-defaults", f"--datadir={data}", f"--init-file={first}",
                f"--bind-address={HOST}", f"--port={port}", "--socket=socket", "--pid-file=pid",
                f"--tmpdir={temporary}", *self._settings,
            ],
            # Its data is about to be removed: there is nothing to write down.
            signal.SIGKILL,
        ).started(_answers)  # fmt: skip
        return Running(f"mysql+pymysql://tests:{password}@{HOST}:{process.port}/mysql?charset=utf8mb4", process)


def _answers(port: int) -> bool:
    # It speaks first, and only to who may come in.
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1) as connection:
        return bool(connection.recv(1))
    return False
