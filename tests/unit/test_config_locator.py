"""The locator finds the line of every key, in any TOML that tomllib accepts."""

import json
import tomllib
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batchd.config.locator import KeyPath, key_lines, nearest_line

BARE_KEYS = st.from_regex(r"[A-Za-z0-9_-]{1,5}", fullmatch=True)
ODD_KEYS = st.text(alphabet="ab.=#[]{}\"'\\ é\t", max_size=5)
KEYS = BARE_KEYS | ODD_KEYS

PLAIN_VALUES = (
    "1",
    "1_000.5e3",
    "true",
    "1979-05-27 07:32:00",
    '""',
    '"a \\" b = 1 # c"',
    "'c:\\dir # not a comment'",
    "'''one line'''",
)
LONG_VALUES = (
    '"""\nkey = 1\n[table]\n"""',
    '"""a ""quoted"" \\"\\"\\" b\n"""""',
    "'''\n# [x]\nkey = 'a'\n''''",
    '[1, # one ]\n  "]", [2,\n3],\n]',
)
BETWEEN = st.sampled_from(["", "\n", "# key = 1\n", "  # [no.table]\n\n", "\r\n"])


@dataclass
class Writer:
    """Writes TOML and remembers the line on which each key began."""

    text: str = ""
    expected: dict[KeyPath, int] = field(default_factory=dict)

    def write(self, text: str, path: KeyPath | None = None) -> None:
        if path is not None:
            self.expected[path] = self.text.count("\n") + 1
        self.text += text


def quoted(draw: st.DrawFn, key: str) -> str:
    forms = [json.dumps(key, ensure_ascii=draw(st.booleans()))]
    if key and all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in key):
        forms.append(key)
    if not set(key) & {"'", "\\"}:
        forms.append(f"'{key}'")
    return draw(st.sampled_from(forms))


def write_inline(draw: st.DrawFn, out: Writer, path: KeyPath, depth: int) -> None:
    out.write("{ ")
    for position, key in enumerate(draw(st.lists(KEYS, max_size=3, unique=True))):
        out.write(", " if position else "")
        out.write(quoted(draw, key), (*path, key))
        out.write(" = ")
        write_value(draw, out, (*path, key), depth + 1)
    out.write("}")


def write_value(draw: st.DrawFn, out: Writer, path: KeyPath, depth: int = 0) -> None:
    if depth < 3 and draw(st.integers(0, 3)) == 0:
        write_inline(draw, out, path, depth)
    else:
        out.write(draw(st.sampled_from(PLAIN_VALUES + LONG_VALUES)))


def write_pairs(draw: st.DrawFn, out: Writer, table: KeyPath) -> None:
    for key in draw(st.lists(KEYS, max_size=4, unique=True)):
        out.write(draw(BETWEEN))
        names = [key, *draw(st.lists(KEYS, max_size=2))]
        out.write(" . ".join(quoted(draw, name) for name in names), (*table, *names))
        out.write(draw(st.sampled_from([" = ", "=", "\t=  "])))
        write_value(draw, out, (*table, *names))
        out.write(draw(st.sampled_from(["\n", " # end\n", "\r\n"])))


@st.composite
def documents(draw: st.DrawFn) -> Writer:
    """A TOML document with its keys' lines: pairs, then tables, then arrays of tables with tables in them."""
    out = Writer()
    write_pairs(draw, out, ())
    for number in range(draw(st.integers(0, 2))):
        name = f"table of {number}"
        out.write(f"{draw(BETWEEN)}[ '{name}' . \"in\\u0020ner\" ] # a table\n")
        write_pairs(draw, out, (name, "in ner"))
    for number in range(draw(st.integers(0, 2))):
        out.write("[[ many . tables ]]\n", ("many", "tables", number))
        write_pairs(draw, out, ("many", "tables", number))
        out.write('[many.tables."sub.table"]\n', ("many", "tables", number, "sub.table"))
        write_pairs(draw, out, ("many", "tables", number, "sub.table"))
    return out


def accepted(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


@given(documents())
def test_every_key_is_found_where_it_was_written(document: Writer) -> None:
    """Whatever stands between, every key of a document is at the line on which it was written."""
    if accepted(document.text) is None:
        return  # A name was drawn that meets another one.

    found = key_lines(document.text)

    assert document.expected == {path: found.get(path) for path in document.expected}


def leaves(value: object, path: KeyPath = ()) -> set[KeyPath]:
    if isinstance(value, dict):
        return {path} | {leaf for key, item in value.items() for leaf in leaves(item, (*path, key))}
    if isinstance(value, list):
        return {path} | {leaf for index, item in enumerate(value) for leaf in leaves(item, (*path, index))}
    return {path}


@given(documents())
def test_exactly_the_keys_that_tomllib_reads_are_found(document: Writer) -> None:
    """Nothing inside a string or a comment is taken for a key, and no key is passed over."""
    parsed = accepted(document.text)
    if parsed is None:
        return

    assert leaves(parsed) - {()} == set(key_lines(document.text))


def test_a_table_is_at_its_header_even_if_it_was_implied_before() -> None:
    """A header says more about a table than the sub-table that first named it."""
    lines = key_lines("[a.b]\nx = 1\n[a]\ny = 2\n")

    assert lines == {("a",): 3, ("a", "b"): 1, ("a", "b", "x"): 2, ("a", "y"): 4}


def test_a_key_that_is_not_written_is_at_the_table_around_it() -> None:
    """A missing key is told at the table that lacks it."""
    lines = key_lines("\n[tasks.x]\nmodel = 'm'\n")

    assert nearest_line(lines, ("tasks", "x", "prompt")) == 2
    assert nearest_line(lines, ("tasks", "x", "model", 0, "deep")) == 3
    assert nearest_line(lines, ("database",)) is None
