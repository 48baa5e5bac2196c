"""Reading answers: what fits its columns is converted, anything else is refused by name, never by value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.answers import AnswerReader, InvalidAnswerError
from batchd.core.fields import FieldSpec
from batchd.core.schema import answer_from_fields
from batchd.core.tasks import AnswerSpec, ColumnKind, WriteBack
from batchd.errors import ConfigError

LEVELS = answer_from_fields({"level": FieldSpec(type="string", enum=("junior", "senior"), column="Level")})


def read_one(text: str, path: str = "v", **column: Any) -> Any:
    """The value for column C of an answer without a schema to speak of."""
    answer = AnswerSpec(json_schema={"type": "object"}, columns=(WriteBack(column="C", path=path, **column),))
    return AnswerReader(answer).read(text)["C"]


def refusal(text: str, path: str = "v", **column: Any) -> InvalidAnswerError:
    with pytest.raises(InvalidAnswerError) as caught:
        read_one(text, path, **column)
    return caught.value


def test_an_answer_fills_its_columns() -> None:
    """Fields with a column are read, by name; the others are dropped."""
    fields = {
        "full name": FieldSpec(type="string", column="FullName"),
        "thinking": FieldSpec(type="string"),
        "skills": FieldSpec(type="array", items="string", column="Skills", store="json"),
        "years": FieldSpec(type="number", nullable=True, column="Years"),
    }
    reader = AnswerReader(answer_from_fields(fields))

    values = reader.read('{"full name":"Åse","thinking":"…","skills":["SQL","Übung"],"years":null}')

    assert values == {"FullName": "Åse", "Skills": '["SQL","Übung"]', "Years": None}


@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        ("", "not_json", "the answer is not JSON"),
        ('{"level": "jun', "not_json", "the answer is not JSON"),
        ('{"level": "\\ud83d"}', "not_json", "the answer is not JSON"),
        ('{"level": "secret"}', "schema", "the answer breaks the schema at /properties/level/enum"),
        ("{}", "schema", "the answer breaks the schema at /required"),
        (
            '{"level": "junior", "secret": 1}',
            "schema",
            "the answer breaks the schema at /additionalProperties",
        ),
        ("[]", "schema", "the answer breaks the schema at /type"),
        ("secret \ud83d", "not_unicode", "the answer holds half a character"),
    ],
)
def test_an_answer_that_breaks_the_schema_is_refused(text: str, code: str, sentence: str) -> None:
    """The place in the schema is named; nothing that the model wrote is repeated."""
    with pytest.raises(InvalidAnswerError) as caught:
        AnswerReader(LEVELS).read(text)

    assert (caught.value.code, caught.value.sentence) == (code, sentence)


def test_formats_are_not_insisted_on() -> None:
    """Vendors do not hold models to formats; refusing a paid answer for one helps nobody."""
    reader = AnswerReader(answer_from_fields({"mail": FieldSpec(type="string", format="email", column="C")}))

    assert reader.read('{"mail": "nobody"}') == {"C": "nobody"}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_plain_text_is_written_as_it_came(text: str) -> None:
    """Without a schema the answer is the value, JSON or not."""
    reader = AnswerReader(AnswerSpec(columns=(WriteBack(column="C", path="@", kind="text"),)))

    assert reader.read(text) == {"C": text}


@pytest.mark.parametrize(
    ("kind", "given_json", "written"),
    [
        ("any", "true", True),
        ("any", "1.5", 1.5),
        ("text", '"x"', "x"),
        ("text", "2.50", "2.5"),
        ("text", "false", "false"),
        ("integer", "7", 7),
        ("integer", "7.0", 7),
        ("integer", "true", 1),
        ("integer", "9223372036854775807", 2**63 - 1),
        ("number", "7", 7),
        ("number", "-0.25", -0.25),
        ("boolean", "false", False),
        ("boolean", "1", True),
        ("date", '"2026-02-28"', "2026-02-28"),
        ("time", '"2026-02-28T10:00:00Z"', "2026-02-28T10:00:00"),
        ("time", '"2026-02-28T10:00:00.250+02:00"', "2026-02-28T08:00:00.250000"),
        ("time", '"2026-02-28 10:00:00"', "2026-02-28 10:00:00"),
        ("time", '"2026-02-28 10:00"', "2026-02-28T10:00:00"),
        ("time", '"2026-02-28"', "2026-02-28"),
        ("time", '"2026-W09-6T10"', "2026-02-28T10:00:00"),
        ("time", '"2026-02-28T10:00:00.123456789"', "2026-02-28T10:00:00.123456"),
        ("clock", '"10:00"', "10:00"),
        ("clock", '"10:00:00.1234567"', "10:00:00.1234567"),
        ("clock", '"10:00+02:00"', "10:00:00"),
        ("clock", '"10"', "10:00:00"),
        ("guid", '"{00000000-0000-0000-0000-00000000000A}"', "00000000-0000-0000-0000-00000000000a"),
        ("json", '{"a": ["ü", 1.0]}', '{"a":["ü",1.0]}'),
        ("json", '"x"', '"x"'),
        ("text", "null", None),
    ],
)
def test_values_are_given_the_columns_type(kind: ColumnKind, given_json: str, written: object) -> None:
    """Few conversions, none that loses anything."""
    value = read_one(f'{{"v": {given_json}}}', kind=kind)

    assert (type(value), value) == (type(written), written)


def test_a_column_that_takes_offsets_is_given_them() -> None:
    """Its own time zone is the database's affair."""
    text = "2026-02-28T10:00:00+02:00"

    assert read_one(f'{{"v": "{text}"}}', kind="time", zoned=True) == text
    assert read_one('{"v": "2026-02-28T10:00:00+0200"}', kind="time", zoned=True) == text


@pytest.mark.parametrize(
    ("kind", "given_json", "code"),
    [
        ("any", "[1]", "wrong_type"),
        ("any", "{}", "wrong_type"),
        ("any", "9223372036854775808", "out_of_range"),
        ("text", "[]", "wrong_type"),
        ("integer", '"7"', "wrong_type"),
        ("integer", "7.5", "wrong_type"),
        ("integer", "-9223372036854775809", "out_of_range"),
        ("integer", "1e30", "out_of_range"),
        ("number", '"7"', "wrong_type"),
        ("number", "true", "wrong_type"),
        ("number", "18446744073709551615", "out_of_range"),
        ("boolean", "2", "wrong_type"),
        ("boolean", '"true"', "wrong_type"),
        ("date", '"2026-02-30"', "wrong_type"),
        ("date", '"20260228"', "wrong_type"),
        ("date", '"2026-02-28T00:00:00"', "wrong_type"),
        ("date", "20260228", "wrong_type"),
        ("time", '"noon"', "wrong_type"),
        ("time", "12", "wrong_type"),
        ("time", '"10:00"', "wrong_type"),
        ("time", '"0001-01-01T00:00:00+02:00"', "wrong_type"),
        ("clock", '"2026-02-28"', "wrong_type"),
        ("clock", '"2026-02-28T10:00:00"', "wrong_type"),
        ("clock", '"24:61"', "wrong_type"),
        ("clock", "12", "wrong_type"),
        ("guid", '"nobody"', "wrong_type"),
        ("guid", "1", "wrong_type"),
        ("binary", '"x"', "wrong_type"),
        ("text", '"a\\u0000b"', "nul"),
        ("any", '"a\\u0000b"', "nul"),
        ("json", '["a\\u0000b"]', "nul"),
    ],
)
def test_values_that_do_not_fit_are_refused(kind: ColumnKind, given_json: str, code: str) -> None:
    """The database is never asked to guess; the sentence names the column."""
    error = refusal(f'{{"v": {given_json}}}', kind=kind)

    assert error.code == code
    assert "column C" in error.sentence.replace("Column", "column")


def test_a_backslash_before_u0000_is_no_nul() -> None:
    """Text about escapes is text."""
    assert read_one(r'{"v": ["\\u0000"]}', store="json") == r'["\\u0000"]'


def test_text_longer_than_its_column_is_refused() -> None:
    """Lengths are counted in characters, and told without the text."""
    assert read_one('{"v": "äöü😀"}', kind="text", max_length=4) == "äöü😀"
    error = refusal('{"v": "secret"}', kind="text", max_length=5)

    assert error.code == "too_long"
    assert error.sentence == "column C takes 5 characters; the answer gives 6"


def test_text_may_be_cut_to_its_column() -> None:
    """With too_long = "truncate" exactly the column's length is written."""
    assert read_one('{"v": "äöü😀x"}', kind="text", max_length=4, too_long="truncate") == "äöü😀"


def test_json_text_is_never_cut() -> None:
    """Half of a JSON text is no JSON, whatever the setting."""
    error = refusal('{"v": ["long"]}', store="json", max_length=5, too_long="truncate")

    assert error.code == "too_long"


@pytest.mark.parametrize("text", ['{"v": null}', "{}"])
def test_null_needs_a_column_that_takes_it(text: str) -> None:
    """A value that is null, or that the path does not find, is NULL."""
    assert read_one(text, kind="integer") is None
    assert refusal(text, kind="integer", nullable=False).code == "null"


@pytest.mark.parametrize(
    ("path", "written"),
    [("person.name", "Bo"), ("skills[0]", "SQL"), ("join(', ', skills)", "SQL, Go"), ("length(skills)", 2)],
)
def test_paths_reach_into_the_answer(path: str, written: object) -> None:
    """JMESPath finds, joins and counts."""
    assert read_one('{"person": {"name": "Bo"}, "skills": ["SQL", "Go"]}', path) == written


@pytest.mark.parametrize(
    ("path", "code"),
    [("join(', ', skills)", "path"), ("skills[::0]", "path"), ("to_number('nan')", "out_of_range")],
)
def test_a_path_that_fails_makes_the_answer_invalid(path: str, code: str) -> None:
    """An expression that does not suit this answer is the answer's fault, and no crash."""
    assert refusal('{"skills": [1, "secret"]}', path).code == code


@pytest.mark.parametrize(("path", "store", "code"), [("v", "json", "not_writable"), ("to_string(v)", "value", "path")])
def test_an_absurdly_deep_answer_is_invalid(path: str, store: str, code: str) -> None:
    """A model that repeats one bracket costs its own row only."""
    assert refusal('{"v":' + "[" * 1000 + "]" * 1000 + "}", path, store=store).code == code


@pytest.mark.parametrize(
    "schema",
    [{"type": "strnig"}, {"$ref": "#/nowhere"}, {"$ref": "http://127.0.0.1:9/x"}, {"pattern": "("}],
)
def test_an_unusable_schema_is_a_config_error(schema: dict[str, Any]) -> None:
    """Found before anything is sent, without asking the network."""
    with pytest.raises(ConfigError, match="answer schema resume can't be used"):
        AnswerReader(AnswerSpec(name="resume", json_schema=schema, columns=()))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No answer makes the reader fail in another way."""
    try:
        values = AnswerReader(LEVELS).read(text)
    except InvalidAnswerError as error:
        values = {"Level": error.code}

    assert values["Level"] in {"not_json", "schema", "not_unicode"}
