"""``[tasks.X.fields]``: one line per field says what to ask the model for and where to write it."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FieldType = Literal["string", "number", "integer", "boolean", "array"]
ItemType = Literal["string", "number", "integer", "boolean"]


class FieldSpec(BaseModel):
    """One field of the answer: its JSON type and limits, and the column it is written to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: FieldType = Field(description="JSON type of the field.")
    description: str = Field(default="", description="What the model should put here; part of the schema.")
    column: str | None = Field(default=None, description="Column to write; without one the field is asked for only.")
    nullable: bool = Field(default=False, description="The model may answer null.")
    enum: tuple[str | int | float, ...] | None = Field(default=None, description="The only values allowed.")
    items: ItemType | None = Field(default=None, description="Type of an array's items.")
    minimum: float | int | None = Field(default=None, description="Smallest value allowed.")
    maximum: float | int | None = Field(default=None, description="Largest value allowed.")
    multiple_of: float | int | None = Field(default=None, description="The value is a multiple of this.")
    pattern: str | None = Field(default=None, description="Regular expression a string must match.")
    format: str | None = Field(default=None, description="A string format such as date or email.")
    min_items: int | None = Field(default=None, ge=0, description="Fewest items of an array.")
    max_items: int | None = Field(default=None, ge=0, description="Most items of an array.")
    store: Literal["value", "json"] = Field(default="value", description="Write the value, or its JSON text.")
    too_long: Literal["invalid", "truncate"] = Field(
        default="invalid", description="What to do with text longer than its column."
    )

    @model_validator(mode="after")
    def _array_fits(self) -> Self:
        if self.type == "array" and self.items is None:
            msg = 'an array needs items = "string" (or number, integer, boolean)'
            raise ValueError(msg)
        if self.type != "array" and self.items is not None:
            msg = 'items belongs to type = "array"'
            raise ValueError(msg)
        if self.type == "array" and self.column is not None and self.store != "json":
            msg = 'an array is written as JSON text: say store = "json"'
            raise ValueError(msg)
        return self
