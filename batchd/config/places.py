"""Where things are written: ``file:line`` of a key, and the text of a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from batchd.config.locator import KeyPath, key_lines, nearest_line
from batchd.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Places:
    """A config file's keys and their lines.

    Attributes:
        path: the file, absolute.
        shown: the file as people are told of it: from the working folder, if it is below that.
        lines: line of each key, counted from 1.
    """

    path: Path
    shown: Path
    lines: Mapping[KeyPath, int]

    @classmethod
    def of(cls, path: Path, text: str) -> "Places":
        """The places of a valid TOML file."""
        return cls(path, shown_path(path), key_lines(text))

    def line(self, key: KeyPath) -> int:
        """The line of a key, or of the innermost table around it that was written."""
        return nearest_line(self.lines, key) or 1

    def where(self, key: KeyPath) -> str:
        """``file:line`` of a key."""
        return f"{self.shown}:{self.line(key)}"


def shown_path(path: Path) -> Path:
    """A file below the working folder is named from there, as its user would."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def read_text(path: Path, where: str) -> str:
    """The text of a file.

    Args:
        path: the file.
        where: ``file:line`` that names it, or ``""``.

    Raises:
        ConfigError: it cannot be read, or is not UTF-8.
    """
    try:
        # Some Windows editors begin a file with a byte order mark, which TOML does not know.
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{shown_path(path)} cannot be read: {reason}", where=where) from error
