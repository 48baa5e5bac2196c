"""The whole lane over real HTTP: stages, SDK, sandbox, SQLite; one suite for every way a vendor can be spoken to.

The sandbox's own account says what was paid. Faults are the sandbox's, so the client meets them on the wire.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from batchd.core.schema import ColumnInfo, plain_text_answer, with_columns
from batchd.core.tasks import TaskDefinition
from batchd.ports import Vendor
from batchd.sandbox_process import start_or_join
from batchd.vendors.catalog import connect
from batchd.vendors.connection import Connection
from tests.conformance.sandbox_calls import Sandbox
from tests.stages.bench import Bench, person_task

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that answers at once."""
    with start_or_join(tmp_path_factory.mktemp("sandbox") / "sandbox.db", batch_duration=0.0) as handle:
        yield Sandbox(handle.url)


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """The same one for all tests, emptied and without faults."""
    running.control("POST", "reset")
    running.control("DELETE", "faults")
    return running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Vendor]:
    """The adapter, speaking to the sandbox by the real SDK."""
    with closing(connect("sandbox", connection(sandbox))) as vendor:
        yield vendor


@pytest.fixture
def bench(tmp_path: Path, client: Vendor) -> Bench:
    """The people task, its vendor account reaching the sandbox."""
    bench = Bench(tmp_path)
    bench.account(vendor=client)
    return bench


def connection(sandbox: Sandbox, *, key: str = "sandbox-key") -> Connection:
    """Short time limits, since some tests wait for them."""
    return Connection(key, sandbox.url, timeout=20.0, create_timeout=3.0)


def account(sandbox: Sandbox) -> dict[str, Any]:
    """What the sandbox was paid for."""
    found: dict[str, Any] = sandbox.control("GET", "account")
    return found


def structured(endpoint: str) -> TaskDefinition:
    """Two columns from a JSON schema."""
    return person_task(endpoint=endpoint)


def plain(endpoint: str) -> TaskDefinition:
    """The whole answer as text into one column."""
    answer = with_columns(plain_text_answer("name", too_long="truncate"), {"name": ColumnInfo("text", 20)})
    return person_task(endpoint=endpoint, answer=answer)


@pytest.mark.parametrize("endpoint", [CHAT, RESPONSES])
@pytest.mark.parametrize("make", [structured, plain])
def test_rows_come_back_filled_and_paid_once(bench: Bench, sandbox: Sandbox, make: Any, endpoint: str) -> None:
    """Both endpoints, structured and plain: every row written, each input paid for once."""
    bench.configure(definition=make(endpoint), batch_size=4)
    bench.add_people(*(f"Ada Number{number} wrote\u2028programs" for number in range(10)))

    bench.run_until_quiet()

    assert [1] * 10 == [done for *_, done in bench.people()]
    assert all(name for _, name, *_ in bench.people())
    assert {"applied"} == {outcome for _, outcome in bench.outcomes()}
    paid = account(sandbox)
    assert (10, 10, 1) == (paid["requests_paid"], paid["inputs_paid"], paid["max_paid_per_input"])
    ((tokens,),) = bench.execute("SELECT sum(input_tokens) FROM batchd_batch")
    assert tokens == paid["input_tokens"]


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("invalid_json", "invalid"),
        ("wrong_schema", "invalid"),
        ("too_long", "invalid"),
        ("truncated", "truncated"),
        ("refused", "refused"),
        ("content_filter", "refused"),
        ("rejected", "rejected"),
        ("errored_429", "errored"),
        ("errored_500", "errored"),
        ("status_0", "errored"),
        ("missing", "missing"),
        ("duplicate_same", "applied"),
        ("duplicate_different", "conflict"),
        ("unknown_id", "applied"),
        ("expired", "expired"),
        ("u2028", "applied"),
        ("big_line", "applied"),
    ],
)
@pytest.mark.parametrize("endpoint", [CHAT, RESPONSES])
def test_a_line_answered_wrongly_ends_with_its_own_outcome(
    bench: Bench, sandbox: Sandbox, endpoint: str, kind: str, outcome: str
) -> None:
    """Each way a line can go wrong, on the wire; its neighbours are applied all the same."""
    sandbox.control("PUT", "faults", {"lines": {"kind_by_input": [{"contains": "Odd", "kind": kind}]}})
    bench.configure(definition=replace_limits(structured(endpoint)))
    bench.add_people("Ada Fine", "Bob Odd", "Cleo Fine")

    bench.run_until_quiet()

    outcomes = dict(bench.outcomes())
    assert ("applied", "applied") == (outcomes[1], outcomes[3])
    assert outcome == outcomes[2]


def replace_limits(task: TaskDefinition) -> TaskDefinition:
    """One paid and no unpaid try, so that the first outcome stands."""
    return task.model_copy(update={"max_attempts": 1, "max_resends": 0})


@pytest.mark.parametrize(
    "rule",
    [
        {"after_effect": True, "status": 500},
        {"after_effect": True, "drop": True},
        {"after_effect": True, "html": True, "status": 502},
        {"after_effect": True, "hang": 4},
        {"status": 500},
        {"drop": True},
        {"status": 429, "code": "rate_limit_exceeded"},
        {"status": 409},
    ],
)
def test_a_create_that_goes_wrong_is_paid_for_once(bench: Bench, sandbox: Sandbox, rule: dict[str, Any]) -> None:
    """Whatever the POST's answer, and whether or not it took effect: one batch is paid, every row is filled."""
    bench.account(submit_grace=0.0, resubmit="fence")
    bench.add_people("Ada Known", first=100)
    bench.run_until_quiet()
    sandbox.control("PUT", "faults", {"routes": [{"route": "batches.create", "times": 1, **rule}]})
    bench.add_people("Bob One", "Cleo Two")

    bench.run_until_quiet()

    assert {"applied"} == {outcome for _, outcome in bench.outcomes()}
    assert [1, 1, 1] == [done for *_, done in bench.people()]
    assert 1 == account(sandbox)["max_paid_per_input"]


@pytest.mark.parametrize(
    "rule",
    [
        {"route": "files.content", "drop": True},
        {"route": "files.content", "truncate": {"bytes": 100, "keep_length": True}},
        {"route": "files.content", "truncate": {"bytes": 100, "keep_length": False}},
        {"route": "files.content", "status": 404},
        {"route": "batches.retrieve", "status": 404},
        {"route": "batches.retrieve", "html": True, "status": 502},
        {"route": "files.create", "status": 500},
        {"route": "files.create", "after_effect": True, "drop": True},
    ],
)
def test_a_call_that_fails_once_costs_nothing(bench: Bench, sandbox: Sandbox, rule: dict[str, Any]) -> None:
    """Uploads, looks and downloads are made again; no row is touched before its file is whole."""
    sandbox.control("PUT", "faults", {"routes": [{"times": 1, **rule}]})
    bench.add_people("Ada One", "Bob Two")

    bench.run_until_quiet()
    # A 404 holds the batch; it is still looked at, a little later.
    bench.check_until("closed")

    assert [(1, "applied"), (2, "applied")] == bench.outcomes()
    assert (2, 1) == (account(sandbox)["requests_paid"], account(sandbox)["max_paid_per_input"])


def test_a_wrong_key_is_said_and_nothing_is_lost(bench: Bench, sandbox: Sandbox) -> None:
    """Exit code 4, a finding, the batch still built; with the right key it goes on."""
    good = bench.place.accounts["fake"].vendor
    bench.add_people("Ada")

    with closing(connect("sandbox", connection(sandbox, key="wrong-key"))) as refused:
        bench.account(vendor=refused)
        counts = bench.run()

    assert 4 in counts.causes
    assert ["built"] == bench.states()
    assert [("vendor-auth", "vendor fake")] == bench.findings()

    bench.account(vendor=good)
    bench.run_until_quiet()
    assert [(1, "applied")] == bench.outcomes()
    assert [] == bench.findings()


def test_a_vendor_that_cannot_be_reached_is_known_not_to_have_created(bench: Bench) -> None:
    """Nobody listens at the port: the create never left this machine, so nothing is unknown."""
    bench.add_people("Ada")

    with closing(connect("sandbox", Connection("sandbox-key", "http://127.0.0.1:9/v1"))) as nobody:
        bench.account(vendor=nobody)
        counts = bench.run()

    assert {12} == counts.causes
    assert ["built"] == bench.states()


def test_the_request_file_is_what_the_vendors_strict_rules_ask_for(bench: Bench, sandbox: Sandbox) -> None:
    """The uploaded lines hold a strict schema with every property required."""
    bench.add_people("Ada")
    bench.run_until_quiet()

    (file,) = (one for one in sandbox.client.files.list(purpose="batch") if one.purpose == "batch")
    (line,) = sandbox.lines(file.id)
    asked = line["body"]["response_format"]["json_schema"]
    assert asked["strict"] is True
    assert ["name", "level"] == asked["schema"]["required"]
    assert asked["schema"]["additionalProperties"] is False
    assert json.dumps(line["body"]["messages"][-1]["content"]) == f'"Read this: Ada{bench.planted}"'
