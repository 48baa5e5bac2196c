"""Kinds of values that several tables of the config share."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationInfo

from batchd.config.urls import has_password


class Table(BaseModel):
    """A table of the config: unknown keys are refused, and nothing changes once it is loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _as_path(value: object) -> object:
    if isinstance(value, str) and value:
        return Path(value)
    if isinstance(value, Path):
        return value
    raise ValueError("expects a path in quotes")


def _absolute(path: Path, info: ValidationInfo) -> Path:
    """Relative paths start from the config's own folder, wherever a command is run."""
    context: dict[str, Path] = info.context or {}
    return context.get("folder", Path()) / path


def _plain_http_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("expects a URL that starts with http:// or https://")
    if has_password(url):
        raise ValueError("a URL in the config may not contain a password")
    return url


FilePath = Annotated[Path, BeforeValidator(_as_path), AfterValidator(_absolute)]
HttpUrl = Annotated[str, AfterValidator(_plain_http_url)]
Name = Annotated[str, Field(min_length=1)]
# What stands in brackets as [tasks.NAME]: the ledger keeps it, and what findings are about is made of it.
Label = Annotated[str, Field(min_length=1, max_length=100)]
Count = Annotated[int, Strict(), Field(ge=1)]
CountOrZero = Annotated[int, Strict(), Field(ge=0)]
Switch = Annotated[bool, Strict()]


def written(default: object, description: str) -> Any:
    """A field whose default is given as it would be written in the file, and read the same way."""
    return Field(default=default, description=description)
