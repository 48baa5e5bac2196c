"""What a task asks for must go with its endpoint: embeddings and moderations say it in their own way."""

from pathlib import Path

import pytest

from tests.unit.config_texts import HEAD, load, problems

EMBEDDING = """
[tasks.texts]
vendor = "local"
table = "text"
key = ["id"]
endpoint = "/v1/embeddings"
model = "text-embedding-3-small"
prompt = "{{ body }}"
"""
MODERATION = EMBEDDING.replace("/v1/embeddings", "/v1/moderations").replace("text-embedding-3-small", "omni")
# The task begins at line 7, what is added to it at line 14.
EMBEDDING_TO = HEAD + EMBEDDING.replace("{", "{{").replace("}", "}}") + "vector_column = {}\n"


def test_an_embedding_goes_into_one_column(tmp_path: Path) -> None:
    """By its name alone, or with the length that it must have."""
    short = load(tmp_path, EMBEDDING_TO.format('"Vec"')).tasks["texts"].vector_column
    long = load(tmp_path, EMBEDDING_TO.format('{ column = "Vec", dimensions = 1536 }')).tasks["texts"].vector_column
    assert short is not None
    assert long is not None

    assert ("Vec", None) == (short.column, short.dimensions)
    assert ("Vec", 1536) == (long.column, long.dimensions)


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("", ['7: tasks.texts: has no place for its embedding; write vector_column = "Column"']),
        (
            'text_column = "Vec"',
            ['14: tasks.texts.text_column: an embedding is one vector; write vector_column = "Column" in its place'],
        ),
        (
            'vector_column = "Vec"\nfields.a = { type = "string", column = "A" }',
            ['15: tasks.texts.fields: an embedding is one vector; write vector_column = "Column" in its place'],
        ),
        (
            'vector_column = "Vec"\nsystem = "Be brief."',
            ["15: tasks.texts.system: an embedding takes no system text; what is to be read belongs into the prompt"],
        ),
        (
            'vector_column = "Vec"\nparams = { dimensions = "many" }',
            ["15: tasks.texts.params.dimensions: expects a whole number of at least 1"],
        ),
        (
            'vector_column = "Vec"\nparams = { encoding_format = "hex" }',
            ['15: tasks.texts.params.encoding_format: expects "float" or "base64"'],
        ),
        (
            'vector_column = { column = "Vec", dimensions = 1536 }\nparams = { dimensions = 256 }',
            ["14: tasks.texts.vector_column.dimensions: is 1536, but params.dimensions asks for 256"],
        ),
        (
            'vector_column = { column = "Vec", dimensions = 0 }',
            ["14: tasks.texts.vector_column.dimensions: must be at least 1, got 0"],
        ),
        (
            'vector_column = { column = "Vec", dimension = 3 }',
            ["14: tasks.texts.vector_column.dimension: unknown key; did you mean dimensions?"],
        ),
        (
            'vector_column = "Id"',
            ["14: tasks.texts.vector_column: column Id is part of the key, which may not change"],
        ),
    ],
)
def test_an_embedding_that_makes_no_sense_is_refused(added: str, expected: list[str], tmp_path: Path) -> None:
    """At its line, with what to write in its place."""
    assert expected == problems(tmp_path, f"{HEAD}{EMBEDDING}{added}\n")


def test_a_moderation_is_written_by_columns_alone(tmp_path: Path) -> None:
    """The vendor's result has a shape of its own; no schema file is needed."""
    task = load(tmp_path, HEAD + MODERATION + 'columns = { flagged = "F" }\n').tasks["texts"]

    assert ["F"] == [column for _, column in task.answer_columns]


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("", ['7: tasks.texts: has no place for its moderation; write columns = { flagged = "Column" }']),
        ("columns = {}", ['7: tasks.texts: has no place for its moderation; write columns = { flagged = "Column" }']),
        (
            'columns = { flagged = "F" }\nvector_column = "Vec"',
            ['15: tasks.texts.vector_column: a moderation is written by columns = { flagged = "Column" } alone'],
        ),
        (
            'columns = { flagged = "F" }\nsystem = "Be brief."',
            ["15: tasks.texts.system: a moderation takes no system text; what is to be read belongs into the prompt"],
        ),
    ],
)
def test_a_moderation_that_makes_no_sense_is_refused(added: str, expected: list[str], tmp_path: Path) -> None:
    """At its line, with what to write in its place."""
    assert expected == problems(tmp_path, f"{HEAD}{MODERATION}{added}\n")


def test_a_vector_column_needs_the_endpoint_that_gives_vectors(tmp_path: Path) -> None:
    """A chat model answers with text, whatever column waits for it."""
    text = HEAD + EMBEDDING.replace('endpoint = "/v1/embeddings"\n', "") + 'vector_column = "Vec"\n'

    assert problems(tmp_path, text) == [
        '13: tasks.texts.vector_column: belongs to endpoint = "/v1/embeddings"; this endpoint answers with text'
    ]


def test_an_endpoint_that_is_none_is_refused_with_those_there_are(tmp_path: Path) -> None:
    """Also one of the vendor's that batchd has no use for."""
    (found,) = problems(tmp_path, HEAD + EMBEDDING.replace("embeddings", "videos") + 'vector_column = "Vec"\n')

    assert found.startswith('11: tasks.texts.endpoint: expects "/v1/chat/completions"')
    assert '"/v1/embeddings" or "/v1/moderations", got "/v1/videos"' in found
