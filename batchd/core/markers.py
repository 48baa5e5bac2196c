"""Whether a column can take what ``on_success`` writes to it: found out before any answer is paid for."""

import decimal

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import ColumnKind, Marker
from batchd.errors import ConfigError

# "number" is missing on purpose: SQLite calls so whatever type it does not know, and then takes anything.
_NO_TEXT: frozenset[ColumnKind] = frozenset({"integer", "boolean", "json", "vector", "binary", "guid"})
_UID_LENGTH = 32


def check_marker(column: str, marker: Marker, info: ColumnInfo) -> None:
    """Raises ConfigError where every row would be refused; what only some databases refuse is left to them."""
    written, length = _written(marker)
    if written is None:
        return
    if info.kind in _NO_TEXT and not (info.kind == "integer" and _is_number(marker.constant)):
        raise ConfigError(
            f"column {column} holds {info.kind} values and cannot take {written}",
            next_command="name a column of a fitting type, or write a value that the column takes",
        )
    if info.kind == "text" and info.max_length is not None and length > info.max_length:
        raise ConfigError(
            f"column {column} takes up to {info.max_length}, but {written} is {length} long",
            next_command=f"make column {column} longer, or write something shorter",
        )


def _written(marker: Marker) -> tuple[str | None, int]:
    """What it is, for a person, and how long at least; None for what is neither time nor text."""
    if marker.source == "now":
        return "the time", 0
    if marker.source == "batch":
        return "the id of a batch", _UID_LENGTH
    if marker.source == "model":
        return "the name of a model", 0
    return ("this text", len(marker.constant)) if isinstance(marker.constant, str) else (None, 0)


def _is_number(constant: object) -> bool:
    try:
        return decimal.Decimal(str(constant)).is_finite()
    except decimal.InvalidOperation:
        return False
