"""The JSON Schema of the config file, for editors that complete and check TOML."""

from typing import Any

from batchd.config.file import ConfigFile


def config_json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the config file, with a description for every key."""
    schema = ConfigFile.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "batchd config",
    }
