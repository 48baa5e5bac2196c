"""``[tasks.NAME.write]``: another table that a task's answers go to."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from batchd.config.values import Name, Table


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len({name.casefold() for name in names}) < len(names):
        raise ValueError("names a column twice")
    return names


Columns = Annotated[tuple[Name, ...], AfterValidator(_distinct)]


class WriteConfig(Table):
    """Where answers go, where that is not the task's own table."""

    table: Name = Field(description="Table that the answers are written to, in the same database.")
    table_schema: Name | None = Field(default=None, alias="schema", description="Schema of that table.")
    mode: Literal["update", "insert"] = Field(
        default="update", description="Fill rows that are there, or add a row for each answer."
    )
    key: Annotated[Columns, Field(min_length=1)] | None = Field(
        default=None,
        description="Its columns that hold the values of the task's key, in the same order; else of the same names.",
    )
