"""Prices: the figures of the vendor facts (section 8), line by line."""

from decimal import Decimal

import pytest
from genai_prices import Usage as PackageUsage
from genai_prices import calc_price

from batchd.core.verdicts import Usage
from batchd.prices import BatchPrices, PriceOverride

THOUSAND_EACH = Usage(input=1000, cached=0, output=1000)


@pytest.mark.parametrize(
    ("model", "input_usd", "cached_usd", "output_usd"),
    [
        ("gpt-6-luna", "0.05", "0.005", "0.25"),
        ("gpt-6.1-terra", "0.5", "0.025", "2.5"),
        ("gpt-5.4", "1.25", "0.13", "7.5"),
        ("gpt-5.4-mini", "0.375", "0.0375", "2.25"),
        ("gpt-5-nano", "0.025", "0.0025", "0.2"),
    ],
)
def test_batch_prices_are_those_of_the_facts(model: str, input_usd: str, cached_usd: str, output_usd: str) -> None:
    """1,000 tokens of each kind cost what the vendor's batch price list says."""
    prices = BatchPrices({})

    costs = [
        prices.cost(model, usage) for usage in (Usage(input=1000), Usage(input=1000, cached=1000), Usage(output=1000))
    ]

    assert [int(Decimal(usd) * 1_000_000) for usd in (input_usd, cached_usd, output_usd)] == costs


def test_cached_input_is_a_part_of_input() -> None:
    """Cached tokens are taken out of the input before both are priced."""
    cost = BatchPrices({}).cost("gpt-6-luna", Usage(input=1000, cached=400, output=100))

    assert cost == 600 * 50 + 400 * 5 + 100 * 250


def test_a_dated_snapshot_has_its_models_price() -> None:
    """Vendors answer with the resolved snapshot's name."""
    prices = BatchPrices({})

    assert prices.cost("gpt-5.4-mini", THOUSAND_EACH) == prices.cost("gpt-5.4-mini-2026-03-17", THOUSAND_EACH)
    assert prices.cost("gpt-5.4-mini-2026-03-17", THOUSAND_EACH) is not None


@pytest.mark.parametrize("model", ["text-embedding-3-small", "a-model-nobody-sells", ""])
def test_no_batch_price_is_no_price(model: str) -> None:
    """Where the package falls back to the standard price, or knows nothing, the cost is unknown."""
    assert BatchPrices({}).cost(model, THOUSAND_EACH) is None


@pytest.mark.parametrize("model", ["gpt-4.1-mini", "gpt-4o-mini", "o3"])
def test_without_a_cached_batch_price_cached_input_costs_full_input(model: str) -> None:
    """Older models have no cached rate in batch; the package's standard cached rate is not taken for one."""
    prices = BatchPrices({})

    assert prices.cost(model, Usage(input=1000)) == prices.cost(model, Usage(input=1000, cached=1000))


@pytest.mark.parametrize("tokens", [1, 271_999, 272_000, 272_001, 900_000])
@pytest.mark.parametrize("model", ["gpt-6.1-terra", "gpt-5.4", "gpt-6-luna"])
def test_long_prompts_cost_what_the_package_says(model: str, tokens: int) -> None:
    """Rates that are looked up once give the package's own price on both sides of the threshold."""
    context = {"processing": "batch"}
    reported = PackageUsage(input_tokens=tokens, cache_read_tokens=tokens // 2, output_tokens=77)

    cost = BatchPrices({}).cost(model, Usage(input=tokens, cached=tokens // 2, output=77))

    package = calc_price(reported, model, provider_id="openai", price_context=context).total_price
    assert int((package * 1_000_000_000).to_integral_value()) == cost


def test_many_small_prompts_are_never_priced_as_a_long_one() -> None:
    """Lines priced one by one stay below the long-prompt tier that their sum would reach."""
    prices = BatchPrices({})

    costs = [prices.cost("gpt-6.1-terra", Usage(input=1000)) for _ in range(1000)]

    assert sum(cost or 0 for cost in costs) == 500_000_000


def test_an_override_wins_and_serves_its_snapshots() -> None:
    """The config's price counts before the package's, for dated snapshots of the model too."""
    prices = BatchPrices({"gpt-6-luna": PriceOverride(Decimal(1), Decimal(3), cached_input=Decimal("0.5"))})

    cost = prices.cost("gpt-6-luna-2026-09-29", Usage(input=10, cached=4, output=2))

    assert cost == 6 * 1000 + 4 * 500 + 2 * 3000


def test_an_override_without_a_cached_price_gives_no_discount() -> None:
    """Cached input costs what input costs unless the config says otherwise."""
    prices = BatchPrices({"house-model": PriceOverride(Decimal("0.0015"), Decimal(0))})

    assert prices.cost("house-model", Usage(input=1000, cached=1000, output=9)) == 1500


def test_fractions_of_a_billionth_are_rounded_to_even() -> None:
    """Costs are whole billionths: 2.5 becomes 2, 7.5 becomes 8."""
    prices = BatchPrices({"m": PriceOverride(Decimal("0.0025"), Decimal(0))})

    assert [prices.cost("m", Usage(input=tokens)) for tokens in (1, 3)] == [2, 8]
