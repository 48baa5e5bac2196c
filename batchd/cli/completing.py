"""What the shell offers on TAB: the names of the config's tasks, and uids of batches with files in its spool.

Nobody is asked for it, neither database nor vendor, and nothing is said: where the config can't be read, or doesn't
fit, there is less to offer.
"""

import os
import tomllib
from pathlib import Path
from typing import Any

import typer

from batchd.config_search import find_config
from batchd.errors import ConfigError

_DEFAULT_SPOOL = "spool"


def task_names(context: typer.Context, begun: str) -> list[str]:
    """Tasks of the config that ``--config``, or whatever stands for it, names."""
    return [name for name in _table(_config(context)[1], "tasks") if name.startswith(begun)]


def batch_uids(context: typer.Context, begun: str) -> list[str]:
    """Batches whose files are in the spool: those in work, and those that have ended not long ago."""
    folder, config = _config(context)
    spool = _table(config, "daemon").get("spool", _DEFAULT_SPOOL)
    try:
        uids = {path.name.partition(".")[0] for path in (folder / str(spool)).glob("*.jsonl")}
    except (OSError, ValueError):
        return []
    return sorted(uid for uid in uids if uid.startswith(begun))


def files() -> list[str]:
    """Nothing: the shell itself then offers files."""
    return []


def _config(context: typer.Context) -> tuple[Path, dict[str, Any]]:
    """The config's folder, and what is written in it."""
    named = context.params.get("config") or context.find_root().params.get("config")
    try:
        path = find_config(None if named is None else Path(named), os.environ, Path.cwd())
        return path.parent, tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ConfigError, OSError, ValueError):
        return Path.cwd(), {}


def _table(config: dict[str, Any], name: str) -> dict[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}
