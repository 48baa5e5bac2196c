"""Metrics and health of a running daemon, as Prometheus, a container and a person ask for them."""

import contextlib
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchd.metrics.catalog import METRICS
from tests.acceptance.cli_world import PATIENCE, TABLE, World
from tests.acceptance.watched import Scrape, Watched, free_port, section, watched

CONFIG_ERROR = 10
CREATED = "2026-01-03 08:00:00"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def ready_world(tmp_path: Path, port: int) -> World:
    """A folder with 25 rows to do, in batches that take a second; every sweep counts."""
    world = World(tmp_path)
    world.make_table(25, TABLE.replace("note TEXT", "note TEXT, created TEXT, number INTEGER"))
    world.make_ledger()
    pace = 'sweep_interval = "0.2s"\n' + section(port)
    world.write_config("", check_interval=f'"0.2s"\n{pace}', batch_duration='"1s"')
    return world


@pytest.fixture
def daemon(ready_world: World, port: int) -> Iterator[Watched]:
    with watched(ready_world, port) as running:
        yield running


def applied(scrape: Scrape) -> float | None:
    return scrape.value("batchd_rows_total", task="people", outcome="applied")


def test_the_daemon_is_scraped_while_it_works(ready_world: World, port: int) -> None:
    """From batches in flight to rows applied; names, types and labels are the catalogue's; no row content."""
    text = ready_world.config.read_text(encoding="utf-8")
    # Longer than a figure of the ledger is kept, so that no scrape can miss them.
    ready_world.config.write_text(text.replace('batch_duration = "1s"', 'batch_duration = "7s"'), encoding="utf-8")
    with watched(ready_world, port) as daemon:
        daemon.until(lambda scrape: bool(scrape.value("batchd_batches", task="people", state="submitted")))
        done = daemon.until(
            lambda scrape: (
                applied(scrape) == 25
                and scrape.value("batchd_stage_duration_seconds_count", stage="cleanup") is not None
            )
        )
        text = daemon.page("/metrics").text
        code = daemon.end()

    assert {one.name: one.kind for one in METRICS} == done.kinds
    labels = {name: frozenset(label for label, _ in pairs) for name, pairs in done.samples}
    told = {one.name: frozenset(one.labels) for one in METRICS if one.kind != "histogram"}
    assert set(labels) - set(told) == {f"batchd_stage_duration_seconds_{end}" for end in ("bucket", "count", "sum")}
    assert set(told) - set(labels) == {"batchd_oldest_pending_timestamp_seconds"}, "nothing is pending"
    assert all(told[name] == found for name, found in labels.items() if name in told)
    assert (0, 1, 1) == (
        done.value("batchd_backlog_rows", task="people"),
        done.value("batchd_ledger_up"),
        done.value("batchd_config_last_reload_successful"),
    )
    assert abs((done.value("batchd_last_apply_timestamp_seconds", task="people") or 0) - time.time()) < PATIENCE
    assert (done.value("batchd_cost_usd_total", task="people") or 0) > 0
    assert "plumber" not in text
    assert code == 0


def test_counters_go_on_where_they_were_after_a_restart(daemon: Watched) -> None:
    """They are the ledger's, not the process's."""
    daemon.until(lambda scrape: applied(scrape) == 25)
    before = daemon.scrape().value("batchd_cost_usd_total", task="people")
    assert daemon.end() == 0

    with watched(daemon.world, daemon.port) as again:
        first = again.scrape()

    assert applied(first) == 25
    assert before == first.value("batchd_cost_usd_total", task="people")


def test_pages(daemon: Watched) -> None:
    """GET and HEAD of three pages, in plain text; nothing says what serves them."""
    answers = {
        (method, path): daemon.page(path, method)
        for method in ("GET", "HEAD", "POST", "DELETE")
        for path in ("/live", "/ready", "/metrics", "/", "/docs")
    }

    assert {key: one.status for key, one in answers.items()} == {
        (method, path): 404 if path in {"/", "/docs"} else 200 if method in {"GET", "HEAD"} else 405
        for method, path in answers
    }
    assert ("alive\n", "ready\n") == (answers["GET", "/live"].text, answers["GET", "/ready"].text)
    assert "" == answers["HEAD", "/metrics"].text
    assert answers["GET", "/metrics"].headers["content-type"].startswith("text/plain; version=0.0.4")
    assert not {"server", "x-powered-by"} & {name for one in answers.values() for name in one.headers}


def test_openmetrics_for_who_asks_for_it(daemon: Watched) -> None:
    """As Prometheus does by itself."""
    page = daemon.page("/metrics", Accept="application/openmetrics-text;version=1.0.0")

    assert page.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert page.text.endswith("# EOF\n")


def test_healthcheck(daemon: Watched) -> None:
    """0 and a word while the daemon is well; 1 and one line why where nobody answers."""
    well, ready = daemon.world.run("healthcheck"), daemon.world.run("healthcheck", "--ready")
    document = daemon.world.run_json("healthcheck")
    # What was written since it was started is no news of the daemon.
    daemon.world.config.write_text(section(daemon.port) + "odd = 1\n", encoding="utf-8")
    still = daemon.world.run("healthcheck")
    daemon.end()
    gone = daemon.world.run("healthcheck", "--ready")

    assert [(0, "alive\n"), (0, "ready\n"), (0, "alive\n")] == [
        (one.returncode, one.stdout) for one in (well, ready, still)
    ]
    assert {"healthy": True, "reason": ""} == document
    assert gone.returncode == 1
    assert gone.stdout == f"no answer from http://127.0.0.1:{daemon.port}/live: Connection refused\n"


def test_healthcheck_without_a_port_says_what_to_write(empty: World) -> None:
    """That is an error of the config, and no sick daemon."""
    done = empty.run("healthcheck")

    assert done.returncode == CONFIG_ERROR
    assert "has no port at which the daemon could be asked" in done.stderr
    assert "next: write it there, then start the daemon again: [metrics] port = 9464\n" in done.stderr


def test_healthcheck_of_a_daemon_that_does_not_answer(empty: World, port: int) -> None:
    """A port that listens and says nothing is sick, within some seconds."""
    empty.write_config(section(port))
    with socket.create_server(("127.0.0.1", port)):
        done = empty.run("healthcheck")

    assert (1, f"no answer from http://127.0.0.1:{port}/live in 5 s\n") == (done.returncode, done.stdout)


def test_a_port_that_is_taken_is_an_error_of_the_config(ready_world: World, port: int) -> None:
    """Told with its line, before anything is done."""
    with socket.create_server(("127.0.0.1", port)):
        done = ready_world.run("run")

    assert done.returncode == CONFIG_ERROR
    assert f": metrics.port: nothing can listen at 127.0.0.1 port {port}: Address already in use" in done.stderr
    line = ready_world.config.read_text(encoding="utf-8").splitlines().index(f"port = {port}") + 1
    assert f"config.toml:{line}: " in done.stderr
    assert [(0,)] == ready_world.sql("SELECT count(*) FROM batchd_batch")


def test_a_bounded_run_serves_nothing(ready_world: World, port: int) -> None:
    """Only the daemon has a port, so that a command beside it is not in its way."""
    with socket.create_server(("127.0.0.1", port)):
        done = ready_world.run("run", "--until-idle")

    assert done.returncode == 0, done.stderr


def test_a_scrape_does_not_wait_for_who_writes(daemon: Watched) -> None:
    """A person's transaction that holds the write lock keeps no scrape waiting."""
    daemon.until(lambda scrape: applied(scrape) == 25)
    with locked(daemon.world, "IMMEDIATE"):
        read_at = daemon.scrape().value("batchd_ledger_read_timestamp_seconds") or 0.0
        newer = daemon.until(lambda scrape: (scrape.value("batchd_ledger_read_timestamp_seconds") or 0) > read_at)

    assert newer.value("batchd_ledger_up") == 1


def test_a_database_that_does_not_answer_is_told_at_once(ready_world: World, port: int) -> None:
    """What was known is told on, quickly, with batchd_ledger_up 0; /ready says why, /live is no matter of it."""
    with contextlib.closing(sqlite3.connect(ready_world.folder / "people.db")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    with watched(ready_world, port) as daemon:
        daemon.until(lambda scrape: applied(scrape) == 25)
        with locked(ready_world, "EXCLUSIVE"):
            down = daemon.until(lambda scrape: scrape.value("batchd_ledger_up") == 0)
            begun = time.monotonic()
            scrapes = [daemon.scrape() for _ in range(5)]
            took = time.monotonic() - begun
            unready, alive = daemon.page("/ready"), daemon.page("/live")
            sick = ready_world.run("healthcheck", "--ready")
        daemon.until(lambda scrape: scrape.value("batchd_ledger_up") == 1)
        ready = daemon.page("/ready").status

    assert {25} == {applied(one) for one in (down, *scrapes)}
    assert took < 2.0, "only the first scrape waits"
    assert (503, "the database does not answer\n", 200) == (unready.status, unready.text, alive.status)
    assert (1, "ready: the database does not answer\n") == (sick.returncode, sick.stdout)
    assert ready == 200


def test_the_oldest_pending_row_by_its_column(ready_world: World, port: int) -> None:
    """Since when it waits, by the column that the config names."""
    ready_world.sql("UPDATE people SET created = ?", CREATED)
    text = ready_world.config.read_text(encoding="utf-8")
    ready_world.config.write_text(
        text.replace("batch_size = 10", 'batch_size = 10\nmax_open_batches = 1\ncreated_column = "created"')
        .replace('batch_duration = "1s"', 'batch_duration = "1h"')
        .replace('sweep_interval = "0.2s"', 'sweep_interval = "0.5s"'),
        encoding="utf-8",
    )
    with watched(ready_world, port) as daemon:
        name = "batchd_oldest_pending_timestamp_seconds"
        told = daemon.until(lambda scrape: scrape.value(name, task="people") is not None)

    # 2026-01-03 08:00:00 UTC.
    assert told.value(name, task="people") == 1767427200


@pytest.mark.parametrize(
    ("column", "sentence"),
    [("number", "holds integer values, and no date and time"), ("creatd", "did you mean 'created'?")],
)
def test_a_column_that_tells_no_time_is_refused(ready_world: World, column: str, sentence: str) -> None:
    """By check-config, at its key."""
    text = ready_world.config.read_text(encoding="utf-8")
    text = text.replace("batch_size", f'created_column = "{column}"\nbatch_size')
    ready_world.config.write_text(text, encoding="utf-8")

    done = ready_world.run("check-config")

    assert done.returncode == CONFIG_ERROR
    assert "tasks.people.created_column" in done.stdout + done.stderr
    assert sentence in done.stdout + done.stderr


@contextlib.contextmanager
def locked(world: World, kind: str) -> Iterator[None]:
    """Somebody else holds the database."""
    connection = sqlite3.connect(world.folder / "people.db", timeout=PATIENCE, isolation_level=None)
    try:
        connection.execute(f"BEGIN {kind}")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()
