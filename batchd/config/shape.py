"""Says in plain words what pydantic found wrong with the shape of a config file."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from batchd.config.file import known_keys
from batchd.config.locator import KeyPath
from batchd.config.problems import Problem, suggestion
from batchd.config.vendors import VENDOR_KINDS

Raw = Mapping[str, Any]
"""The file as tomllib read it."""

_UNSHOWN = {
    "url",
    "password",
    "api_key",
    "client_secret",
    "base_url",
    "upstream",
    "webhook",
    "webhook_secret",
    "webhook_url",
}
_LONGEST_SHOWN = 60

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text in quotes",
    "tuple_type": "a list in [brackets]",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}


def shape_problems(error: ValidationError, raw: Raw) -> list[Problem]:
    """One problem for each key that does not fit."""
    problems = [_problem(details, raw) for details in error.errors(include_url=False)]
    # A value that fits no member of a union is an error for each of them; one sentence is enough.
    return list({problem.path: problem for problem in reversed(problems)}.values())[::-1]


def _problem(details: ErrorDetails, raw: Raw) -> Problem:
    path = _written_path(details, raw)
    kind = details["type"]
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(path, details, raw)
    if kind in _EXPECTED:
        return Problem(path, f"expects {_EXPECTED[kind]}{_got(path, details['input'])}")
    limit = _limit(kind, details.get("ctx", {}))
    return Problem(path, f"{limit}{_got(path, details['input'])}" if limit else "is not a value this key takes")


def _written_path(details: ErrorDetails, raw: Raw) -> KeyPath:
    """Pydantic's location without the names of union members, which nobody wrote."""
    path: KeyPath = ()
    here: Any = raw
    for position, key in enumerate(details["loc"]):
        if _is_written(here, key):
            here = here[key]
        elif not (isinstance(here, dict) and _is_missing_key(details, position)):
            continue
        path = (*path, key)
    return path


def _is_written(here: object, key: str | int) -> bool:
    return isinstance(key, int) if isinstance(here, list) else isinstance(here, dict) and key in here


def _is_missing_key(details: ErrorDetails, position: int) -> bool:
    return details["type"] == "missing" and position == len(details["loc"]) - 1


def _missing(path: KeyPath, _details: ErrorDetails, _raw: Raw) -> Problem:
    return Problem(path, "this key is missing")


def _unknown_key(path: KeyPath, _details: ErrorDetails, raw: Raw) -> Problem:
    kind = _at(raw, (*path[:-1], "kind"))
    near = suggestion(str(path[-1]), known_keys(path[:-1], kind=kind))
    return Problem(path, f"unknown key{near}")


def _missing_kind(path: KeyPath, _details: ErrorDetails, _raw: Raw) -> Problem:
    return Problem((*path, "kind"), f"this key is missing; it is {_kinds()}")


def _unknown_kind(path: KeyPath, _details: ErrorDetails, raw: Raw) -> Problem:
    kind = _at(raw, (*path, "kind"))
    near = suggestion(kind, list(VENDOR_KINDS)) if isinstance(kind, str) else ""
    return Problem((*path, "kind"), f"unknown kind {_shown(kind)}; it is {_kinds()}{near}")


def _own_sentence(path: KeyPath, details: ErrorDetails, _raw: Raw) -> Problem:
    return Problem(path, str(details["ctx"]["error"]))


def _one_of(path: KeyPath, details: ErrorDetails, _raw: Raw) -> Problem:
    expected = details["ctx"]["expected"].replace("'", '"')
    return Problem(path, f"expects {expected}{_got(path, details['input'])}")


def _bad_pattern(path: KeyPath, details: ErrorDetails, _raw: Raw) -> Problem:
    wanted = _PATTERNS.get(str(path[-1]), "text of another form")
    return Problem(path, f"expects {wanted}{_got(path, details['input'])}")


_PATTERNS = {
    "cron": 'five fields such as "0 2 * * *" (minute, hour, day, month, day of week)',
    "credential": "a name without slashes",
    "path": 'a path such as "/webhooks"',
    "api_version": 'a dated API such as "2024-10-21" or "2025-04-01-preview"; leave it out for v1',
}

_SPECIAL: dict[str, Callable[[KeyPath, ErrorDetails, Raw], Problem]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "union_tag_not_found": _missing_kind,
    "union_tag_invalid": _unknown_kind,
    "value_error": _own_sentence,
    "literal_error": _one_of,
    "string_pattern_mismatch": _bad_pattern,
}


def _limit(kind: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "greater_than":
            return f"must be more than {context['gt']:g}"
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}"
        case "string_too_short" | "too_short":
            return "may not be empty"
        case "string_too_long":
            return f"may have {context['max_length']} characters at most"
        case _:
            return ""


def _got(path: KeyPath, value: object) -> str:
    # What stands where a secret or a URL belongs may be one.
    return "" if _UNSHOWN.intersection(map(str, path)) else f", got {_shown(value)}"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def _kinds() -> str:
    *others, last = (f'"{kind}"' for kind in VENDOR_KINDS)
    return f"{', '.join(others)} or {last}"


def _at(raw: Raw, path: KeyPath) -> Any:
    here: Any = raw
    for key in path:
        if not isinstance(here, dict):
            return None
        here = here.get(key)
    return here
