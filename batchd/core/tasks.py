"""A task's definition: everything needed to build a request and to apply its answer, versioned in the ledger.

What was submitted is what is applied: a batch keeps the hash of the definition it was built with, and is
collected and applied with that one, also when the config has moved on.
"""

import hashlib
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from batchd.core.outcomes import Limits

Endpoint = Literal["/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/moderations"]
KeyKind = Literal["integer", "text", "guid", "binary", "decimal", "date"]
# What a column's own collation takes for equal; several folds are applied in the order they are named in.
KeyEquality = Literal["exact", "nocase", "rtrim", "nocase+rtrim"]
# A "time" is a date with or without a time, a "clock" a time of day.
ColumnKind = Literal[
    "text", "integer", "number", "boolean", "date", "time", "clock", "json", "vector", "binary", "guid", "any"
]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeyColumn(_Frozen):
    """One column of a row's key: its kind, and when the database takes two values for equal.

    ``sql_type`` and ``collation`` are the database's own words, where it must be told them to compare as it does.
    """

    name: str
    kind: KeyKind
    equality: KeyEquality = "exact"
    sql_type: str = ""
    collation: str = ""


class Marker(_Frozen):
    """What ``on_success`` writes to a column beside the answer: a constant, the time, or the origin.

    ``zoned``: the column holds moments, and shows them in the time zone of who asks.
    """

    constant: str | int | float | bool | None = None
    source: Literal["constant", "now", "batch", "model"] = "constant"
    zoned: bool = False


class WriteBack(_Frozen):
    """One column filled from the answer.

    Attributes:
        column: the column of the task's table.
        path: JMESPath into the answer object; ``@`` is the whole answer (plain text).
        store: write the value itself, its JSON text, or the JSON text of a vector.
        too_long: what to do with text longer than ``max_length``.
        max_length: what the column takes, None where it has no limit: characters, or units of ``encoding``.
        encoding: Python's name of the encoding whose bytes, or halves of UTF-16, the column counts; empty: characters.
        kind: what the column holds, as reflected.
        nullable: the column takes NULL.
        zoned: the column takes a time with its offset from UTC; another is given UTC.
        dimensions: how many numbers a vector must have, None where any number will do.
    """

    column: str
    path: str
    store: Literal["value", "json", "vector"] = "value"
    too_long: Literal["invalid", "truncate"] = "invalid"
    max_length: int | None = None
    encoding: str = ""
    kind: ColumnKind = "any"
    nullable: bool = True
    zoned: bool = False
    dimensions: int | None = None


class AnswerSpec(_Frozen):
    """What the model is asked to answer, and where it goes.

    ``json_schema`` None: plain text, or what the endpoint gives by itself (a vector, a moderation).
    """

    name: str = "answer"
    json_schema: dict[str, Any] | None = None
    columns: tuple[WriteBack, ...]


class Target(_Frozen):
    """Another table of the same database that answers are written to.

    Attributes:
        key: its columns that hold the values of the task's key, in the same order.
        mode: fill rows that are there, or add rows.
    """

    table: str
    table_schema: str | None = None
    key: tuple[KeyColumn, ...]
    mode: Literal["update", "insert"] = "update"


class TaskDefinition(_Frozen):
    """One version of a task, complete: resolved against its table, independent of the config file."""

    name: str
    vendor: str
    table: str
    table_schema: str | None = None
    key: tuple[KeyColumn, ...]
    pending: str | None = None
    pending_columns: tuple[str, ...] = ()
    guard_column: str | None = None
    target: Target | None = None
    inputs: tuple[str, ...]
    endpoint: Endpoint
    model: str
    params: dict[str, Any] = Field(default_factory=dict)
    system: str | None = None
    prompt: str
    null_input: Literal["empty", "error"] = "empty"
    answer: AnswerSpec
    on_success: dict[str, Marker] = Field(default_factory=dict)
    max_attempts: int = 3
    max_resends: int = 10
    retry_delay: float = 10.0

    @property
    def outputs(self) -> tuple[str, ...]:
        """Every column batchd writes, answer columns first; each once."""
        answered = tuple(write.column for write in self.answer.columns)
        return answered + tuple(name for name in self.on_success if name not in answered)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Names of the key columns, in key order."""
        return tuple(column.name for column in self.key)

    @property
    def has_integer_key(self) -> bool:
        """True for a key of one integer column, which the ledger keeps as an integer."""
        return len(self.key) == 1 and self.key[0].kind == "integer"

    @property
    def is_free(self) -> bool:
        """The vendor charges nothing for this endpoint."""
        return self.endpoint == "/v1/moderations"

    @property
    def limits(self) -> Limits:
        """Bounds on the tries of one row."""
        return Limits(self.max_attempts, self.max_resends)

    @property
    def full_table(self) -> str:
        """The table's name for people, with its schema where one is configured."""
        return _full_name(self.table_schema, self.table)

    @property
    def written_table(self) -> str:
        """The name, for people, of the table that answers are written to."""
        return _full_name(self.target.table_schema, self.target.table) if self.target else self.full_table

    @property
    def ends_pending(self) -> bool:
        """Writing a row ought to end its being pending; where it can't, the row is done once it is written."""
        if self.pending is None:
            return False
        # A condition over the source alone is not touched by what is written elsewhere.
        return self.target is None or _has_word(self.pending, self.target.table)

    def to_json(self) -> str:
        """The whole definition as JSON. The order of the fields asked for is kept: models answer in it."""
        return self.model_dump_json()

    @property
    def version(self) -> str:
        """64 hex digits of SHA-256 over :meth:`to_json`."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def fingerprint(self) -> str:
        """What must not move while gates or batches are open: the tables, and the key with its kinds."""
        # Gates of a key that turned from numbers to text would guard nothing.
        key = [f"{column.name}\x1e{column.kind}\x1e{column.equality}" for column in self.key]
        places = [self.table_schema or "", self.table, *key]
        if self.target is not None:
            # What was asked for one table would otherwise be remembered as done for another.
            columns = [column.name for column in self.target.key]
            places += ["", self.target.mode, self.target.table_schema or "", self.target.table, *columns]
        return hashlib.sha256("\x1f".join(places).encode()).hexdigest()


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _full_name(schema: str | None, table: str) -> str:
    return f"{schema}.{table}" if schema else table
