"""Row keys: what goes into the ledger comes out again, and two rows never share a key."""

import datetime as dt
import decimal
import sqlite3
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.keys import KeyCodec, RowKey, UnusableKeyError, key_label, split_parts
from batchd.core.tasks import KeyColumn, KeyEquality, KeyKind

# What a UTF-8 database can hold: every character of every plane, no halves of characters.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
WHOLE_NUMBERS = st.integers(-(2**63), 2**63 - 1)
FINITE_DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)


def codec(*kinds: KeyKind, equality: KeyEquality = "exact") -> KeyCodec:
    return KeyCodec([KeyColumn(name=f"k{at}", kind=kind, equality=equality) for at, kind in enumerate(kinds)])


def texts(number: int) -> KeyCodec:
    return KeyCodec([KeyColumn(name=f"k{at}", kind="text") for at in range(number)])


@given(WHOLE_NUMBERS)
def test_a_single_integer_stays_an_integer(number: int) -> None:
    """The ledger compares it natively; there is no text and no digest."""
    key = codec("integer").encode([number])

    assert RowKey(number, "", "") == key
    assert (number,) == codec("integer").decode(key)
    assert str(number) == key_label(key)


@given(TEXTS)
def test_any_text_comes_back(text: str) -> None:
    """Quotes, colons, line breaks, the empty text, every plane of Unicode."""
    key = codec("text").encode([text])

    assert (text,) == codec("text").decode(key)
    assert text == key_label(key)
    assert len(key.digest) == 64


@pytest.mark.parametrize("text", ["", "O'Hara", '"', "a:b", "1:a", "line\nbreak", "\x00", "é漢😀\U0010fffd", " "])
def test_awkward_text_comes_back(text: str) -> None:
    """The texts that break a careless format, beside numbers that look like lengths."""
    key = codec("text", "integer", "text").encode([text, 12, text])

    assert (text, 12, text) == codec("text", "integer", "text").decode(key)
    assert f"{text}, 12, {text}" == key_label(key)


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("guid", uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ("guid", "{6F9619FF-8B86-D011-B42D-00C04FC964FF}", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ("binary", b"\x00\xff'", b"\x00\xff'"),
        ("binary", bytearray(b"ab"), b"ab"),
        ("binary", memoryview(b""), b""),
        ("decimal", decimal.Decimal("12.50"), decimal.Decimal("12.5")),
        ("decimal", 7, decimal.Decimal(7)),
        ("date", dt.date(2026, 2, 28), "2026-02-28"),
        ("date", "2026-02-28", "2026-02-28"),
    ],
)
def test_other_kinds_come_back_as_the_database_compares_them(kind: KeyKind, value: Any, found: Any) -> None:
    """GUIDs and dates as text, bytes as bytes, decimals as numbers."""
    assert (found,) == codec(kind).decode(codec(kind).encode([value]))


@given(FINITE_DECIMALS)
def test_a_decimal_keeps_every_digit(number: decimal.Decimal) -> None:
    """Databases keep more digits than the 28 that Python rounds to."""
    assert (number,) == codec("decimal").decode(codec("decimal").encode([number]))


def test_decimals_that_are_equal_are_one_key() -> None:
    """1.50, 1.5 and 15E-1 are one row; so are 0 and -0."""
    one_and_a_half = {codec("decimal").encode([decimal.Decimal(text)]) for text in ("1.50", "1.5", "15E-1")}
    zeros = {codec("decimal").encode([decimal.Decimal(text)]) for text in ("0", "-0", "0.00", "0E+3")}

    assert len(one_and_a_half) == 1
    assert len(zeros) == 1


def test_decimals_that_differ_far_behind_are_two_keys() -> None:
    """A 38-digit number is not rounded into its neighbour."""
    first, second = (codec("decimal").encode([decimal.Decimal("1" * 37 + last)]) for last in "12")

    assert first.identity != second.identity


@given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(TEXTS, min_size=1, max_size=4))
def test_composites_never_look_alike(first: list[str], second: list[str]) -> None:
    """Each part carries its length, so moving a character across a border makes another key."""
    one, other = (texts(len(parts)).encode(parts) for parts in (first, second))

    assert (one.text == other.text) == (first == second)
    assert (one.digest == other.digest) == (first == second)
    assert first == split_parts(one.text)


@given(st.text("ab:12", max_size=6), st.text("ab:12", max_size=6), st.text("ab:12", max_size=6))
def test_borders_cannot_be_forged(first: str, second: str, third: str) -> None:
    """Text that looks like a length and a colon does not shift the border between two parts."""
    pair = codec("text", "text")

    one, other = pair.encode([first + second, third]), pair.encode([first, second + third])

    assert (one.digest == other.digest) == (second == "")


# A NUL ends SQLite's NOCASE comparison early; there a unique index already takes both for one row.
@pytest.mark.parametrize(("equality", "collation"), [("exact", "BINARY"), ("nocase", "NOCASE"), ("rtrim", "RTRIM")])
@given(data=st.data())
def test_equal_for_sqlite_is_equal_for_the_ledger(data: st.DataObject, equality: KeyEquality, collation: str) -> None:
    """The digest follows the column's own collation, no more and no less."""
    letters = st.text("aAbBzZÀàİ\u0131\u017f\u212ak [{@`\t\u00a0", max_size=4) | st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3
    )
    first, second = data.draw(letters), data.draw(letters)
    keys = codec("text", equality=equality)
    with sqlite3.connect(":memory:") as connection:
        ((same,),) = connection.execute(f"SELECT ? = ? COLLATE {collation}", (first, second)).fetchall()
    connection.close()

    assert bool(same) == (keys.encode([first]).identity == keys.encode([second]).identity)


@pytest.mark.parametrize(
    ("equality", "one", "other", "same"),
    [
        ("exact", "a", "A", False),
        ("exact", "a", "a ", False),
        ("nocase", "aZ", "Az", True),
        ("nocase", "a", "a ", False),
        ("nocase", "à", "À", False),
        ("nocase", "i", "İ", False),
        ("nocase", "k", "\u212a", False),
        ("rtrim", "a", "a  ", True),
        ("rtrim", "a", "A", False),
        ("rtrim", "a", " a", False),
        ("rtrim", "a", "a\t", False),
        ("rtrim", "a", "a\u00a0", False),
        ("nocase+rtrim", "a", "A ", True),
        ("nocase+rtrim", "à", "À ", False),
    ],
)
def test_texts_are_one_row_where_their_column_takes_them_for_equal(
    equality: KeyEquality, one: str, other: str, *, same: bool
) -> None:
    """Two rows that were taken for one would cost one of them its answer; one that is taken for two is asked twice."""
    keys = codec("text", equality=equality)

    assert same == (keys.encode([one]).identity == keys.encode([other]).identity)


def test_a_folded_key_keeps_its_own_text() -> None:
    """Equality is folded in the digest alone; the row is found and shown by the text it has."""
    keys = codec("text", equality="nocase")

    upper, lower = keys.encode(["ADA"]), keys.encode(["ada"])

    assert upper.identity == lower.identity
    assert (keys.decode(upper), keys.decode(lower)) == (("ADA",), ("ada",))


@pytest.mark.parametrize("kind", ["integer", "text", "guid", "binary", "decimal", "date"])
@pytest.mark.parametrize("value", [None, True, False, 1.5, object()])
def test_what_no_key_can_be_is_unusable(kind: KeyKind, value: object) -> None:
    """NULL, booleans and fractions do not name a row."""
    with pytest.raises(UnusableKeyError):
        codec(kind).encode([value])
    with pytest.raises(UnusableKeyError):
        codec("text", kind).encode(["EU", value])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "7"),
        ("integer", 2**63),
        ("integer", -(2**63) - 1),
        ("text", 7),
        ("text", b"7"),
        ("text", "half a character \ud800"),
        ("guid", "no guid"),
        ("binary", "text"),
        ("decimal", decimal.Decimal("NaN")),
        ("decimal", decimal.Decimal("Infinity")),
        ("decimal", "1.5"),
        ("date", dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
    ],
)
def test_a_value_of_another_type_than_its_column_is_unusable(kind: KeyKind, value: object) -> None:
    """SQLite lets any value live in any column; such a row is passed over, not mistaken."""
    with pytest.raises(UnusableKeyError):
        codec(kind).encode([value])


def test_the_number_of_values_must_be_that_of_the_columns() -> None:
    """A missing part is a mistake of ours, and is not padded."""
    with pytest.raises(ValueError, match="argument"):
        codec("text", "text").encode(["EU"])
