"""The JSON Schema that editors use."""

import tomllib
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from batchd.config import config_json_schema
from batchd.config.file import ConfigFile, known_keys
from tests.unit.config_texts import HEAD, TASK


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, table in {"": schema, **schema["$defs"]}.items():
        for key, described in table.get("properties", {}).items():
            yield f"{name}.{key}", described


def test_every_key_has_a_description() -> None:
    """An editor has a sentence to show for each key."""
    without = [name for name, described in properties(config_json_schema()) if not described.get("description")]

    assert without == []


def test_every_table_knows_its_keys() -> None:
    """Suggestions for unknown keys need the keys of every table that the schema has."""
    tables = [
        (("database",), "DatabaseConfig"),
        (("database", "url"), "SecretRef"),
        (("daemon",), "DaemonConfig"),
        (("prices", "m"), "PriceConfig"),
        (("log",), "LogConfig"),
        (("tasks", "x"), "TaskConfig"),
        (("tasks", "x", "fields", "f"), "FieldSpec"),
        (("tasks", "x", "columns", "c"), "ColumnTarget"),
        (("tasks", "x", "vector_column"), "VectorTarget"),
    ]
    definitions = config_json_schema()["$defs"]

    assert {name: sorted(known_keys(table)) for table, name in tables} == {
        name: sorted(definitions[name]["properties"]) for _, name in tables
    }
    assert sorted(known_keys(())) == sorted(ConfigFile.model_fields)


def test_a_config_that_loads_fits_the_schema() -> None:
    """Durations as text or numbers, references, markers and vendors by kind."""
    validator = jsonschema_rs.validator_for(config_json_schema())
    vendor = '[vendors.x]\nkind = "openai"\napi_key = { env = "K" }\ntimeout = 30\n'

    assert validator.is_valid(tomllib.loads(HEAD + vendor + TASK))


@pytest.mark.parametrize(
    "mistake",
    [
        "[daemon]\nlease = 'soon'\n",
        "[vendors.x]\nkind = 'azure'\nendpoint = 3\n",
        "[vendors.x]\nkind = 'openai'\napi_key = 'literal'\n",
        "[log]\nlevl = 'info'\n",
    ],
)
def test_a_mistake_does_not_fit_the_schema(mistake: str) -> None:
    """The editor marks what batchd would refuse."""
    assert not jsonschema_rs.validator_for(config_json_schema()).is_valid(tomllib.loads(HEAD + mistake))
