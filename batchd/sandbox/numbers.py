"""Numbers that keep to a schema's bounds: one found in the text when it fits, else one chosen in range."""

import math
from fractions import Fraction
from typing import Any

from batchd.sandbox.source_text import SourceText

SPAN = 40
STEPS = 10


def number_value(schema: dict[str, Any], source: SourceText, place: str, *, integer: bool) -> int | float:
    """Return a number for a schema; when its bounds leave no room, the nearest to its lower bound."""
    step = _step(schema, integer=integer)
    low, high = _bounds(schema, step)
    found = [value for value in source.numbers if _fits(value, low, high, step)]
    if found:
        return _plain(Fraction(str(found[source.choose(place, len(found))])))
    first, last = math.ceil(low / step), math.floor(high / step)
    return _plain(step * (first + source.choose(place, max(1, last - first + 1))))


def _step(schema: dict[str, Any], *, integer: bool) -> Fraction:
    multiple = schema.get("multipleOf")
    if isinstance(multiple, int | float) and multiple > 0:
        step = Fraction(str(multiple))
        return Fraction(step.numerator) if integer else step
    return Fraction(1) if integer else Fraction(1, STEPS)


def _bounds(schema: dict[str, Any], step: Fraction) -> tuple[Fraction, Fraction]:
    low = _tightest(schema, "minimum", "exclusiveMinimum", step, max)
    high = _tightest(schema, "maximum", "exclusiveMaximum", -step, min)
    if low is None and high is None:
        return Fraction(0), SPAN * max(step, Fraction(1))
    if low is None or high is None:
        span = SPAN * max(step, Fraction(1))
        return (high - span, high) if low is None and high is not None else (low or Fraction(0), (low or 0) + span)
    return low, high


def _tightest(schema: dict[str, Any], inclusive: str, exclusive: str, step: Fraction, pick: Any) -> Fraction | None:
    bounds = []
    if isinstance(schema.get(inclusive), int | float):
        bounds.append(Fraction(str(schema[inclusive])))
    if isinstance(schema.get(exclusive), int | float):
        bounds.append(Fraction(str(schema[exclusive])) + step)
    bound: Fraction | None = pick(bounds, default=None)
    return bound


def _fits(value: float, low: Fraction, high: Fraction, step: Fraction) -> bool:
    exact = Fraction(str(value))
    return low <= exact <= high and exact % step == 0


def _plain(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)
