"""Task definitions: complete, versioned, the same after a round trip through the ledger."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from batchd.core.fields import FieldSpec
from batchd.core.outcomes import Limits
from batchd.core.schema import answer_from_fields
from batchd.core.tasks import KeyColumn, Marker, Target, TaskDefinition, WriteBack
from tests.unit.examples import a_task

NAMES = ("zebra", "apple", "Mango", "élan", "a b", '"q"')
ANSWER = answer_from_fields({name: FieldSpec(type="string", column=name) for name in NAMES})
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
PARAMS = st.dictionaries(
    st.text(),
    st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5),
)

TARGET = Target(table="result", key=(KeyColumn(name="person", kind="integer"),))


def again(task: TaskDefinition) -> TaskDefinition:
    return TaskDefinition.model_validate_json(task.to_json())


def test_the_order_of_the_fields_survives() -> None:
    """Models answer in the order they are asked; so it belongs to the definition."""
    found = again(a_task(answer=ANSWER)).answer

    assert found.json_schema is not None
    assert list(NAMES) == list(found.json_schema["properties"]) == found.json_schema["required"]
    assert list(NAMES) == [write.column for write in found.columns]


@given(PARAMS, st.text(), SCALARS)
def test_a_definition_comes_back_as_it_was(params: dict[str, Any], prompt: str, constant: Any) -> None:
    """Also its types: 1, 1.0 and true stay three things; and with it its version."""
    markers = {"Done": Marker(constant=constant)}
    task = a_task(params=params, prompt=prompt, on_success=markers, answer=ANSWER, target=TARGET)

    found = again(task)

    assert task == found
    assert repr(task) == repr(found)
    assert task.version == found.version


def test_the_version_is_the_same_everywhere() -> None:
    """A hash over the definition alone: neither the process nor the day has a part in it."""
    assert a_task().version == a_task().version
    assert len(a_task().version) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"name": "t2"}, {"vendor": "other"}, {"table": "persons"}, {"table_schema": "dbo"}, {"model": "m2"},
        {"key": (KeyColumn(name="id", kind="text"),)}, {"pending": "x IS NULL"}, {"pending_columns": ("x",)},
        {"guard_column": "v"}, {"inputs": ("cv", "name")}, {"endpoint": "/v1/responses"},
        {"params": {"temperature": 0}}, {"system": "s"}, {"prompt": "{{ cv }} "}, {"null_input": "error"},
        {"answer": ANSWER}, {"on_success": {"Done": Marker(source="now")}},
        {"max_attempts": 4}, {"max_resends": 9}, {"retry_delay": 61.0}, {"target": TARGET},
    ],
)  # fmt: skip
def test_any_change_is_another_version(change: dict[str, Any]) -> None:
    """What was submitted can always be told from what is configured now."""
    assert a_task().version != a_task(**change).version


def test_the_order_of_fields_and_of_markers_is_part_of_the_version() -> None:
    """Another order is another request."""
    turned = answer_from_fields({name: FieldSpec(type="string", column=name) for name in reversed(NAMES)})

    assert a_task(answer=ANSWER).version != a_task(answer=turned).version


def test_every_setting_of_a_definition_is_tried_above() -> None:
    """A new setting that is left out of the version would let two definitions pass for one."""
    ((_, changes),) = [
        mark.args for mark in test_any_change_is_another_version.pytestmark if mark.name == "parametrize"
    ]

    assert set(TaskDefinition.model_fields) == {name for change in changes for name in change}


@pytest.mark.parametrize(
    "change",
    [
        {"table": "persons"},
        {"table_schema": "dbo"},
        {"key": (KeyColumn(name="ID", kind="integer"),)},
        {"key": (KeyColumn(name="id", kind="text"),)},
        {"key": (KeyColumn(name="id", kind="integer"), KeyColumn(name="part", kind="integer"))},
    ],
)
def test_another_table_or_key_has_another_fingerprint(change: dict[str, Any]) -> None:
    """Gates of the old one would guard nothing: the name, the columns and their kinds must stay."""
    assert a_task().fingerprint != a_task(**change).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"table": "other"},
        {"table_schema": "dbo"},
        {"mode": "insert"},
        {"key": (KeyColumn(name="id", kind="integer"),)},
    ],
)
def test_another_table_to_write_to_has_another_fingerprint(change: dict[str, Any]) -> None:
    """What was written to the one would be taken for done in the other."""
    task = a_task(target=TARGET)

    assert task.fingerprint != a_task().fingerprint
    assert task.fingerprint != a_task(target=TARGET.model_copy(update=change)).fingerprint


@pytest.mark.parametrize(
    ("pending", "target", "expected"),
    [
        (None, None, False),
        ("done IS NULL", None, True),
        (None, TARGET, False),
        ("wanted = 1 AND results > 2", TARGET, False),
        ("NOT EXISTS (SELECT 1 FROM Result r WHERE r.person = cv.id)", TARGET, True),
    ],
)
def test_only_a_condition_over_what_is_written_can_be_ended_by_writing(
    pending: str | None, target: Target | None, *, expected: bool
) -> None:
    """Of a read-only source rows are done once they are written, and nobody need be told."""
    assert expected == a_task(pending=pending, target=target).ends_pending


def test_a_keys_equality_is_part_of_the_fingerprint() -> None:
    """The digest of a key follows it."""
    keys = [(KeyColumn(name="id", kind="text", equality=equality),) for equality in ("exact", "nocase", "rtrim")]

    assert len({a_task(key=key).fingerprint for key in keys}) == 3


def test_another_prompt_has_the_same_fingerprint() -> None:
    """Everything but table and key may change while rows are in work."""
    changed = a_task(name="t2", vendor="v", prompt="other", inputs=("a",), answer=ANSWER, pending="x", model="m2")

    assert a_task().fingerprint == changed.fingerprint


def test_schema_and_table_do_not_run_together() -> None:
    """Schema a with table b.c is not schema a.b with table c."""
    assert a_task(table_schema="a", table="b.c").fingerprint != a_task(table_schema="a.b", table="c").fingerprint
    assert a_task(table_schema=None, table="ab").fingerprint != a_task(table_schema="a", table="b").fingerprint


def test_outputs_name_each_written_column_once() -> None:
    """Answer columns first, then the markers."""
    task = a_task(on_success={"Summary": Marker(constant=1), "Done": Marker(source="now")})

    assert task.outputs == ("Summary", "Done")


def test_what_a_definition_says_of_itself() -> None:
    """Limits, key columns and the table's name for people."""
    pair = (KeyColumn(name="region", kind="text"), KeyColumn(name="id", kind="integer"))
    task = a_task(key=pair, table_schema="dbo", max_attempts=2, max_resends=5)

    assert task.key_columns == ("region", "id")
    assert not task.has_integer_key
    assert a_task().has_integer_key
    assert (task.full_table, a_task().full_table) == ("dbo.people", "people")
    assert (task.written_table, a_task(target=TARGET).written_table) == ("dbo.people", "result")
    assert Limits(2, 5) == task.limits


def test_a_definition_is_never_changed_in_place() -> None:
    """A batch must be applied with what it was sent with; unknown settings are refused."""
    with pytest.raises(ValidationError, match="frozen"):
        a_task().prompt = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="extra"):
        a_task(temprature=1)
    with pytest.raises(ValidationError, match="extra"):
        WriteBack.model_validate({"column": "a", "path": "a", "pth": "b"})
