"""Decimals as text: exact, and one text for one number."""

import decimal

from hypothesis import given
from hypothesis import strategies as st

from batchd.core.decimals import decimal_text

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False)


@given(NUMBERS)
def test_the_text_is_the_number(number: decimal.Decimal) -> None:
    """Not a digit is lost, and there is no exponent."""
    text = decimal_text(number)

    assert number == decimal.Decimal(text)
    assert "E" not in text.upper()


@given(NUMBERS, st.integers(0, 30))
def test_equal_numbers_have_equal_texts(number: decimal.Decimal, zeros: int) -> None:
    """Zeros behind the point do not count."""
    text = format(number, "f")
    longer = text + ("" if "." in text else ".") + "0" * zeros

    assert decimal_text(number) == decimal_text(decimal.Decimal(longer))


def test_texts_by_example() -> None:
    """Tens keep their zeros; a zero has no sign."""
    examples = {"100": "100", "1E+2": "100", "0.10": "0.1", "-0.00": "0", "-1.50": "-1.5", "1" * 40: "1" * 40}

    assert examples == {given: decimal_text(decimal.Decimal(given)) for given in examples}
