"""What the columns of a table are probably for: the text to read, the marker of done rows, the answers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from batchd.core.tasks import ColumnKind
from batchd.errors import ConfigError
from batchd.store.profile import TableProfile

_MARKER = re.compile(r"_at$|At$|(?i:date)$|(?i:done)$")
_BEST_MARKER = re.compile(r"process|handled|enriched|extracted", re.IGNORECASE)
_ROW_TIMES = re.compile(r"created|updated|modified|inserted|changed|birth|deleted", re.IGNORECASE)
_TYPES: dict[ColumnKind, str] = {
    "text": "string",
    "any": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One field to ask for: its name, JSON type and column."""

    name: str
    type: str
    column: str


@dataclass(frozen=True, slots=True)
class Guess:
    """How a table could be worked on.

    Attributes:
        key: columns of the key.
        text: the column that the prompt reads.
        marker: the column that says that a row is done, None where none looks like it.
        marker_kind: what the marker holds.
        marker_nullable: whether the marker may be NULL.
        answers: the columns to fill.
        left_alone: nullable columns that are filled in every row looked at.
    """

    key: tuple[str, ...]
    text: str
    marker: str | None
    marker_kind: ColumnKind
    marker_nullable: bool
    answers: tuple[Answer, ...]
    left_alone: tuple[str, ...]


def guess(table: str, seen: TableProfile, key: Sequence[str]) -> Guess:
    """Guesses from names, types and the first rows. Raises ConfigError where there is nothing to go by."""
    chosen = tuple(key) or seen.primary_key
    if not chosen:
        raise ConfigError(
            f"table {table!r} has no primary key, so nothing says which columns name a row",
            next_command=f"batchd init … --key COLUMN, of: {', '.join(seen.columns)}",
        )
    text = _text_column(table, seen, chosen)
    marker = _marker(seen, {*chosen, text})
    free = [
        name
        for name, column in seen.columns.items()
        if column.nullable and column.kind in _TYPES and not column.unreadable and name not in {*chosen, text, marker}
    ]
    answers = _answers([name for name in free if name in seen.with_null and not _is_row_time(name)], seen)
    if not answers:
        raise ConfigError(
            f"table {table!r} has no empty column that an answer could be written to",
            next_command="add one to it, such as a text column named summary",
        )
    return Guess(
        chosen,
        text,
        marker,
        seen.columns[marker].kind if marker else "any",
        marker is None or seen.columns[marker].nullable,
        tuple(answers),
        tuple(name for name in free if name not in {one.column for one in answers}),
    )


def _text_column(table: str, seen: TableProfile, key: Sequence[str]) -> str:
    texts = [
        name
        for name, column in seen.columns.items()
        if column.kind in {"text", "any"} and name not in key and not (_is_row_time(name) or _looks_like_marker(name))
    ]
    if not texts:
        raise ConfigError(
            f"table {table!r} has no text column to read",
            next_command=f"the columns are: {', '.join(seen.columns)}",
        )

    def size(name: str) -> tuple[int, bool, int]:
        limit = seen.columns[name].max_length
        return seen.longest[name], limit is None, limit or 0

    return max(texts, key=size)


def _marker(seen: TableProfile, taken: set[str]) -> str | None:
    likely = [
        name
        for name in seen.columns
        if name not in taken and _looks_like_marker(name) and not _is_row_time(name) and _can_mark(name, seen)
    ]
    return max(likely, key=lambda name: bool(_BEST_MARKER.search(name)), default=None)


def _can_mark(name: str, seen: TableProfile) -> bool:
    """A time that is still empty in some row, or a flag that may be 0."""
    column = seen.columns[name]
    if column.kind in {"integer", "boolean"}:
        return True
    return column.nullable and name in seen.with_null and column.kind in {"time", "text", "any"}


def _looks_like_marker(name: str) -> bool:
    return _BEST_MARKER.search(name) is not None or _MARKER.search(name) is not None


def _is_row_time(name: str) -> bool:
    return _ROW_TIMES.search(name) is not None


def _answers(columns: Sequence[str], seen: TableProfile) -> list[Answer]:
    answers: dict[str, Answer] = {}
    for column in columns:
        name = _snake_case(column)
        while name in answers:
            name += "_"
        answers[name] = Answer(name, _TYPES[seen.columns[column].kind], column)
    return list(answers.values())


def _snake_case(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", name)
    return spaced.strip("_").lower() or "field"
