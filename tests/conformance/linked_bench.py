"""The bench of the stage tests on a real server, which its stages reach over a link that tests may spoil."""

from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from batchd import failpoints
from batchd.core.tasks import TaskDefinition
from batchd.store.installation import adopt_moved
from batchd.store.opening import Database, open_database
from tests.conformance.stores import StoreUnderTest
from tests.conformance.stores_mariadb import MariadbUnderTest
from tests.conformance.stores_postgresql import PostgresqlUnderTest
from tests.fakes.tcp_proxy import Cut, IsCommit, TcpProxy, mysql_commit, postgresql_commit
from tests.stages.bench import Bench, person_task

COMMITS: dict[str, IsCommit] = {"postgresql": postgresql_commit, "mariadb": mysql_commit}
MOMENT = {"postgresql": "TIMESTAMP", "mariadb": "DATETIME(6)"}

PERSON = """
CREATE TABLE person (
    id        {key},
    resume    TEXT,
    name      VARCHAR(20),
    level     VARCHAR(20) CHECK (level IN ('junior', 'senior')),
    done_at   {moment},
    version   INTEGER DEFAULT 1 NOT NULL
)
"""
_AUDIT = "CREATE TABLE audit (id NUMERIC, name TEXT, level TEXT, done BOOLEAN)"
_NOTE_UPDATE = "INSERT INTO {schema}audit VALUES (NEW.id, NEW.name, NEW.level, NEW.done_at IS NOT NULL);"


def _noting(name: str) -> list[str]:
    """Notes every update that a row sees."""
    if name == "mariadb":
        return [_AUDIT, f"CREATE TRIGGER seen AFTER UPDATE ON person FOR EACH ROW {_NOTE_UPDATE.format(schema='')}"]
    # It runs as its owner: batchd's own login has no right to the table of what is noted.
    body = f"$$ BEGIN {_NOTE_UPDATE.format(schema='public.')} RETURN NEW; END $$"
    return [
        _AUDIT,
        f"CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS {body}",
        "CREATE TRIGGER seen AFTER UPDATE ON person FOR EACH ROW EXECUTE FUNCTION noted()",
    ]


def _refusing(name: str) -> list[str]:
    """Lets nobody change row 6."""
    if name == "mariadb":
        body = "BEGIN IF NEW.id = 6 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF; END"
        return [f"CREATE TRIGGER refuses BEFORE UPDATE ON person FOR EACH ROW {body}"]
    body = "$$ BEGIN RAISE EXCEPTION USING MESSAGE = 'no', ERRCODE = 'check_violation'; END $$"
    return [
        f"CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS {body}",
        "CREATE TRIGGER refuses BEFORE UPDATE ON person FOR EACH ROW WHEN (NEW.id = 6) EXECUTE FUNCTION refuses()",
    ]


class LinkedBench(Bench):
    """A bench whose stages speak to the server through ``link``; a person at the database does not.

    Args:
        folder: where the spool goes.
        db: an empty database.
        link: leads to its server.
        task: the people task, if it is not the usual one.
        table: the DDL of its table.
    """

    def __init__(
        self, folder: Path, db: StoreUnderTest, link: TcpProxy, task: TaskDefinition | None = None, table: str = PERSON
    ) -> None:
        self.db = db
        self.link = link
        super().__init__(folder, task, table)

    def opened(self, task: TaskDefinition, table: str) -> Database:
        self.execute(table.format(key="INTEGER PRIMARY KEY", moment=MOMENT[self.db.name]))
        self.db.grant(task)
        owner = self.db.open_as_owner()
        # Without the hurry of the other tests: here locks are waited for.
        url = self.db.open().url.set(host="127.0.0.1", port=self.link.port)
        adopt_moved(owner.engine, owner.dialect, url)
        return open_database(url.render_as_string(hide_password=False))

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        return self.db.execute(sql, *parameters)

    def watch_updates(self) -> None:
        """Keeps every update that a row sees in ``audit``."""
        for statement in _noting(self.db.name):
            self.execute(statement)

    def refuse_row_six(self) -> None:
        """Row 6 takes no answer."""
        for statement in _refusing(self.db.name):
            self.execute(statement)


class CutCommits:
    """The n-th commit of each of these steps is cut, in one of the ways that a link knows; ``seen`` counts them all."""

    def __init__(self, steps: Collection[str], passing: int, cut: Cut) -> None:
        self._steps, self._passing, self._cut = steps, passing, cut
        self.seen: dict[str, int] = {}

    def arm(self, monkeypatch: pytest.MonkeyPatch, link: TcpProxy) -> None:
        """Cuts them from now on."""

        def named(step: str) -> None:
            self.seen[step] = self.seen.get(step, 0) + 1
            if step in self._steps and self.seen[step] == self._passing:
                link.cut_next_commit(self._cut)

        # The engine names a step right before its commit.
        monkeypatch.setattr(failpoints, "before", named)


def server_of(db: StoreUnderTest) -> tuple[str, int]:
    """Host and port of the server that a database is on."""
    server = cast("PostgresqlUnderTest | MariadbUnderTest", db)._server
    return str(server.url.host), int(server.url.port or 0)


class Benches:
    """Makes one bench after the other on servers of one kind, each with a database and a link of its own."""

    def __init__(self, make: Callable[[], StoreUnderTest], name: str) -> None:
        self._make = make
        self.name = name
        self._ending = ExitStack()

    def make(self, folder: Path, *, chunk: int = 2, **changes: Any) -> LinkedBench:
        """A bench in a folder of its own; at most one at a time is in use."""
        self._ending.close()
        folder.mkdir(exist_ok=True)
        db = self._make()
        self._ending.callback(db.close)
        db.prepare()
        link = self._ending.enter_context(TcpProxy(server_of(db), COMMITS[self.name]))
        bench = LinkedBench(folder, db, link, person_task(**changes))
        self._ending.callback(bench.database.engine.dispose)
        bench.place = replace(bench.place, chunk=chunk)
        return bench

    def close(self) -> None:
        """Removes the last one."""
        self._ending.close()
