"""On which databases the suites of this folder run, and that servers which were started for them end."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.servers import given
from tests.servers.catalog import SERVERS
from tests.servers.given import MARIADB, MSSQL, MSSQL_FREETDS, NOT_RUN, POSTGRESQL, Given, is_ci

ROOT = Path(__file__).resolve().parents[2]
TELLS = "import json, os, time; print(json.dumps(dict(os.environ)), flush=True); time.sleep(60)"
PATIENCE = 30.0
DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}


@pytest.mark.parametrize("server", [POSTGRESQL, MARIADB], ids=lambda server: server.name)
def test_on_ci_every_database_is_there_that_debian_has(server: Given) -> None:
    """Elsewhere the last lines of a run tell what was missing; there it must not be."""
    assert server.url or not is_ci(), f"{server.variable} is not set: scripts/test starts the servers, as root"


@pytest.mark.parametrize(
    ("variables", "microsofts", "freetds"),
    [
        ({}, None, None),
        ({MSSQL.variable: "mssql://h/d"}, "mssql://h/d", None),
        ({MSSQL.variable: "mssql://h/d?driver=FreeTDS"}, None, "mssql://h/d?driver=FreeTDS"),
        (
            {MSSQL.variable: "mssql://h/d?driver=/x/libmsodbcsql.so", MSSQL_FREETDS.variable: "mssql://h/d?driver=/x/libtdsodbc.so"},
            "mssql://h/d?driver=/x/libmsodbcsql.so",
            "mssql://h/d?driver=/x/libtdsodbc.so",
        ),
    ],
)  # fmt: skip
def test_the_driver_in_a_url_says_which_suite_it_is_for(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], microsofts: str | None, freetds: str | None
) -> None:
    """SQL Server's suite runs once for each driver that is given."""
    monkeypatch.setattr(given, "_ENVIRONMENT", variables)

    assert (microsofts, freetds) == (MSSQL.url, MSSQL_FREETDS.url)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda number: number.name)
def test_servers_end_with_whoever_started_them(number: signal.Signals) -> None:
    """Whatever ends it: no server goes on, and no data is left."""
    if not any(server.is_installed() for server in SERVERS):
        pytest.skip(f"{NOT_RUN}no database server is installed here")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.servers", "run", sys.executable, "-c", TELLS],
        cwd=ROOT,
        env=os.environ | {"CI": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as runner:
        told = json.loads(runner.stdout.readline() if runner.stdout else "{}")
        urls = [told[one.variable] for one in (POSTGRESQL, MARIADB) if one.variable in told]
        data = [data_of(url) for url in urls]
        had_data = [folder.is_dir() for folder in data]
        runner.send_signal(number)
        runner.wait(PATIENCE)
        # Nobody tells the command when its parent is killed.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(runner.pid, signal.SIGKILL)
    give_up = time.monotonic() + PATIENCE
    while any(folder.exists() for folder in data) and time.monotonic() < give_up:
        time.sleep(0.05)

    assert had_data
    assert all(had_data)
    assert not any(folder.exists() for folder in data)
    assert not any(map(is_answered, urls))


def data_of(url: str) -> Path:
    """Where a server keeps its data, by its own words."""
    engine = sa.create_engine(sa.make_url(url).set(drivername=DRIVERS[sa.make_url(url).get_backend_name()]))
    question = "SHOW data_directory" if "postgresql" in url else "SELECT @@datadir"
    with engine.connect() as connection:
        folder = Path(str(connection.exec_driver_sql(question).scalar()))
    engine.dispose()
    return folder


def is_answered(url: str) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", sa.make_url(url).port or 0)) == 0
