"""What is wrong with a config: where, at which key, and a plain sentence. All of it is told at once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from batchd.config.locator import KeyPath
from batchd.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, at the key ``path``."""

    path: KeyPath
    sentence: str


class ConfigProblemsError(ConfigError):
    """Everything that is wrong with a config file; ``problems`` are lines ``file:line: key: sentence``."""

    def __init__(self, file: Path, problems: Sequence[str]) -> None:
        listed = "\n".join(problems)
        many = f"{len(problems)} problems in {file}:\n{listed}"
        super().__init__(listed if len(problems) == 1 else many, next_command=f"mend {file}, then batchd check-config")
        self.problems = tuple(problems)


def key_name(path: KeyPath) -> str:
    """The path as TOML writes it: ``tasks.resumes.batch_size``, ``prices."gpt-6.1".input``, ``key[0]``."""
    name = ""
    for key in path:
        if isinstance(key, int):
            name += f"[{key}]"
        else:
            name += ("." if name else "") + _quoted_if_needed(key)
    return name


def suggestion(name: str, known: Sequence[str]) -> str:
    """``"; did you mean x?"`` for the nearest of the known names, or ``""`` where none is near."""
    by_folded = {_fold(one): one for one in known}
    near = get_close_matches(_fold(name), by_folded, n=1)
    return f"; did you mean {by_folded[near[0]]}?" if near else ""


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_")


def _quoted_if_needed(key: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]+", key):
        return key
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
