"""Whose Batch API the sandbox imitates. A state belongs to one flavour: ids and files of two would not mix."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from batchd.sandbox.settings import SandboxSettings
from batchd.sandbox.state import read_setting, write_setting

OPENAI, AZURE = "openai", "azure"
SETTING = "flavour"


@dataclass(frozen=True)
class Flavour:
    """The flavour of a state; ``deployments`` are Azure's: the model behind each name."""

    name: str = OPENAI
    deployments: Mapping[str, str] = field(default_factory=dict)


def take_on(connection: sqlite3.Connection, settings: SandboxSettings) -> None:
    """Write down the flavour; raises ValueError for a state that has files of another one."""
    kept = flavour_of(connection).name
    (files,) = connection.execute("SELECT count(*) FROM file").fetchone()
    if files and kept != settings.flavour:
        raise ValueError(f"{settings.state} is the state of a sandbox of flavour {kept}, not {settings.flavour}")
    write_setting(connection, SETTING, {"name": settings.flavour, "deployments": settings.deployments})


def flavour_of(connection: sqlite3.Connection) -> Flavour:
    """Return the flavour of a state; one that never said is the plain one."""
    kept = read_setting(connection, SETTING)
    deployments = kept.get("deployments")
    return Flavour(str(kept.get("name", OPENAI)), deployments if isinstance(deployments, dict) else {})
