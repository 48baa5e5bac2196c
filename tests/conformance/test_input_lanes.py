"""Embeddings and moderations, the whole lane over real HTTP: rows, ledger, and what the sandbox was paid."""

import json
import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchd.core.schema import ColumnInfo, ColumnTarget, moderation_answer, vector_answer, with_columns
from batchd.core.tasks import TaskDefinition
from batchd.prices import BatchPrices, PriceOverride
from batchd.sandbox_process import start_or_join
from batchd.vendors.catalog import connect
from tests.conformance.sandbox_calls import Sandbox
from tests.conformance.test_lane import account, connection, replace_limits
from tests.stages.bench import Bench, person_task

EMBEDDINGS, MODERATIONS = "/v1/embeddings", "/v1/moderations"
MODEL = "text-embedding-3-small"
# What each costs: 1 cent a million tokens, billionths of a dollar a token; nothing is known of the moderations' model.
PRICES = BatchPrices({MODEL: PriceOverride(Decimal("0.01"), Decimal(0))})
TABLE = """
CREATE TABLE person (
    id INTEGER PRIMARY KEY, resume TEXT, done_at TEXT,
    vector TEXT, flagged BOOLEAN, violence REAL, categories TEXT
)
"""
COLUMNS = {
    "vector": ColumnInfo("text"),
    "flagged": ColumnInfo("boolean"),
    "violence": ColumnInfo("number"),
    "categories": ColumnInfo("text"),
}


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
def bench(tmp_path: Path, sandbox: Sandbox) -> Iterator[Bench]:
    """A table with room for vectors and verdicts, its vendor account reaching the sandbox."""
    bench = Bench(tmp_path, table=TABLE)
    with closing(connect("sandbox", connection(sandbox))) as vendor:
        bench.account(vendor=vendor)
        bench.place = replace(bench.place, prices=PRICES)
        yield bench


def embedding(expected: int | None = None, **params: Any) -> TaskDefinition:
    """The text's vector into one column."""
    answer = with_columns(vector_answer("vector", expected), COLUMNS)
    return person_task(endpoint=EMBEDDINGS, model=MODEL, params=params, prompt="{{ resume }}", answer=answer)


def moderation() -> TaskDefinition:
    """The verdict, one score, and all categories."""
    columns: dict[str, str | ColumnTarget] = {
        "flagged": "flagged",
        "category_scores.violence": "violence",
        "categories": ColumnTarget(column="categories", store="json"),
    }
    answer = with_columns(moderation_answer(columns), COLUMNS)
    return person_task(endpoint=MODERATIONS, model="omni-moderation-latest", prompt="{{ resume }}", answer=answer)


def vectors(bench: Bench) -> list[list[float]]:
    """The vector of every row, by id; an empty one where there is none."""
    return [json.loads(text or "[]") for (text,) in bench.execute("SELECT vector FROM person ORDER BY id")]


def money(bench: Bench) -> tuple[int, int, int, int]:
    """Tokens in and out, cost in billionths of a dollar and requests without a price, over the whole ledger."""
    ((asked, said, cost, unpriced),) = bench.execute(
        "SELECT sum(input_tokens), sum(output_tokens), sum(cost_nano_usd), sum(unpriced) FROM batchd_batch"
    )
    return asked, said, cost, unpriced


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize(("params", "dimensions"), [({}, 1536), ({"dimensions": 256}, 256)])
def test_every_row_gets_its_vector_and_is_paid_once(
    bench: Bench, sandbox: Sandbox, params: dict[str, Any], dimensions: int, encoding: str
) -> None:
    """One input a row; tokens read are billed, in the ledger and at the vendor alike."""
    bench.configure(definition=embedding(dimensions, encoding_format=encoding, **params), batch_size=4)
    bench.add_people(*(f"Ada Number{number} wrote\u2028programs" for number in range(10)))

    bench.run_until_quiet()

    written, paid = vectors(bench), account(sandbox)
    assert {"applied"} == {outcome for _, outcome in bench.outcomes()}
    assert [dimensions] * 10 == [len(vector) for vector in written]
    assert [pytest.approx(1)] * 10 == [math.hypot(*vector) for vector in written]
    assert len({str(vector) for vector in written}) == 10
    assert (10, 10, 1, 0) == (
        paid["requests_paid"], paid["inputs_paid"], paid["max_paid_per_input"], paid["output_tokens"]
    )  # fmt: skip
    assert (paid["input_tokens"], 0, paid["input_tokens"] * 10, 0) == money(bench)


def test_an_embedding_whose_price_is_not_known_is_counted_so(bench: Bench) -> None:
    """No tokens are put out, and still the cost is unknown, not nothing."""
    bench.place = replace(bench.place, prices=BatchPrices({}))
    bench.configure(definition=embedding())
    bench.planted = ""
    bench.add_people("Ada", "Bob")

    bench.run_until_quiet()

    assert (2, 0, 0, 2) == money(bench)


def test_both_encodings_write_the_same_vector(bench: Bench) -> None:
    """The form on the wire makes no difference to the row."""
    bench.configure(definition=embedding(encoding_format="base64"))
    bench.add_people("Ada")
    bench.run_until_quiet()
    bench.configure(definition=embedding(encoding_format="float"))
    bench.add_people("Ada", first=2)
    bench.run_until_quiet()

    first, second = vectors(bench)
    assert len(first) == 1536
    assert first == second


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("wrong_schema", "invalid"),
        ("too_long", "invalid"),
        ("invalid_json", "invalid"),
        ("rejected", "rejected"),
        ("errored_429", "errored"),
        ("status_0", "errored"),
        ("missing", "missing"),
        ("duplicate_same", "applied"),
        ("duplicate_different", "conflict"),
        ("expired", "expired"),
        ("truncated", "applied"),
        ("refused", "applied"),
    ],
)
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_a_vector_that_goes_wrong_ends_with_its_own_outcome(
    bench: Bench, sandbox: Sandbox, encoding: str, kind: str, outcome: str
) -> None:
    """Its neighbours are written; nothing refuses or cuts off an embedding."""
    sandbox.control("PUT", "faults", {"lines": {"kind_by_input": [{"contains": "Odd", "kind": kind}]}})
    bench.configure(definition=replace_limits(embedding(1536, encoding_format=encoding)))
    bench.add_people("Ada Fine", "Bob Odd", "Cleo Fine")

    bench.run_until_quiet()

    assert [(1, "applied"), (2, outcome), (3, "applied")] == sorted(bench.outcomes())
    assert [True, outcome == "applied", True] == [bool(vector) for vector in vectors(bench)]


def test_what_the_vendor_would_refuse_is_not_paid(bench: Bench, sandbox: Sandbox) -> None:
    """An empty text is not sent; one that is too long is refused for good; the third row is written."""
    bench.configure(definition=embedding())
    bench.add_people("", "word " * 8_000, "Ada")

    bench.run_until_quiet()

    assert [(2, "rejected"), (3, "applied")] == bench.outcomes()
    assert {1: "failed", 2: "failed"} == bench.gates()
    assert 1 == account(sandbox)["requests_paid"]


def test_vectors_of_another_length_than_the_tasks_hold_the_batch(bench: Bench) -> None:
    """Where all answers are invalid the task is likelier wrong than the rows: nothing is written."""
    bench.configure(definition=embedding(256))
    bench.add_people(*(f"Ada {number}" for number in range(20)))

    bench.run_until_quiet()

    assert [("suspect-results", "batch 1")] == bench.findings()
    assert [[]] * 20 == vectors(bench)


def test_verdicts_are_written_for_nothing(bench: Bench, sandbox: Sandbox) -> None:
    """Flags, scores and categories go to their columns; the ledger says that all of it cost nothing."""
    bench.configure(definition=moderation(), batch_size=2)
    bench.add_people("A plumber", "Pure violence", "A cook")

    bench.run_until_quiet()

    rows = bench.execute("SELECT flagged, violence > 0.5, categories FROM person ORDER BY id")
    categories = [json.loads(text) for *_, text in rows]
    assert [(0, 0), (1, 1), (0, 0)] == [(flagged, high) for flagged, high, _ in rows]
    assert [False, True, False] == [one["violence"] for one in categories]
    assert [False, False, False] == [one["self-harm/intent"] for one in categories]
    assert (0, 0, 0, 0) == money(bench)
    assert [(0,)] * 3 == bench.execute("SELECT cost_nano_usd FROM batchd_request")
    assert (3, 1, 0) == tuple(account(sandbox)[name] for name in ("inputs_paid", "max_paid_per_input", "input_tokens"))


def test_a_moderation_without_a_verdict_is_invalid(bench: Bench, sandbox: Sandbox) -> None:
    """The row stays pending and empty, its neighbour is written."""
    sandbox.control("PUT", "faults", {"lines": {"kind_by_input": [{"contains": "Odd", "kind": "wrong_schema"}]}})
    bench.configure(definition=replace_limits(moderation()))
    bench.add_people("Odd", "Fine")

    bench.run_until_quiet()

    assert [(1, "invalid"), (2, "applied")] == sorted(bench.outcomes())
    rows = bench.execute("SELECT flagged, done_at IS NOT NULL FROM person ORDER BY id")
    assert [(None, 0), (0, 1)] == rows
