"""What a line costs at the vendor's batch rate: from the genai-prices package, offline, or from the config.

Priced line by line: beyond a threshold a prompt costs more per token, and many small prompts together don't.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Any

from batchd.core.verdicts import Usage

_PROVIDER = "openai"
_BATCH = {"processing": "batch"}
# Prices are in USD per million tokens, costs in billionths of a USD per token.
_BILLIONTHS = 1_000
_SNAPSHOT_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """A model's price as paid in batch, in USD per million tokens.

    ``cached_input`` None means that cached input costs what other input costs.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Rates:
    """What a token costs, as whole numbers of which ``unit`` make a billionth of a dollar, for a long enough prompt.

    Exact, and ten times as fast as decimals are.
    """

    above: int
    unit: int
    input: int
    cached: int
    output: int


class BatchPrices:
    """Prices by model; implements the ``Prices`` port. A model's rates are looked up once.

    Args:
        overrides: model name → price; a dated snapshot of a named model (``…-2026-03-17``) has its price.
    """

    def __init__(self, overrides: Mapping[str, PriceOverride]) -> None:
        self._overrides = overrides
        self._rates: dict[str, tuple[_Rates, ...]] = {}

    def cost(self, model: str, usage: Usage) -> int | None:
        """Billionths of a dollar for one line, rounded to even; None where no batch price is known."""
        rates = self._rates.get(model)
        if rates is None:
            rates = self._rates[model] = self._look_up(model)
        for rate in rates:
            if usage.input > rate.above:
                return _cost(rate, usage)
        return None

    def _look_up(self, model: str) -> tuple[_Rates, ...]:
        override = self._overrides.get(model) or self._overrides.get(_SNAPSHOT_DATE.sub("", model))
        return _rates_of_override(override) if override else _rates_of_package(model)


def _cost(rates: _Rates, usage: Usage) -> int:
    cached = min(usage.cached, usage.input)
    units = (usage.input - cached) * rates.input + cached * rates.cached + usage.output * rates.output
    whole, rest = divmod(units, rates.unit)
    # Half a billionth goes to the even neighbour.
    return whole + (2 * rest > rates.unit or (2 * rest == rates.unit and whole % 2 == 1))


def _rates(above: int, per_million: Sequence[Decimal]) -> _Rates:
    """From USD per million tokens: input, cached input, output."""
    exact = [Fraction(price) * _BILLIONTHS for price in per_million]
    unit = lcm(*(rate.denominator for rate in exact))
    return _Rates(above, unit, *(int(rate * unit) for rate in exact))


def _rates_of_override(price: PriceOverride) -> tuple[_Rates, ...]:
    cached = price.input if price.cached_input is None else price.cached_input
    return (_rates(-1, (price.input, cached, price.output)),)


def _rates_of_package(model: str) -> tuple[_Rates, ...]:
    """A model's rates, those of the longest prompts first; none where the package has no batch price."""
    # Loading the package's data takes half a second: only what prices a line pays for it.
    from genai_prices import Usage as NoUsage  # noqa: PLC0415
    from genai_prices import calc_price  # noqa: PLC0415

    try:
        batch = calc_price(NoUsage(), model, provider_id=_PROVIDER, price_context=_BATCH).model_price
        standard = calc_price(NoUsage(), model, provider_id=_PROVIDER).model_price
    except LookupError:
        return ()
    thresholds = {-1}.union(*(_thresholds(price) for price in _three_prices(batch)))
    rates = [
        _rates_above(above, _three_prices(batch), _three_prices(standard)) for above in sorted(thresholds, reverse=True)
    ]
    return tuple(rate for rate in rates if rate) if all(rates) else ()


def _three_prices(price: Any) -> tuple[Any, Any, Any]:
    """Input, cached input, output: each a Decimal, a price with tiers, or None."""
    return price.input_mtok, price.cache_read_mtok, price.output_mtok


def _rates_above(above: int, batch: tuple[Any, ...], standard: tuple[Any, ...]) -> _Rates | None:
    """Batch rates, None where they aren't lower than the standard ones.

    Asked for a price it doesn't have, the package gives the standard one without a word. Older models have
    a batch price but none for cached input, which then costs what other input costs.
    """
    inputs, cached, outputs = (_at(price, above) for price in batch)
    standard_inputs, standard_cached, standard_outputs = (_at(price, above) for price in standard)
    if inputs is None or standard_inputs is None or inputs >= standard_inputs:
        return None
    if outputs is not None and standard_outputs is not None and outputs >= standard_outputs:
        return None
    has_cached = cached is not None and standard_cached is not None and cached < standard_cached
    return _rates(above, (inputs, cached if has_cached and cached is not None else inputs, outputs or Decimal(0)))


def _thresholds(price: Any) -> set[int]:
    return {tier.start for tier in getattr(price, "tiers", ())}


def _at(price: Any, above: int) -> Decimal | None:
    """The price of prompts of more than ``above`` tokens, in USD per million."""
    reached = [tier.price for tier in getattr(price, "tiers", ()) if tier.start <= above]
    rate = reached[-1] if reached else getattr(price, "base", price)
    return rate if isinstance(rate, Decimal) else None
