"""Reads and checks the config file."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from batchd.config.checks import check, warnings
from batchd.config.file import ConfigFile
from batchd.config.loaded import Config, ConfigWarning
from batchd.config.places import Places, read_text, shown_path
from batchd.config.problems import ConfigProblemsError, Problem, key_name
from batchd.config.shape import shape_problems
from batchd.errors import ConfigError


def load_config(path: Path) -> Config:
    """Reads and checks a config file.

    Raises:
        ConfigError: it cannot be read or is not TOML.
        ConfigProblemsError: it does not fit; every problem is listed with its line.
    """
    path = path.absolute()
    text = read_text(path, "")
    raw = _parse(text, path)
    places = Places.of(path, text)
    file = _validate(raw, places)
    problems = check(file)
    if problems:
        raise _refusal(places, problems)
    return _config(file, places)


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, line, column = _syntax_error(str(error), text)
        raise ConfigError(
            f"not valid TOML: {reason}",
            where=f"{shown_path(path)}:{line}:{column}",
            next_command="mend the line, then batchd check-config",
        ) from error
    except RecursionError:
        # Without its cause, which is a thousand frames long. A daemon that reads it again goes on with what it has.
        raise ConfigError(
            "its arrays or tables are nested too deeply",
            where=str(shown_path(path)),
            next_command="mend it, then batchd check-config",
        ) from None


def _syntax_error(message: str, text: str) -> tuple[str, int, int]:
    found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if found is not None:
        return message[: found.start()], int(found[1]), int(found[2])
    written = text.rstrip("\n").split("\n")
    return message.removesuffix(" (at end of document)"), len(written), len(written[-1]) + 1


def _validate(raw: dict[str, Any], places: Places) -> ConfigFile:
    try:
        return ConfigFile.model_validate(raw, context={"folder": places.path.parent})
    except ValidationError as error:
        # Without its cause: pydantic's text shows values, and one of them may be a secret.
        raise _refusal(places, shape_problems(error, raw)) from None


def _refusal(places: Places, problems: Sequence[Problem]) -> ConfigProblemsError:
    in_order = sorted(problems, key=lambda problem: places.line(problem.path))
    listed = [f"{places.where(found.path)}: {_sentence(found)}" for found in in_order]
    return ConfigProblemsError(places.shown, listed)


def _config(file: ConfigFile, places: Places) -> Config:
    return Config(
        places=places,
        database=file.database,
        vendors=file.vendors,
        daemon=file.daemon,
        prices=file.prices,
        notify=file.notify,
        log=file.log,
        metrics=file.metrics,
        webhooks=file.webhooks,
        tasks=file.tasks,
        warnings=tuple(ConfigWarning(places.where(found.path), _sentence(found)) for found in warnings(file)),
    )


def _sentence(problem: Problem) -> str:
    return f"{key_name(problem.path)}: {problem.sentence}"
