"""Continuous mode: what is slow, quiet, misfit or configured anew keeps nothing else from its work."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import pytest

from batchd.daemon import Schedule, Service, Setup
from batchd.errors import ConfigError
from batchd.pipeline import SENDING
from batchd.ports import ConfiguredTask, Counts, Workplace
from batchd.stop import Stop
from tests.stages.bench import Bench, person_task

PATIENCE = 60.0
# Its rows are never due: a task beside the one that has some.
IDLE = ConfiguredTask(person_task(name="other", pending="0 = 1"))


class Serving:
    """A service in a thread of its own; as its source of configs, it gives what a test has laid down."""

    def __init__(self, setup: Setup) -> None:
        self._stop = Stop()
        self._next: Setup | ConfigError | None = None
        self.loads = 0
        self.service = Service(setup, self._stop, self._count, self)
        self.counts = Counts()
        self._thread = threading.Thread(target=self.service.run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.ask()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the service did not end"

    def reload(self, setup: Setup | ConfigError) -> None:
        """Somebody sends SIGHUP; returns once it was loaded or refused."""
        before = self.loads
        self._next = setup
        until(lambda: self.loads > before, "the config was not loaded")

    def is_wanted(self) -> bool:
        return self._next is not None

    def load(self) -> Setup:
        found, self._next = self._next, None
        try:
            assert found is not None
            if isinstance(found, ConfigError):
                raise found
            return found
        finally:
            self.loads += 1

    def _count(self, counts: Counts) -> None:
        self.counts.merge(counts)


def until(holds: Callable[[], object], failure: str) -> None:
    """Waits for it."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, failure
        time.sleep(0.02)


def setup_of(place: Workplace, **changes: Any) -> Setup:
    """Each task is claimed for often."""
    schedules = {name: Schedule(every=0.2) for name in (*place.tasks, *place.unfit)}
    return replace(Setup(place, schedules, lambda name: place.tasks[name]), **changes)


def done(bench: Bench) -> int:
    """Rows that are written."""
    return sum(finished is not None for *_, finished in bench.execute("SELECT id, done_at FROM person"))


def findings(bench: Bench) -> list[tuple[str, str]]:
    """What waits for a person."""
    return [tuple(one) for one in bench.execute("SELECT kind, subject FROM batchd_v_findings ORDER BY since")]


@pytest.fixture
def paced(bench: Bench) -> Bench:
    """Passes follow each other often, and not without a pause."""
    bench.place = replace(bench.place, check_interval=0.2)
    return bench


def test_a_task_that_does_not_fit_stops_only_itself(paced: Bench) -> None:
    """It is a finding with the reason; once it fits, it goes on by itself and the finding ends."""
    misfit = ConfigError("tasks.other.table: there is no table 'nowhere'", where="config.toml:9")
    fits = threading.Event()

    def resolve(name: str) -> ConfiguredTask:
        if name == "other" and not fits.is_set():
            raise misfit
        return {"people": paced.place.tasks["people"], "other": IDLE}[name]

    paced.add_people("one")
    place = replace(paced.place, unfit={"other": misfit})
    with Serving(setup_of(place, resolve=resolve)):
        until(lambda: done(paced) == 1, "the task that fits was not worked on")
        until(lambda: findings(paced), "nothing was said of the one that does not")
        told = findings(paced)
        fits.set()
        until(lambda: not findings(paced), "the finding did not end")

    assert [("task-unfit", "task other")] == told


def test_a_task_that_does_not_fit_for_long_costs_no_memory(paced: Bench) -> None:
    """Each look has an error of its own, and only the last one is kept: not what it was raised in, and so on."""
    errors: list[weakref.ref[ConfigError]] = []

    def resolve(_: str) -> ConfiguredTask:
        misfit = ConfigError("tasks.other.table: there is no table 'nowhere'", where="config.toml:9")
        errors.append(weakref.ref(misfit))
        raise misfit from ConfigError("there is no table 'nowhere'")

    place = replace(paced.place, unfit={"other": ConfigError("not looked at yet")})
    with Serving(setup_of(place, resolve=resolve)):
        until(lambda: len(errors) > 10, "it was not looked at again")
        gc.collect()
        kept = sum(error() is not None for error in errors)

    # The last one, and those that a turn has in hand just now.
    assert kept <= 3, f"{kept} of {len(errors)} are kept"


def test_a_slow_vendor_call_of_one_stage_keeps_no_other(paced: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """While an upload hangs, what is at the vendor is polled, fetched and written."""
    paced.configure(batch_size=1)
    paced.add_people("one")
    paced.run()
    hangs, upload = threading.Event(), paced.vendor.upload

    def slow(*arguments: Any) -> str:
        hangs.wait(PATIENCE)
        return upload(*arguments)

    monkeypatch.setattr(paced.vendor, "upload", slow)
    paced.add_people("two", first=2)
    with Serving(setup_of(paced.place)):
        until(lambda: done(paced) == 1, f"the first row was kept by the second one's upload: {paced.states()}")
        hangs.set()
        until(lambda: done(paced) == 2, "the second row was not done")

    assert [(1, "applied"), (2, "applied")] == paced.outcomes()


def test_a_create_on_its_way_is_not_looked_for(paced: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recover looks for creates that nobody knows of; this one is known to the process that makes it."""
    create, looks = paced.vendor.create_batch, threading.Event()

    def slow(*arguments: Any) -> Any:
        looks.wait(PATIENCE)
        return create(*arguments)

    recovered: list[str] = []

    def ran(stage: str, *_: object) -> None:
        recovered.append(stage)
        if recovered.count("recover") > 5 and paced.states() == ["submitting"]:
            looks.set()

    monkeypatch.setattr(paced.vendor, "create_batch", slow)
    paced.add_people("one")
    with Serving(setup_of(replace(paced.place, ran=ran))) as serving:
        until(lambda: done(paced) == 1, f"the row was not done: {paced.states()}")

    assert (0, set()) == (serving.counts["submits_settled"], serving.counts.causes)


def test_quiet_hours_stop_claiming_sending_and_writing_but_not_fetching(paced: Bench) -> None:
    """What is at the vendor expires there; all goes on once they are over."""
    quiet = threading.Event()
    quiet.set()
    paced.configure(batch_size=1)
    paced.add_people("one")
    paced.run()
    paced.add_people("two", first=2)
    place = replace(paced.place, is_quiet=lambda task: task == "people" and quiet.is_set())
    with Serving(setup_of(place)) as serving:
        until(lambda: paced.states() == ["collected"], f"its results were not fetched: {paced.states()}")
        until(lambda: serving.counts["tasks_quiet"] > 1, "nothing was looked at in quiet hours")
        kept = (paced.states(), done(paced))
        quiet.clear()
        until(lambda: done(paced) == 2, "it did not go on")

    assert (["collected"], 0) == kept


def test_quiet_hours_keep_what_is_built_from_being_sent(paced: Bench) -> None:
    """A batch that was built before they began is sent once they are over."""
    quiet = threading.Event()
    quiet.set()
    paced.add_people("one")
    paced.run(SENDING[1])
    passes: list[str] = []
    place = replace(paced.place, is_quiet=lambda _: quiet.is_set(), ran=lambda stage, *_: passes.append(stage))
    with Serving(setup_of(place)):
        until(lambda: passes.count("submit") > 4, "nothing was looked at in quiet hours")
        kept = paced.states()
        quiet.clear()
        until(lambda: done(paced) == 1, "it did not go on")

    assert ["built"] == kept


def test_a_config_that_is_read_again_takes_the_place_of_the_last_one(paced: Bench) -> None:
    """Tasks that are new are begun, those that are gone are not claimed for any more."""
    passes: list[str] = []
    let_go = threading.Event()
    others = replace(paced.place, tasks={"other": IDLE})
    with Serving(setup_of(others)) as serving:
        paced.add_people("one")
        serving.reload(setup_of(paced.place, let_go=let_go.set))
        until(lambda: done(paced) == 1, "the new task was not begun")
        serving.reload(setup_of(replace(others, ran=lambda stage, *_: passes.append(stage))))
        # A claim that was at work ends with what it began with.
        until(let_go.is_set, "the former config is still worked with")
        passes.clear()
        paced.add_people("two", first=2)
        until(lambda: passes.count("claim") > 6, "the task that is there is not claimed for")

    assert (["closed"], 1) == (paced.states(), done(paced))


def test_a_run_for_one_task_leaves_the_others_alone(paced: Bench) -> None:
    """``run --task``: batches of another task are neither sent nor written."""
    paced.configure(batch_size=1)
    paced.add_people("one")
    paced.run(SENDING[1])
    passes: list[str] = []
    place = replace(paced.place, tasks={"other": IDLE}, ran=lambda stage, *_: passes.append(stage))
    with Serving(setup_of(place, only="other")):
        until(lambda: passes.count("claim") > 5, "the one task is not worked for")

    assert (["built"], 0) == (paced.states(), done(paced))


def test_a_reload_leaves_a_cron_line_its_moment(paced: Bench) -> None:
    """Rows that wait for the night are not sent at noon because somebody changed the config of another task."""
    passes: list[str] = []
    nightly = {"people": Schedule(cron="0 0 1 1 *")}
    place = replace(paced.place, ran=lambda stage, *_: passes.append(stage))
    paced.add_people("one")
    with Serving(setup_of(paced.place, schedules=nightly)) as serving:
        serving.reload(setup_of(place, schedules=nightly))
        until(lambda: passes.count("recover") > 5, "the new config is not at work")

    assert ([], 0) == (paced.states(), passes.count("claim"))


def test_a_config_that_is_refused_changes_nothing(paced: Bench) -> None:
    """What was goes on."""
    with Serving(setup_of(paced.place)) as serving:
        serving.reload(ConfigError("no such key", where="config.toml:3"))
        paced.add_people("one")
        until(lambda: done(paced) == 1, "the former config does not go on")

    assert [(1, "applied")] == paced.outcomes()


def test_what_the_former_config_had_open_is_let_go_of_once_nothing_works_with_it(
    paced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload in hand ends with the connection it has begun with."""
    hangs, hanging, let_go = threading.Event(), threading.Event(), threading.Event()
    upload = paced.vendor.upload

    def slow(*arguments: Any) -> str:
        hanging.set()
        hangs.wait(PATIENCE)
        assert not let_go.is_set(), "its connection was closed"
        return upload(*arguments)

    monkeypatch.setattr(paced.vendor, "upload", slow)
    paced.add_people("one")
    with Serving(setup_of(paced.place, let_go=let_go.set)) as serving:
        until(hanging.is_set, "nothing was uploaded")
        serving.reload(setup_of(paced.place))
        time.sleep(1.5)
        too_soon = let_go.is_set()
        hangs.set()
        until(let_go.is_set, "it was never let go of")
        until(lambda: done(paced) == 1, "the row was not done")

    assert not too_soon


def test_an_idle_service_is_seen_in_the_ledger(bench: Bench) -> None:
    """From its start to its end, though it holds no lease: whoever looks can tell it from one that was killed."""
    long_ago = "2020-01-01 00:00:00.000"
    bench.execute("INSERT INTO batchd_process VALUES ('gone', '0', ?, ?, ?)", long_ago, long_ago, long_ago)

    with Serving(setup_of(replace(bench.place, tasks={"other": IDLE}))):
        until(lambda: bench.execute("SELECT owner FROM batchd_process") == [(bench.place.owner,)], "it was not seen")

    assert bench.execute("SELECT owner FROM batchd_process") == []
