"""Vectors: from the vendor's body to the text of a column, number for number, or to the reason why not."""

import base64
import json
import math
import struct
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.answers import AnswerReader, InvalidAnswerError
from batchd.core.outcomes import Outcome
from batchd.core.result_lines import LineReader, read_line
from batchd.core.schema import ColumnInfo, vector_answer, with_columns
from batchd.core.tasks import AnswerSpec, ColumnKind, WriteBack
from batchd.core.vectors import decoded
from batchd.core.verdicts import Usage, Verdict
from tests.unit.examples import a_task

WANTED = "column Vec takes a vector of 2 numbers; the answer gives"
FINITE = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = FINITE | st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1)
NO_NUMBER = st.none() | st.booleans() | st.text() | st.sampled_from([math.nan, math.inf, -math.inf, 2**80, [0.5]])


def embedding_body(*vectors: Any, **more: Any) -> dict[str, Any]:
    """What the endpoint answers: a list of embeddings, and the tokens of the input."""
    data = [{"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(vectors)]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    return {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage, **more}


def verdict(body: Any, dimensions: int | None = None, **column: Any) -> Verdict:
    """The verdict on a line with this body, for a task that writes column Vec."""
    answer = with_columns(vector_answer("Vec", dimensions), {"Vec": ColumnInfo(**{"kind": "text", **column})})
    response = {"status_code": 200, "request_id": "r", "body": body}
    # As Python writes JSON: NaN and Infinity stand in it, as some servers send them.
    line = read_line(json.dumps({"custom_id": "c-1", "response": response, "error": None}).encode())
    assert line is not None
    return LineReader(a_task(endpoint="/v1/embeddings", answer=answer)).verdict(line)


def packed(numbers: list[float]) -> str:
    """A vector as the vendor packs it for encoding_format = "base64"."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_a_vector_is_fit_to_be_written() -> None:
    """The text, the tokens read and the model; nothing was written by the model, nothing finished early."""
    found = verdict(embedding_body([0.1, -0.25, 1e-7]), dimensions=3)

    expected = {"Vec": "[0.1,-0.25,1e-7]"}
    assert found == Verdict(Outcome.APPLIED, expected, Usage(input=8), model="text-embedding-3-small")


@given(st.lists(NUMBERS, min_size=1), st.sampled_from(["text", "json", "vector", "any"]))
def test_every_number_reads_back_as_it_was(numbers: list[float | int], kind: ColumnKind) -> None:
    """Whatever the column holds, its text is a JSON array of the same numbers, bit for bit."""
    write = WriteBack(column="Vec", path="@", store="vector", kind=kind, dimensions=len(numbers))

    text = AnswerReader(AnswerSpec(columns=(write,))).read(numbers)["Vec"]

    assert repr(numbers) == repr(json.loads(text))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_base64_is_read_back_into_its_numbers(numbers: list[float]) -> None:
    """The packed form of a vector says the same as the long one."""
    assert repr(numbers) == repr(decoded(packed(numbers)))


@given(st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode()))
def test_text_that_packs_no_numbers_is_no_vector(text: str) -> None:
    """Any text is read or refused; it never fails otherwise."""
    found = verdict(embedding_body(text), dimensions=2)

    assert found.outcome is (Outcome.APPLIED if _packs_two(text) else Outcome.INVALID)


def _packs_two(text: str) -> bool:
    numbers = decoded(text)
    return isinstance(numbers, list) and len(numbers) == 2 and all(map(math.isfinite, numbers))


@given(st.lists(FINITE), st.data())
def test_a_vector_with_anything_but_finite_numbers_is_invalid(numbers: list[Any], data: st.DataObject) -> None:
    """One NaN, Infinity, null, text or nested list anywhere spoils it."""
    place = data.draw(st.integers(0, len(numbers)))
    spoilt = [*numbers[:place], data.draw(NO_NUMBER), *numbers[place:]]
    write = WriteBack(column="Vec", path="@", store="vector", kind="text")

    with pytest.raises(InvalidAnswerError, match="something else than finite numbers"):
        AnswerReader(AnswerSpec(columns=(write,))).read(spoilt)


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        (embedding_body([0.5]), "vector", f"{WANTED} one of 1"),
        (embedding_body([]), "vector", f"{WANTED} an empty one"),
        (embedding_body({"a": 1}), "vector", f"{WANTED} none"),
        (embedding_body("?"), "vector", f"{WANTED} none"),
        (embedding_body([0.5, math.nan]), "vector", f"{WANTED} one that holds something else than finite numbers"),
        (embedding_body(packed([0.5, math.inf])), "vector", None),
        (embedding_body([0.5, None]), "vector", None),
        (embedding_body(None), "empty", "the answer is empty"),
        (embedding_body(), "empty", "the answer is empty"),
        (embedding_body([0.5, 0.5], [0.5, 0.5]), "several", "one input has several answers"),
    ],
)
def test_a_vector_that_cannot_be_written_says_why(body: Any, code: str, sentence: str | None) -> None:
    """Paid and invalid, with the tokens counted; nothing of the vector is repeated."""
    found = verdict(body, dimensions=2, nullable=True)

    assert (Outcome.INVALID, code, {}, 8) == (found.outcome, found.code, found.values, found.usage.input)
    assert sentence in {None, found.sentence}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [({"code": "server_error"}, Outcome.ERRORED), ({"code": "invalid_prompt"}, Outcome.REJECTED)],
)
def test_an_error_in_place_of_a_vector_is_judged_as_elsewhere(error: dict[str, str], outcome: Outcome) -> None:
    """HTTP 200 with an error in it is not an empty answer."""
    assert verdict({"error": error}).outcome is outcome


def test_without_a_length_to_hold_it_to_any_vector_will_do() -> None:
    """A text column says nothing of dimensions, and the task need not."""
    assert {"Vec": "[1.0,2.0,3.0]"} == verdict(embedding_body([1.0, 2.0, 3.0])).values


def test_a_vector_is_never_cut() -> None:
    """Text that the column is too short for is invalid, whatever the column does with other text."""
    assert (Outcome.INVALID, "too_long") == (
        (found := verdict(embedding_body([0.123456789] * 9), max_length=80)).outcome,
        found.code,
    )


def test_a_line_without_a_status_is_read_for_its_vector() -> None:
    """Some servers give no status; a vector that is there was paid for."""
    line = read_line(orjson.dumps({"custom_id": "c-1", "response": {"body": embedding_body([0.5])}}))
    task = a_task(endpoint="/v1/embeddings", answer=with_columns(vector_answer("Vec"), {"Vec": ColumnInfo("text")}))
    assert line is not None

    assert LineReader(task).verdict(line).outcome is Outcome.APPLIED


@pytest.mark.parametrize("text", ['{"v": [0.5]}', '{"v": "[0.5, 0.5]"}', '{"v": 1}'])
def test_a_vector_column_takes_nothing_else_from_a_model_either(text: str) -> None:
    """An array that a chat model wrote is held to the column's dimensions."""
    write = WriteBack(column="Vec", path="v", store="json", kind="vector", dimensions=2)

    with pytest.raises(InvalidAnswerError, match="column Vec takes a vector of 2 numbers"):
        AnswerReader(AnswerSpec(json_schema={"type": "object"}, columns=(write,))).read(text)


@pytest.mark.parametrize(("text", "written"), [('{"v": [0.5, 1]}', "[0.5,1]"), ('{"v": null}', None)])
def test_a_vector_column_takes_a_models_array_and_null(text: str, written: str | None) -> None:
    """A field that may be null leaves the column NULL."""
    write = WriteBack(column="Vec", path="v", store="json", kind="vector", dimensions=2)

    assert {"Vec": written} == AnswerReader(AnswerSpec(json_schema={"type": "object"}, columns=(write,))).read(text)
