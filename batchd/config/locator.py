"""Finds the line on which each key of a TOML document was written, which tomllib does not tell.

The text must already have been accepted by tomllib: this reader follows the grammar, it does not check it.
"""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field

KeyPath = tuple[str | int, ...]
"""Where a value is: names of keys, and positions in arrays (from 0)."""

_BASIC = r'"(?:[^"\\\n]|\\.)*+"'
_LITERAL = r"'[^'\n]*+'"
# A multi-line string may end in up to five quotes: two of its own, three that close it.
_LONG_BASIC = r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5}'
_LONG_LITERAL = r"'''(?:[^']|'{1,2}(?!'))*+'{3,5}"

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*+")
_KEY = re.compile(rf"{_BASIC}|{_LITERAL}|[A-Za-z0-9_-]+")
_SEPARATOR = re.compile(r"[ \t]*(?P<mark>[.=\]])[ \t]*")
_SCALAR = re.compile(rf"{_LONG_BASIC}|{_LONG_LITERAL}|{_BASIC}|{_LITERAL}|[^,\]}}#\n]+", re.DOTALL)


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, counted from 1, of every table, key and array item of a valid TOML document.

    A table that has a header is at its header; one that is only implied is where it is first named.
    """
    reader = _Reader(text)
    reader.read_document()
    return reader.lines


def nearest_line(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """The line of ``path``, or of the innermost table around it that was written; None where none was."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


@dataclass
class _Reader:
    text: str
    position: int = 0
    lines: dict[KeyPath, int] = field(default_factory=dict)
    _array_sizes: dict[KeyPath, int] = field(default_factory=dict)
    _line_ends: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._line_ends = [found.start() for found in re.finditer("\n", self.text)]

    def read_document(self) -> None:
        table: KeyPath = ()
        self._skip_blank()
        while self.position < len(self.text):
            if self._next_is("["):
                table = self._read_header()
            else:
                self._read_pair(table)
            self._skip_blank()

    def _read_header(self) -> KeyPath:
        line = self._line()
        is_array = self.text.startswith("[[", self.position)
        self.position += 2 if is_array else 1
        keys = self._read_key()
        # The first closing bracket ended the key.
        self.position += 1 if is_array else 0
        path = self._next_item(keys) if is_array else self._within_arrays(keys)
        self._note(path, line)
        self.lines[path] = line
        return path

    def _next_item(self, keys: list[str]) -> KeyPath:
        array = (*self._within_arrays(keys[:-1]), keys[-1])
        index = self._array_sizes.get(array, 0)
        self._array_sizes[array] = index + 1
        return (*array, index)

    def _within_arrays(self, keys: list[str]) -> KeyPath:
        """Names the last table of each array of tables on the way, as TOML does."""
        path: KeyPath = ()
        for key in keys:
            path = (*path, key)
            if path in self._array_sizes:
                path = (*path, self._array_sizes[path] - 1)
        return path

    def _read_pair(self, table: KeyPath) -> None:
        line = self._line()
        path = (*table, *self._read_key())
        self._note(path, line)
        self._read_value(path)

    def _read_key(self) -> list[str]:
        """Reads a dotted key and the ``=`` or ``]`` behind it."""
        keys = []
        mark = "."
        while mark == ".":
            self._skip_blank()
            keys.append(_plain_key(self._take(_KEY)))
            mark = self._take(_SEPARATOR).strip()
        return keys

    def _read_value(self, path: KeyPath) -> None:
        self._skip_blank()
        if self._next_is("{"):
            self._read_inline_table(path)
        elif self._next_is("["):
            self._read_array(path)
        else:
            self._take(_SCALAR)

    def _read_inline_table(self, path: KeyPath) -> None:
        self._step_over_mark()
        while not self._next_is("}"):
            self._read_pair(path)
            self._step_over_comma()
        self.position += 1

    def _read_array(self, path: KeyPath) -> None:
        self._step_over_mark()
        index = 0
        while not self._next_is("]"):
            self._note((*path, index), self._line())
            self._read_value((*path, index))
            self._step_over_comma()
            index += 1
        self.position += 1

    def _step_over_comma(self) -> None:
        self._skip_blank()
        if self._next_is(","):
            self._step_over_mark()

    def _step_over_mark(self) -> None:
        self.position += 1
        self._skip_blank()

    def _skip_blank(self) -> None:
        self._take(_BLANK)

    def _next_is(self, mark: str) -> bool:
        if self.position >= len(self.text):
            raise ValueError("the text is not the TOML that tomllib accepted")
        return self.text[self.position] == mark

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.position)
        if found is None:
            raise ValueError(f"not TOML in line {self._line()}")
        self.position = found.end()
        return found.group()

    def _line(self) -> int:
        return bisect_left(self._line_ends, self.position) + 1

    def _note(self, path: KeyPath, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)


def _plain_key(written: str) -> str:
    if written[0] not in "\"'":
        return written
    return next(iter(tomllib.loads(f"{written} = 0")))
