"""Scripts of DDL as text: the ledger's schema put in place, statements told apart."""

import re
from collections.abc import Callable

from batchd.errors import ConfigError

DEFAULT_SCHEMA = "batchd"
# The schema's name where it stands alone; the tables' names begin with it.
_SCHEMA = re.compile(rf"\b{DEFAULT_SCHEMA}\b")
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_ADDED = re.compile(r"ALTER TABLE (?P<table>\w+) ADD COLUMN (?P<column>\w+) ")


def in_schema(script: str, schema: str | None) -> str:
    """A script for a ledger in another schema than ``batchd``. Raises ConfigError for a name that needs quotes."""
    if schema in {None, DEFAULT_SCHEMA}:
        return script
    if _PLAIN_NAME.fullmatch(schema or "") is None:
        raise ConfigError(
            f"database.ledger_schema = {schema!r}: the name of the ledger's schema must be a plain one",
            next_command="use small letters, digits and _ only, such as batchd_prod",
        )
    return _in_code(script, lambda code: _SCHEMA.sub(str(schema), code))


def literal(text: str) -> str:
    """A text as a script writes it, in standard SQL."""
    return "'" + text.replace("'", "''") + "'"


def added_column(statement: str) -> tuple[str, str] | None:
    """Table and column where a statement adds one, and has no words for "only where there is none", as in SQLite."""
    found = _ADDED.match("\n".join(_code(line) for line in statement.splitlines()).strip())
    return None if found is None else (found["table"], found["column"])


def until_semicolon(script: str) -> list[str]:
    """Statements that end with a semicolon at the end of a line; comments don't count."""
    return _split(script, lambda code: code.rstrip().endswith(";"), keep_last=True)


def until_go(script: str) -> list[str]:
    """Batches as sqlcmd sends them, separated by lines that say ``GO``."""
    return _split(script, lambda code: code.strip().upper() == "GO", keep_last=False)


def _split(script: str, is_end: Callable[[str], bool], *, keep_last: bool) -> list[str]:
    found, current = [], list[str]()
    for line in script.splitlines():
        ends = is_end(_code(line))
        if not ends or keep_last:
            current.append(line)
        if ends:
            found.append("\n".join(current).strip())
            current = []
    found.append("\n".join(current).strip())
    return [one for one in found if _has_code(one)]


def _has_code(text: str) -> bool:
    return any(_code(line).strip() for line in text.splitlines())


def _code(line: str) -> str:
    return line.partition("--")[0]


def _in_code(script: str, change: Callable[[str], str]) -> str:
    parts = (line.partition("--") for line in script.splitlines(keepends=True))
    return "".join(change(code) + dashes + comment for code, dashes, comment in parts)
