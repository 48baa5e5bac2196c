"""The whole lane against a resource of Azure: stages, SDK, sandbox, SQLite. Its account says what was paid."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from batchd.core.tasks import TaskDefinition
from batchd.vendors.catalog import connect
from batchd.vendors.connection import AzureConnection
from tests.conformance.azure_vendor import DATED, DEPLOYMENT, OLD, AzureSandbox, emptied, start_azure
from tests.stages.bench import Bench, person_task

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
HOUR = 3_600


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureSandbox]:
    """A resource with one deployment."""
    with start_azure(tmp_path_factory.mktemp("azure")) as handle:
        yield AzureSandbox(handle.url)


@pytest.fixture
def azure(running: AzureSandbox) -> AzureSandbox:
    """The same one for all tests, emptied."""
    return emptied(running)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The people task, for the deployment."""
    return Bench(tmp_path, people())


def people(**changes: Any) -> TaskDefinition:
    """The people task as a deployment answers it."""
    return person_task(**{"model": DEPLOYMENT, **changes})


@pytest.fixture
def reach(bench: Bench) -> Iterator[Any]:
    """Makes the bench's account reach a resource in some way."""
    opened = []

    def reached(connection: AzureConnection) -> None:
        opened.append(connect("azure", connection))
        bench.account(vendor=opened[-1])

    yield reached
    for vendor in opened:
        vendor.close()


def account(azure: AzureSandbox) -> tuple[int, int, int]:
    """Requests paid, inputs paid, and how often at most one input was."""
    paid = azure.control("GET", "account")
    return paid["requests_paid"], paid["inputs_paid"], paid["max_paid_per_input"]


def all_applied(bench: Bench) -> bool:
    """Whether every row is written, and nothing is left to say."""
    done = [done for *_, done in bench.people()]
    return done == [1] * len(done) and {outcome for _, outcome in bench.outcomes()} == {"applied"}


@pytest.mark.parametrize("version", [None, DATED, OLD])
@pytest.mark.parametrize("endpoint", [CHAT, RESPONSES])
def test_rows_come_back_filled_and_paid_once(
    bench: Bench, azure: AzureSandbox, reach: Any, endpoint: str, version: str | None
) -> None:
    """By v1 and by dated APIs, with lines without ids and error files of no bytes: no finding, nothing held."""
    reach(azure.connection(version=version))
    bench.configure(definition=people(endpoint=endpoint), batch_size=4)
    bench.add_people(*(f"Ada Number{number} wrote\u2028programs" for number in range(10)))

    bench.run_until_quiet()

    assert all_applied(bench)
    assert ["closed"] * 3 == bench.states()
    assert [] == bench.findings()
    assert (10, 10, 1) == account(azure)
    assert bench.batch()["error_file_id"]
    assert 0 == bench.batch()["error_bytes"]


def test_a_row_that_fails_is_found_in_the_error_file(bench: Bench, azure: AzureSandbox, reach: Any) -> None:
    """Its neighbours are applied all the same."""
    azure.control("PUT", "faults", {"lines": {"kind_by_input": [{"contains": "Odd", "kind": "rejected"}]}})
    reach(azure.connection())
    bench.add_people("Ada Fine", "Bob Odd", "Cleo Fine")

    bench.run_until_quiet()

    assert {1: "applied", 2: "rejected", 3: "applied"} == dict(bench.outcomes())


def test_a_pending_file_is_waited_for(bench: Bench, azure: AzureSandbox, reach: Any) -> None:
    """The resource refuses a batch of a pending file, so one is asked for only when it is processed."""
    azure.pace(file_processing=1.0)
    reach(azure.connection())
    bench.add_people("Ada", "Bob")

    bench.run_until_quiet()

    assert (1, "closed") == (bench.batch()["attempt"], bench.batch()["state"])
    assert 1 == len(azure.client.files.list(purpose="batch").data)
    assert all_applied(bench)
    assert (2, 2, 1) == account(azure)


def test_a_file_that_stays_pending_is_sent_again_later(bench: Bench, azure: AzureSandbox, reach: Any) -> None:
    """Nothing is made of it, no file is left behind, and nobody's try is charged."""
    azure.pace(file_processing=HOUR)
    reach(azure.connection(patience=0.6))
    bench.add_people("Ada")

    counts = bench.run()
    left = azure.client.files.list().data
    azure.pace()
    bench.run_until_quiet()

    assert {12} == counts.causes
    assert [] == left
    assert all_applied(bench)
    assert (1, 1, 1) == account(azure)


@pytest.mark.parametrize("counts", [{"total": None, "completed": None, "failed": None}, {}])
def test_counts_that_are_never_told_are_not_needed(
    bench: Bench, azure: AzureSandbox, reach: Any, counts: dict[str, None]
) -> None:
    """The files say how many results there are."""
    azure.control("PUT", "faults", {"batches": {"request_counts": counts}})
    reach(azure.connection())
    bench.add_people("Ada", "Bob")

    bench.run_until_quiet()

    assert all_applied(bench)
    assert [] == bench.findings()


def test_a_batch_that_outlives_its_day_is_waited_for(bench: Bench, azure: AzureSandbox, reach: Any) -> None:
    """A day over its window it is overdue, still open, and not given up; in the end it is applied, and paid once."""
    azure.control("POST", "clock", {"freeze": True})
    azure.advance(-48 * HOUR)
    azure.pace(batch_duration=50 * HOUR)
    reach(azure.connection())
    bench.add_people("Ada", "Bob")
    bench.run()
    azure.advance(48 * HOUR)

    bench.run()
    late = (bench.states(), bench.findings())
    azure.advance(3 * HOUR)
    bench.check_until("closed")

    assert (["submitted"], [("overdue", "batch 1")]) == late
    assert [] == bench.findings()
    assert all_applied(bench)
    assert (2, 2, 1) == account(azure)


@pytest.mark.parametrize("null_metadata", [False, True])
@pytest.mark.parametrize(
    "rule",
    [
        {"after_effect": True, "status": 500},
        {"after_effect": True, "drop": True},
        {"after_effect": True, "html": True, "status": 502},
        {"after_effect": True, "hang": 4},
        {"status": 500},
        {"drop": True},
        {"status": 429, "code": "429"},
        {"status": 409},
    ],
)
def test_a_create_that_goes_wrong_is_paid_for_once(
    bench: Bench, azure: AzureSandbox, reach: Any, rule: dict[str, Any], *, null_metadata: bool
) -> None:
    """What became of it is found in the list, by the input file alone where that shows no metadata."""
    reach(azure.connection())
    bench.account(submit_grace=0.0, resubmit="fence")
    bench.add_people("Ada Known", first=100)
    bench.run_until_quiet()
    routes = [{"route": "batches.create", "times": 1, **rule}]
    azure.control("PUT", "faults", {"routes": routes, "batches": {"null_metadata": null_metadata}})
    bench.add_people("Bob One", "Cleo Two")

    bench.run_until_quiet()

    assert all_applied(bench)
    assert (3, 3, 1) == account(azure)


def test_too_many_tokens_wait_until_there_is_room(bench: Bench, azure: AzureSandbox, reach: Any) -> None:
    """Refused at the create, as regions do that fail fast: nothing was made, and its rows go again, one by one."""
    reach(azure.connection())
    bench.add_people("Ada", "Bob")
    azure.control("POST", "settings", {"token_limit": 1})
    refused = bench.run()
    azure.control("POST", "settings", {"token_limit": None})

    bench.run_until_quiet()

    assert 1 <= refused["batches_postponed"]
    assert 0 == refused["batches_submitted"]
    assert [1, 1] == [done for *_, done in bench.people()]
    assert ["applied", "applied", "unsent", "unsent"] == sorted(outcome for _, outcome in bench.outcomes())
    assert (2, 2, 1) == account(azure)


def test_a_models_name_is_no_deployments(bench: Bench, azure: AzureSandbox, reach: Any) -> None:
    """The resource refuses the batch; a person is told, and no row is to blame."""
    reach(azure.connection())
    bench.configure(definition=people(model="gpt-6-luna"))
    bench.add_people("Ada", "Bob")

    bench.run()
    bench.check_until("held")

    assert [("batch-refused", "batch 1")] == bench.findings()
    assert "model_not_found" == bench.batch()["error_code"]
    assert (0, 0, 0) == account(azure)


def test_a_wrong_version_is_said_and_nothing_is_sent(bench: Bench, azure: AzureSandbox, reach: Any) -> None:
    """The resource knows no such path."""
    reach(azure.connection(version="2023-05-15"))
    bench.add_people("Ada")

    counts = bench.run()

    assert {20} == counts.causes
    assert ["held"] == bench.states()
    assert "submit-refused" in dict(bench.findings())


@pytest.mark.parametrize("by_token", [False, True])
def test_wrong_credentials_are_said_and_nothing_is_lost(
    bench: Bench, azure: AzureSandbox, reach: Any, *, by_token: bool
) -> None:
    """A key or a token: exit code 4, a finding, the batch still built; with the right one it goes on."""
    right = "sandbox-token" if by_token else "sandbox-key"
    bench.add_people("Ada")

    reach(azure.connection(key="not-the-right-one", by_token=by_token))
    counts = bench.run()
    found, stood = bench.findings(), bench.states()
    reach(azure.connection(key=right, by_token=by_token))
    bench.run_until_quiet()

    assert 4 in counts.causes
    assert (["built"], [("vendor-auth", "vendor fake")]) == (stood, found)
    assert all_applied(bench)
    assert [] == bench.findings()
    assert (1, 1, 1) == account(azure)


def test_a_cancelled_batch_keeps_what_had_run(bench: Bench, azure: AzureSandbox, reach: Any) -> None:
    """What ran is applied and paid once; the rest waits for a person, since one has cancelled it."""
    azure.control("POST", "clock", {"freeze": True})
    azure.pace(batch_duration=100)
    reach(azure.connection())
    bench.add_people(*(f"Ada {number}" for number in range(10)))
    bench.run()
    azure.advance(50)
    with closing(connect("azure", azure.connection())) as person:
        (open_one,) = person.list_batches(0).batches
        person.cancel_batch(open_one.id)
    azure.advance(20)

    bench.run_until_quiet()

    assert [1] * 5 + [0] * 5 == [done for *_, done in bench.people()]
    assert dict.fromkeys(range(6, 11), "held") == bench.gates()
    assert (5, 5, 1) == account(azure)
