"""A link that fails: the server is away for a while, is slow, far away or silent, or takes no more connections."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
import tenacity
from sqlalchemy import Connection

from batchd import events, failpoints
from batchd.daemon import BoundedRun, Plan, Schedule, Service, Setup
from batchd.errors import DatabaseBusyError, DatabaseError
from batchd.ports import Counts, Ledger
from batchd.stop import Stop
from batchd.store import patience
from batchd.store.dialects import mysql, postgresql, servers
from batchd.store.opening import open_database
from batchd.store.reading import ask
from tests.acceptance.cli_world import CONFIG, World
from tests.conformance.linked_bench import Benches, LinkedBench
from tests.conformance.stores_mariadb import MariadbUnderTest
from tests.conformance.stores_postgresql import PostgresqlUnderTest
from tests.fakes.tcp_proxy import TcpProxy
from tests.stages.bench import NoProgress
from tests.stages.judging import broken

AWAY = 1.0
PATIENCE = 12.0


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def benches(request: pytest.FixtureRequest) -> Iterator[Benches]:
    """Benches on each kind of server in turn."""
    server = request.getfixturevalue(f"_{request.param}")
    kinds = {"postgresql": PostgresqlUnderTest, "mariadb": MariadbUnderTest}
    with closing(Benches(lambda: kinds[request.param](server), request.param)) as made:
        yield made


@pytest.fixture
def bench(benches: Benches, tmp_path: Path) -> LinkedBench:
    """Six rows that wait."""
    made = benches.make(tmp_path / "bench")
    made.configure(batch_size=3)
    made.add_people("one", "two", "three", "four", "five", "six")
    return made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a server looks again soon."""
    monkeypatch.setattr(patience, "_later", tenacity.wait_fixed(0.1))


def at_step(monkeypatch: pytest.MonkeyPatch, step: str, act: Callable[[], None]) -> list[str]:
    """Acts once, right before the first commit of a step; returns where that is noted."""
    met: list[str] = []

    def named(name: str) -> None:
        if name == step and not met:
            met.append(name)
            act()

    monkeypatch.setattr(failpoints, "before", named)
    return met


def goes_away(link: TcpProxy, seconds: float) -> None:
    """The server is away for a while."""
    link.go_down()
    threading.Timer(seconds, link.come_back).start()


def run_daemon(bench: LinkedBench, *, ends: bool, report: Callable[[Counts], None] = lambda _: None) -> Counts:
    """A run that ends by itself where it ``ends``, or one of the daemon, stopped once every row is done."""
    stop = Stop()
    late = threading.Timer(PATIENCE, stop.ask)
    late.start()

    def reported(counts: Counts) -> None:
        report(counts)
        if not ends and [0] == [len(bench.people()) - sum(bool(done) for *_, done in bench.people())]:
            stop.ask()

    try:
        if ends:
            return BoundedRun(bench.place, Plan(("people",)), stop, reported).run()
        setup = Setup(bench.place, {"people": Schedule()}, lambda name: bench.place.tasks[name])
        return Service(setup, stop, reported).run()
    finally:
        late.cancel()


def names(logs: list[Any]) -> list[str]:
    """The events that tell of the database, and of rounds that failed."""
    told = {events.DATABASE_AWAY, events.DATABASE_BACK, events.DAEMON_ROUND_FAILED, events.BATCH_PUT_OFF}
    return [one["event"] for one in logs if one["event"] in told]


def all_is_well(bench: LinkedBench) -> None:
    """Every row is written, each was paid for once, and verify finds nothing."""
    assert [1] * 6 == [int(done) for *_, done in bench.people()]
    assert {1} == set(bench.vendor.paid.values())
    assert [] == broken(bench)


def test_a_link_that_is_lost_as_its_connection_goes_back_costs_nothing(
    bench: LinkedBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked has its answer by then; and the pool has its place back, or it would soon have none."""
    store = bench.database.store(actor="test", is_dead=lambda _: False)
    roll_back = store.engine.dialect.do_rollback

    def then_lost(connection: Any) -> None:
        roll_back(connection)
        bench.link.reset()

    monkeypatch.setattr(store.engine.dialect, "do_rollback", then_lost)
    # More than the pool has places.
    looks = [look for look in (store.read, store.ask, store.transact) for _ in range(18)]
    known = {look(lambda ledger: ledger.installation_id()) for look in looks}

    assert 1 == len(known)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "step",
    [
        "recover.accounts", "claim.record", "submit.intent", "submit.record", "poll.record", "collect.record",
        "apply.chunk", "lease.release",
    ],
)  # fmt: skip
def test_a_daemon_goes_on_by_itself_when_the_database_is_back(
    bench: LinkedBench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The server goes away in the middle of a transaction, and is back a moment later: said once, and gone on with."""
    met = at_step(monkeypatch, step, lambda: goes_away(bench.link, AWAY))

    with structlog.testing.capture_logs() as logs:
        run_daemon(bench, ends=True)

    assert [step] == met
    assert [events.DATABASE_AWAY, events.DATABASE_BACK] == names(logs)
    all_is_well(bench)


@pytest.mark.usefixtures("impatient")
def test_an_outage_of_many_rounds_is_told_once(bench: LinkedBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lasts longer than any transaction is tried: rounds fail, and the daemon says so once and not with each."""
    monkeypatch.setattr(patience, "_LATER_SECONDS", 0.3)
    at_step(monkeypatch, "submit.intent", lambda: goes_away(bench.link, 3 * AWAY))

    with structlog.testing.capture_logs() as logs:
        run_daemon(bench, ends=False)

    told = names(logs)
    assert sorted(set(told)) == sorted(told)
    assert {events.DATABASE_AWAY, events.DATABASE_BACK, events.DAEMON_ROUND_FAILED} <= set(told)
    all_is_well(bench)


@pytest.mark.usefixtures("impatient")
def test_an_outage_costs_a_pass_one_wait_and_not_one_for_each_batch(
    bench: LinkedBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for which a server is waited for is the process's, not each transaction's."""
    monkeypatch.setattr(patience, "_LATER_SECONDS", 0.3)
    waits: list[float] = []
    monkeypatch.setattr(Stop, "wait", lambda _, seconds: waits.append(seconds))
    bench.link.go_down()

    for _ in range(20):
        with pytest.raises(DatabaseBusyError):
            bench.place.store.read(lambda ledger: ledger.installation_id())
    threading.Event().wait(0.3)
    waits.clear()
    for _ in range(20):
        with pytest.raises(DatabaseBusyError, match="no server answers"):
            bench.place.store.read(lambda ledger: ledger.installation_id())

    assert [] == waits
    bench.link.come_back()


def test_who_asks_for_a_stop_waits_seconds_for_a_server_and_not_its_minute(
    bench: LinkedBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal is heard while the server is away: what can't be written down soon is left to the next run."""
    monkeypatch.setattr(patience, "_STOPPING_SECONDS", 1.0)
    stop = Stop()
    store = bench.database.store(actor="somebody", is_dead=lambda _: False, stop=stop)
    bench.link.go_down()
    began = time.monotonic()
    threading.Timer(0.3, stop.ask).start()

    with pytest.raises(DatabaseBusyError, match="no server answers"):
        store.read(lambda ledger: ledger.installation_id())

    assert time.monotonic() - began < patience._LATER_SECONDS / 2
    bench.link.come_back()


def test_a_question_whose_connection_is_lost_is_asked_again(bench: LinkedBench) -> None:
    """It changes nothing, so nobody need hear of it."""
    asked: list[int] = []

    def question(connection: Connection) -> int:
        asked.append(1)
        if len(asked) == 1:
            bench.link.go_down()
            bench.link.come_back()
        return int(connection.exec_driver_sql("SELECT 7").scalar_one())

    assert 7 == ask(bench.database, question)
    assert 2 == len(asked)
    assert bench.place.store.read(lambda ledger: ledger.installation_id())


def test_conflicts_are_counted_apart_from_a_server_that_was_away(
    bench: LinkedBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long waiting for a server uses up none of the tries that a transaction has against others' work."""
    monkeypatch.setattr(patience, "_later", tenacity.wait_fixed(0.01))
    passed: list[int] = []

    def work(_: object) -> str:
        passed.append(1)
        if len(passed) < 5:
            # Its own COMMIT finds the connection reset, which is run again at once.
            bench.link.reset()
        return "done"

    bench.link.go_down()
    threading.Timer(AWAY, bench.link.come_back).start()
    assert "done" == bench.place.store.transact(lambda ledger: (ledger.installation_id(), work(ledger))[1])
    assert 5 == len(passed)


def test_connections_that_broke_while_idle_are_made_anew(bench: LinkedBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is between us and the server drops what is idle; nobody is told, and nothing is run twice."""
    monkeypatch.setattr(servers, "_IDLE_SECONDS", 0.0)
    ran: list[int] = []
    bench.place.store.read(lambda ledger: ledger.installation_id())
    bench.link.reset()

    def work(ledger: Ledger) -> None:
        ran.append(1)
        ledger.installation_id()

    bench.place.store.transact(work)

    assert [1] == ran


@pytest.mark.usefixtures("impatient")
def test_a_server_without_room_for_a_connection_is_waited_for(bench: LinkedBench, benches: Benches) -> None:
    """All connections of the login are taken; one is free a moment later."""
    login = bench.database.url.username
    limit, code = {
        "postgresql": ('ALTER ROLE "{}" CONNECTION LIMIT {}', "too many connections"),
        "mariadb": ("ALTER USER '{}'@'%' WITH MAX_USER_CONNECTIONS {}", "1226 limit of the account reached"),
    }[benches.name]
    for database in (bench.database, *cast("PostgresqlUnderTest | MariadbUnderTest", bench.db)._opened):
        database.engine.dispose()

    def make_room() -> None:
        bench.execute(limit.format(login, -1 if benches.name == "postgresql" else 0))

    soon = threading.Timer(AWAY, make_room)
    with contextlib.ExitStack() as stack:
        if benches.name == "postgresql":
            # Taken before there is a limit: it counts a connection for a while that was closed just now.
            stack.enter_context(bench.database.engine.connect())
        bench.execute(limit.format(login, 1))
        # The login is that of all the other tests, too.
        stack.callback(soon.join)
        soon.start()
        if benches.name == "mariadb":
            # Taken under the limit: it does not count those that were there before.
            stack.enter_context(bench.database.engine.connect())
        logs = stack.enter_context(structlog.testing.capture_logs())
        assert bench.place.store.transact(lambda ledger: ledger.installation_id())

    assert [events.DATABASE_AWAY, events.DATABASE_BACK] == names(logs)
    assert code == logs[0]["code"]


def test_a_server_that_is_far_away_is_asked_seldom(benches: Benches, tmp_path: Path) -> None:
    """200 rows over 20 ms there and back. PyMySQL sends updates of many rows one by one, psycopg all at once."""
    most_for_a_row = {"postgresql": 0.1, "mariadb": 3.1}[benches.name]
    round_trips = []
    for rows, latency in ((20, 0.0), (200, 0.01)):
        bench = benches.make(tmp_path / str(rows), chunk=1000)
        bench.configure(batch_size=200)
        bench.add_people(*(f"text {number}" for number in range(rows)))
        bench.link.latency, before = latency, bench.link.round_trips
        bench.run_until_quiet()
        round_trips.append(bench.link.round_trips - before)
        assert rows == sum(int(done) for *_, done in bench.people())

    assert round_trips[1] - round_trips[0] <= 180 * most_for_a_row, round_trips


class Watch(NoProgress):
    """Notes how long the lease of batch 1 lasts, each time that a chunk of it was applied."""

    def __init__(self, bench: LinkedBench) -> None:
        self._bench = bench
        self.terms: list[Any] = []

    def step(self, what: str, done: int, total: int | None) -> None:
        del done, total
        if what == "applying results":
            self.terms += self._bench.execute("SELECT lease_expires_at FROM batchd_batch WHERE lease_owner IS NOT NULL")


def test_a_slow_link_costs_no_lease(bench: LinkedBench) -> None:
    """However long the work on a batch takes: each of its transactions makes the lease last longer."""
    watch = Watch(bench)
    bench.place = replace(bench.place, chunk=1, progress=watch)
    bench.configure(batch_size=6)
    bench.link.pace = 50_000

    bench.run_until_quiet()

    assert 6 == len(watch.terms)
    assert sorted(set(watch.terms)) == watch.terms
    all_is_well(bench)


@pytest.mark.parametrize("module", [postgresql, mysql], ids=["postgresql", "mariadb"])
def test_a_server_that_lets_in_and_says_nothing_is_given_up(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one does whose process hangs: whoever connects is told so, and does not wait for ever."""
    monkeypatch.setattr(module, "CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        name = module.__name__.rsplit(".", 1)[-1]
        done: list[Exception] = []

        def connect() -> None:
            try:
                open_database(f"{name}://somebody:something@127.0.0.1:{port}/app")
            except DatabaseError as error:
                done.append(error)

        thread = threading.Thread(target=connect, daemon=True)
        thread.start()
        thread.join(PATIENCE / 4)

    assert [DatabaseError] == [type(one) for one in done]
    assert "something" not in str(done[0])


def test_a_line_that_falls_dead_is_noticed_within_minutes(bench: LinkedBench) -> None:
    """No word and no reset come over it: the machine itself asks after whoever is silent, and gives them up."""
    with closing(bench.database.engine.raw_connection()) as raw:
        driver: Any = raw.driver_connection
        number = driver.fileno() if hasattr(driver, "fileno") else driver._sock.fileno()
        with closing(socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM)) as one:
            alive = one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            between = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
            times = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
            unread = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    assert alive
    assert idle + between * times <= 120
    assert 0 < unread <= 120_000


@pytest.mark.parametrize("stands_before", [False, True], ids=["refused", "let in and reset"])
def test_a_one_shot_command_says_that_the_database_is_away(
    benches: Benches, tmp_path: Path, *, stands_before: bool
) -> None:
    """Exit code 11 and a sentence, without the password, whether nobody answers or a proxy with nobody behind it."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    kind = {"postgresql": "postgresql", "mariadb": "mysql"}[benches.name]
    with TcpProxy(("127.0.0.1", port)) as link:
        reached = link.port if stands_before else port
        url = f"{kind}://somebody:pass-word@127.0.0.1:{reached}/app"
        world = World(tmp_path, CONFIG.replace('"sqlite:///people.db"', '{ env = "BATCHD_DB_URL" }'))
        world.write_config()
        done = [world.run(*command, BATCHD_DB_URL=url) for command in (["status"], ["run", "--until-idle"])]

    assert [11, 11] == [one.returncode for one in done], done
    for one in done:
        assert "error: cannot open the database" in one.stderr
        assert "next: " in one.stderr
        assert "pass-word" not in one.stderr + one.stdout
