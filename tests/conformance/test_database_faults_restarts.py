"""Servers that crash and start again in the middle of every stage; each kind of server is one of the test's own."""

import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import tenacity

from batchd import failpoints
from batchd.store import patience
from tests.conformance.linked_bench import Benches, LinkedBench
from tests.conformance.stores_mariadb import MariadbServer, MariadbUnderTest
from tests.conformance.stores_postgresql import PostgresqlServer, PostgresqlUnderTest
from tests.conformance.test_database_faults_commits import begin, cleaned_up, end, plainly
from tests.servers import mariadb, postgresql
from tests.servers.base import Running, Server
from tests.servers.given import NOT_RUN

KINDS: dict[str, tuple[Server, Any, Any, Any]] = {
    "postgresql": (postgresql.PostgreSQL(), postgresql._answers, PostgresqlServer, PostgresqlUnderTest),
    "mariadb": (mariadb.MariaDB(), mariadb._answers, MariadbServer, MariadbUnderTest),
}


class Crashing:
    """A server of the test's own, which loses what it has not written down when it crashes."""

    def __init__(self, name: str, running: Running) -> None:
        self.name = name
        self._process = running.process
        # At once, without a word to anybody.
        self._process._ending = signal.SIGQUIT if name == "postgresql" else signal.SIGKILL
        _, self._answers, make, self._under_test = KINDS[name]
        self.server = make(running.url)
        self._remember()
        self.server.prepare()
        self.benches = Benches(self._database, name)

    def _database(self) -> Any:
        self._process.check()
        if self.name == "mariadb":
            # The administrator is made anew at each start, and then owns the role no more.
            with closing(self.server.connect()) as connection, connection.cursor() as cursor:
                cursor.execute("DROP ROLE IF EXISTS batchd_runtime")
        return self._under_test(self.server)

    def crash(self, bench: LinkedBench) -> threading.Thread:
        """The server is gone; a thread has it back, behind the same link, and the person connected anew."""
        self._process.stop()

        def start() -> None:
            self._process.started(self._answers)
            self.server.url = self.server.url.set(port=self._process.port)
            self._remember()
            self._reconnect(bench)
            bench.link.server = ("127.0.0.1", self._process.port)

        starting = threading.Thread(target=start)
        starting.start()
        return starting

    def _remember(self) -> None:
        """What the tests' servers forget in a crash, for speed, is written down here."""
        if self.name == "mariadb":
            with closing(self.server.connect()) as connection, connection.cursor() as cursor:
                cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")

    def _reconnect(self, bench: LinkedBench) -> None:
        db: Any = bench.db
        db._person.close()
        if self.name == "mariadb":
            db._person = self.server.connect()
            db._person.select_db(self.server.database)
        else:
            db._person = self.server.connect(db._database, autocommit=True)
            self.server._maintenance.close()
            self.server._maintenance = self.server.connect(str(self.server.url.database), autocommit=True)

    def close(self) -> None:
        self.benches.close()
        self.server.close()


@pytest.fixture(scope="module", params=list(KINDS))
def crashing(request: pytest.FixtureRequest) -> Iterator[Crashing]:
    """Each kind of server in turn."""
    kind = KINDS[request.param][0]
    if not kind.is_installed():
        pytest.skip(f"{NOT_RUN}{kind.given.name} (install {kind.package})")
    with ExitStack() as ending:
        # A folder that the servers' own users may pass through.
        folder = Path(tempfile.mkdtemp(prefix="batchd-crashing-"))
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)
        running = kind.start(folder)
        ending.callback(running.process.stop)
        yield ending.enter_context(closing(Crashing(request.param, running)))


@pytest.fixture(scope="module")
def undisturbed(crashing: Crashing, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, dict[str, Any]]:
    """The ends of the ways without a crash."""
    ends = {}
    for way in (plainly, cleaned_up):
        bench = begin(crashing.benches, tmp_path_factory.mktemp("undisturbed") / way.__name__)
        way(bench)
        ends[way] = end(bench)
    return ends


@pytest.mark.parametrize(
    ("way", "step"),
    [
        (plainly, "recover.accounts"),
        (plainly, "claim.record"),
        (plainly, "submit.intent"),
        (plainly, "submit.record"),
        (plainly, "poll.record"),
        (plainly, "collect.record"),
        (plainly, "apply.chunk"),
        (cleaned_up, "cleanup.record"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_server_that_crashes_in_the_middle_of_a_stage_changes_nothing_in_the_end(
    crashing: Crashing,
    undisturbed: dict[Any, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    moment: str,
    way: Any,
    step: str,
) -> None:
    """Right before a COMMIT, which is then lost, or right after it, which is then kept: the stage goes on by itself."""
    monkeypatch.setattr(patience, "_later", tenacity.wait_fixed(0.2))
    bench = begin(crashing.benches, tmp_path / "crash")
    crashed: list[threading.Thread] = []

    def named(name: str) -> None:
        if name == step and not crashed:
            crashed.append(crashing.crash(bench))

    monkeypatch.setattr(failpoints, moment, named)
    way(bench)

    assert 1 == len(crashed)
    crashed[0].join()
    assert undisturbed[way] == end(bench)
