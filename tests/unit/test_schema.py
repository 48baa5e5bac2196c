"""From fields, or a schema of one's own, to the answer asked for."""

import json

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.fields import FieldSpec
from batchd.core.schema import (
    ColumnInfo,
    ColumnTarget,
    answer_from_fields,
    answer_from_schema,
    moderation_answer,
    plain_text_answer,
    vector_answer,
    with_columns,
)
from batchd.core.strict_schema import lint
from batchd.core.tasks import ColumnKind, WriteBack
from batchd.errors import ConfigError

RESUME_FIELDS = {
    "full_name": FieldSpec(type="string", nullable=True, description="As written", column="FullName"),
    "years": FieldSpec(type="number", minimum=0, maximum=80, multiple_of=0.5, column="Years"),
    "skills": FieldSpec(type="array", items="string", min_items=1, max_items=9, column="Skills", store="json"),
    "level": FieldSpec(type="string", enum=("junior", "senior"), nullable=True),
    "colours": FieldSpec(type="array", items="string", enum=("red", "green")),
}


PROPERTIES = {"person": {"type": "object"}, "skills": {"type": "array"}}


def test_fields_become_a_strict_schema() -> None:
    """Every keyword lands where JSON Schema wants it; limits of an array's values go to its items."""
    answer = answer_from_fields(RESUME_FIELDS)

    assert answer.json_schema == {
        "type": "object",
        "properties": {
            "full_name": {"type": ["string", "null"], "description": "As written"},
            "years": {"type": "number", "minimum": 0, "maximum": 80, "multipleOf": 0.5},
            "skills": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 9},
            "level": {"type": ["string", "null"], "enum": ["junior", "senior", None]},
            "colours": {"type": "array", "items": {"type": "string", "enum": ["red", "green"]}},
        },
        "required": ["full_name", "years", "skills", "level", "colours"],
        "additionalProperties": False,
    }


def test_fields_become_a_schema_that_the_linter_takes() -> None:
    """What batchd itself builds breaks none of the vendor's rules."""
    answer = answer_from_fields(RESUME_FIELDS)

    assert lint(answer.json_schema) == []


def test_the_order_of_the_fields_is_kept() -> None:
    """Models answer in the order of the schema, so the order is the author's."""
    names = ["zebra", "apple", "mango"]

    answer = answer_from_fields({name: FieldSpec(type="string") for name in names})

    assert answer.json_schema is not None
    assert list(answer.json_schema["properties"]) == names


def test_only_fields_with_a_column_are_written() -> None:
    """A field without a column is asked for, to make the model think, and dropped."""
    answer = answer_from_fields(RESUME_FIELDS)

    assert [(write.column, write.store) for write in answer.columns] == [
        ("FullName", "value"),
        ("Years", "value"),
        ("Skills", "json"),
    ]


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_field_name_finds_its_own_value(name: str) -> None:
    """Names with quotes, dots, backslashes or line breaks are names, not JMESPath."""
    answer = answer_from_fields({name: FieldSpec(type="integer", column="C")})

    assert jmespath.search(answer.columns[0].path, {"other": 1, name: 42}) == 42


def test_two_fields_cannot_write_one_column() -> None:
    """The second would silently overwrite the first."""
    fields = {name: FieldSpec(type="string", column="Same") for name in ("one", "two")}

    with pytest.raises(ConfigError, match=r'column Same is written twice, from "one" and from "two"'):
        answer_from_fields(fields)


def test_json_text_cannot_be_cut() -> None:
    """Half of a JSON text is no JSON."""
    skills = FieldSpec(type="array", items="string", column="Skills", store="json", too_long="truncate")

    with pytest.raises(ConfigError, match="column Skills: JSON text that is cut"):
        answer_from_fields({"skills": skills})


def test_a_schema_file_maps_jmespath_to_columns() -> None:
    """A path may be mapped to a column's name, or to a target that says more."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": PROPERTIES,
    }

    answer = answer_from_schema(
        schema,
        {"person.name": "Name", "skills[].title": ColumnTarget(column="Titles", store="json")},
        name="resume",
    )

    assert answer.name == "resume"
    assert answer.json_schema == {"type": "object", "properties": PROPERTIES}
    assert answer.columns == (
        WriteBack(column="Name", path="person.name"),
        WriteBack(column="Titles", path="skills[].title", store="json"),
    )


def test_a_wrong_path_is_named() -> None:
    """A typing error in a path is found with the config, not with the first paid answer."""
    with pytest.raises(ConfigError, match=r"`skills\[` in columns is not a JMESPath expression"):
        answer_from_schema({"type": "object"}, {"skills[": "Skills"})


@pytest.mark.parametrize("path", ["skils", "persn.name", "to_string(skils)", "skils[?years > `3`].title | [0]"])
def test_a_path_to_no_property_is_named(path: str) -> None:
    """It would write NULL for every answer that is paid."""
    with pytest.raises(ConfigError, match="which is not a property of the schema") as caught:
        answer_from_schema({"type": "object", "properties": PROPERTIES}, {path: "C"})

    assert caught.value.next_command == "the properties are: person, skills"


@pytest.mark.parametrize(
    "path",
    ["@", "join(', ', skills)", "map(&title, skills)", "*.name", "person.name || skills[0]", "{a: person}"],
)
def test_any_path_into_the_answer_is_taken(path: str) -> None:
    """Expressions that start at a property, or at none, are left to JMESPath."""
    answer = answer_from_schema({"type": "object", "properties": PROPERTIES}, {path: "C"})

    assert answer.columns == (WriteBack(column="C", path=path),)


def test_plain_text_goes_into_one_column() -> None:
    """Without fields the whole answer is the value."""
    answer = plain_text_answer("Summary")

    assert answer.json_schema is None
    assert answer.columns == (WriteBack(column="Summary", path="@"),)


def test_columns_are_completed_from_the_table() -> None:
    """Kind, length and nullability are the database's own; nothing else changes."""
    answer = plain_text_answer("Summary", too_long="truncate")

    completed = with_columns(answer, {"Summary": ColumnInfo("text", max_length=200, nullable=False)})

    assert completed.columns == (
        WriteBack(column="Summary", path="@", too_long="truncate", max_length=200, kind="text", nullable=False),
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "the table has no column Summary"),
        ({"Summary": ColumnInfo("binary")}, "column Summary holds binary data"),
    ],
)
def test_a_column_that_cannot_be_written_is_named(columns: dict[str, ColumnInfo], message: str) -> None:
    """A missing column, or one that JSON has no values for, is a config error."""
    with pytest.raises(ConfigError, match=message):
        with_columns(plain_text_answer("Summary"), columns)


def test_a_schema_survives_the_ledger() -> None:
    """An answer read back from its JSON is the same, order of the properties included."""
    answer = answer_from_fields(RESUME_FIELDS)

    read_back = type(answer).model_validate_json(answer.model_dump_json())

    assert json.dumps(read_back.json_schema) == json.dumps(answer.json_schema)
    assert read_back == answer


@pytest.mark.parametrize("kind", ["text", "json", "vector", "any"])
@pytest.mark.parametrize(("asked", "of_column", "held_to"), [(None, None, None), (3, None, 3), (3, 3, 3)])
def test_a_vector_goes_into_columns_that_take_its_text(
    kind: ColumnKind, asked: int | None, of_column: int | None, held_to: int | None
) -> None:
    """Text, JSON and vector columns; the length is the task's."""
    completed = with_columns(vector_answer("Vec", asked), {"Vec": ColumnInfo(kind, dimensions=of_column)})

    assert completed.columns == (WriteBack(column="Vec", path="@", store="vector", kind=kind, dimensions=held_to),)


def test_a_vector_column_says_its_dimensions_by_itself() -> None:
    """VECTOR(3) holds every answer to three numbers, though the task says nothing."""
    (write,) = with_columns(vector_answer("Vec"), {"Vec": ColumnInfo("vector", dimensions=3)}).columns

    assert write.dimensions == 3


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (ColumnInfo("integer"), "column Vec holds no text, JSON or vectors"),
        (ColumnInfo("number"), "column Vec holds no text, JSON or vectors"),
        (ColumnInfo("binary"), "column Vec holds binary data"),
        (ColumnInfo("vector", dimensions=768), "column Vec takes vectors of 768 numbers; the task asks for 1536"),
        (ColumnInfo("text", max_length=4000), "column Vec takes 4000 characters; a vector of 1536 numbers has more"),
    ],
)
def test_a_column_that_no_vector_fits_is_named(info: ColumnInfo, message: str) -> None:
    """Before anything is paid for."""
    with pytest.raises(ConfigError, match=message):
        with_columns(vector_answer("Vec", 1536), {"Vec": info})


def test_a_moderation_is_written_by_paths() -> None:
    """Single values as they are, objects as JSON text."""
    answer = moderation_answer(
        {
            "flagged": "IsFlagged",
            'category_scores."self-harm/intent"': "Score",
            "categories": ColumnTarget(column="Categories", store="json"),
        }
    )

    assert answer.json_schema is None
    assert answer.columns == (
        WriteBack(column="IsFlagged", path="flagged"),
        WriteBack(column="Score", path='category_scores."self-harm/intent"'),
        WriteBack(column="Categories", path="categories", store="json"),
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"is_flagged": "F"}, "`is_flagged` in columns starts at is_flagged, which is not a property of a moderation"),
        ({"flagged[": "F"}, "`flagged\\[` in columns is not a JMESPath expression"),
        ({"categories": "C"}, "`categories` in columns is an object, no single value"),
        ({"@": "C"}, "`@` in columns is an object, no single value"),
        ({"flagged": "F", "categories.hate": "F"}, "column F is written twice"),
    ],
)
def test_a_path_that_no_moderation_has_is_refused(columns: dict[str, str], message: str) -> None:
    """It would write NULL, or nothing at all, to every row."""
    with pytest.raises(ConfigError, match=message):
        moderation_answer(columns)
