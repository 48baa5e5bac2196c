"""Exact decimals as text."""

import decimal


def decimal_text(value: decimal.Decimal) -> str:
    """Every digit, without an exponent, trailing zeros or a sign on zero: equal numbers, equal texts.

    ``Decimal.normalize`` won't do: it rounds to 28 digits, and databases keep 38 and more.
    """
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
