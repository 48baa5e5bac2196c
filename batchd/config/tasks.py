"""``[tasks.NAME]``: one job, as its owner writes it. What it means is worked out in ``checks``."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from batchd.config.durations import Duration, DurationOrZero
from batchd.config.values import Count, CountOrZero, FilePath, Name, Table, written
from batchd.config.write import Columns, WriteConfig
from batchd.core.fields import FieldSpec
from batchd.core.quiet import quiet_hours
from batchd.core.schema import ColumnTarget, VectorTarget
from batchd.core.tasks import Endpoint, Marker

_CRON = r"^\s*[0-9A-Za-z*/,-]+(\s+[0-9A-Za-z*/,-]+){4}\s*$"
_SOURCES = (
    ({"now": "utc"}, Marker(source="now")),
    ({"value": "batch"}, Marker(source="batch")),
    ({"value": "model"}, Marker(source="model")),
)


def _spell_out_column(value: object) -> object:
    if isinstance(value, str):
        return {"column": value}
    if isinstance(value, dict | ColumnTarget | VectorTarget):
        return value
    raise ValueError("expects the name of a column, in quotes")


def _marker(value: object) -> Marker:
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return Marker(constant=value)
    for written_source, marker in _SOURCES:
        if value == written_source:
            return marker
    raise ValueError(
        'expects text, a number, true or false, { now = "utc" }, { value = "batch" } or { value = "model" }'
    )


WrittenColumn = Annotated[
    ColumnTarget,
    BeforeValidator(_spell_out_column, json_schema_input_type=str | ColumnTarget),
]
VectorColumn = Annotated[
    VectorTarget,
    BeforeValidator(_spell_out_column, json_schema_input_type=str | VectorTarget),
]


def _quiet(hours: str) -> str:
    quiet_hours(hours)
    return hours


QuietHoursOfDay = Annotated[str, AfterValidator(_quiet)]
OnSuccess = Annotated[
    Marker,
    BeforeValidator(_marker),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "number", "boolean"]},
                {"type": "object", "properties": {"now": {"const": "utc"}}, "required": ["now"]},
                {
                    "type": "object",
                    "properties": {"value": {"enum": ["batch", "model"]}},
                    "required": ["value"],
                },
            ]
        }
    ),
]


class TaskConfig(Table):
    """One task. Durations are in seconds; ``every`` counts only where there is no ``cron``."""

    vendor: Name = Field(description="Name of the [vendors] table that runs this task's batches.")
    table: Name = Field(description="Table whose rows are processed.")
    table_schema: Name | None = Field(default=None, alias="schema", description="Schema of the table.")
    key: Annotated[Columns, Field(min_length=1)] = Field(
        description="Column or columns that name a row: unique, never changed."
    )
    pending: Name | None = Field(
        default=None,
        description="SQL condition over the table: which rows are to be processed. Without it, all.",
    )
    pending_columns: Columns = Field(
        default=(), description="Columns that the pending condition reads, where its text doesn't name them."
    )
    guard_column: Name | None = Field(
        default=None, description="Column that changes with every change of its row, such as a rowversion."
    )
    created_column: Name | None = Field(
        default=None,
        description="Column that says when a row came, for the age of the oldest pending one in the metrics.",
    )
    endpoint: Endpoint = Field(default="/v1/chat/completions", description="API that answers the requests.")
    model: Name = Field(description="Model that answers.")
    params: dict[str, Any] = Field(default={}, description="Parameters of the request, passed through as they are.")
    system: str | None = Field(default=None, description="Instructions to the model, the same for every row.")
    prompt: Name | None = Field(default=None, description="Jinja2 template over the row's columns.")
    prompt_file: FilePath | None = Field(default=None, description="File that holds the prompt instead.")
    batch_size: Count = Field(default=200, description="Most rows of one batch.")
    max_open_batches: Count = Field(default=10, description="Most batches of this task that may be open at once.")
    min_batch_size: Count = Field(default=1, description="Fewest rows worth a batch; needs max_wait.")
    max_wait: Duration | None = Field(
        default=None, description="Longest time that rows wait for min_batch_size to be reached."
    )
    weight: Annotated[float, Field(gt=0, le=1000)] = Field(
        default=1.0, description="The task's share of the vendor's quota, in proportion to that of other tasks."
    )
    every: Duration = written("10m", "How often the daemon looks for pending rows.")
    cron: Annotated[str, Field(pattern=_CRON)] | None = Field(
        default=None,
        description='When the daemon looks for pending rows, in place of every, such as "0 2 * * *".',
    )
    quiet: QuietHoursOfDay | None = Field(
        default=None,
        description='When the daemon claims, sends and writes nothing for this task, such as "08:00-18:00".',
    )
    max_attempts: Count = Field(default=3, description="Most paid tries of one row.")
    max_resends: CountOrZero = Field(default=10, description="Most unpaid tries of one row.")
    retry_delay: DurationOrZero = written("10s", "Wait before a row's first repeat; it doubles with each.")
    null_input: Literal["empty", "error"] = Field(
        default="empty", alias="null", description="A NULL column in the prompt: empty text, or an error."
    )
    formerly: Name | None = Field(default=None, description="The task's name before it was renamed.")
    on_success: dict[str, OnSuccess] = Field(
        default={},
        description="Columns written beside the answer: constants, the time, the batch, the model.",
    )
    fields: dict[str, FieldSpec] | None = Field(
        default=None, description="What to ask for and where to write it, field by field."
    )
    schema_file: FilePath | None = Field(
        default=None, description="JSON Schema of the answer, where fields can't say it; needs columns."
    )
    columns: dict[str, WrittenColumn] | None = Field(
        default=None,
        description="JMESPath into the answer = column to write; belongs to schema_file, or to a moderation.",
    )
    text_column: WrittenColumn | None = Field(
        default=None, description="Column that takes the whole answer as plain text."
    )
    vector_column: VectorColumn | None = Field(
        default=None, description="Column that takes the vector of an embedding, as a JSON array."
    )
    write: WriteConfig | None = Field(
        default=None, description="Another table that the answers go to; without it, the task's own."
    )

    @property
    def written_table(self) -> tuple[str | None, str]:
        """Schema and name of the table that the answers go to."""
        place = self.write or self
        return place.table_schema, place.table

    @property
    def written_key(self) -> tuple[str, ...]:
        """Columns that hold the key in that table."""
        return (self.write.key if self.write else None) or self.key

    @property
    def answer_columns(self) -> tuple[tuple[tuple[str, ...], str], ...]:
        """Each column the answer is written to, behind the keys of this table that name it."""
        found: list[tuple[tuple[str, ...], str | None]] = [
            (("fields", name, "column"), spec.column) for name, spec in (self.fields or {}).items()
        ]
        found += [(("columns", path), target.column) for path, target in (self.columns or {}).items()]
        if self.text_column is not None:
            found.append((("text_column",), self.text_column.column))
        if self.vector_column is not None:
            found.append((("vector_column",), self.vector_column.column))
        return tuple((keys, column) for keys, column in found if column is not None)
