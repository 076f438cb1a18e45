"""price(): tokens times rates, per bucket, to the nano-dollar."""

import time

import pytest

from tidegate.core.model import Cost, TokenCounts, Usage
from tidegate.core.price_book import (
    Entry,
    ListedModel,
    LongContext,
    PriceBook,
    PriceList,
    PriceSheet,
    Rates,
)
from tidegate.core.pricing import price

BASE = Rates(
    input=3_000_000_000,
    cache_write_5m=3_750_000_000,
    cache_write_1h=6_000_000_000,
    cache_read=300_000_000,
    output=15_000_000_000,
)
LONG = Rates(*(2 * rate for rate in (3 * 10**9, 3_750_000_000, 6 * 10**9, 3 * 10**8, 15 * 10**9)))
ODD = Rates(500_000, 1_500_000, 2_500_000, 499_999, 500_001)


def book_of(**models: Entry) -> PriceBook:
    listed = {name: ListedModel(name, "anthropic", (entry,)) for name, entry in models.items()}
    names = {name: name for name in listed}
    return PriceBook(
        PriceSheet(
            version="v",
            lists={"anthropic": PriceList(listed, names)},
            tables={},
            shared={},
            multipliers=(),
            fallbacks={"claude": ("anthropic", "flat"), "gpt": ("anthropic", "flat")},
            agent_models=(),
            hosts=(),
        )
    )


BOOK = book_of(
    flat=Entry(0, BASE, web_search_nusd=10_000_000),
    tiered=Entry(0, BASE, (LongContext(100, LONG), LongContext(1000, BASE))),
    odd=Entry(0, ODD),
)


def cost(model: str, usage: Usage) -> Cost:
    return price(BOOK, provider="anthropic", model=model, usage=usage, at_us=0).cost


def test_each_bucket_has_its_own_rate() -> None:
    usage = Usage(TokenCounts(1, 1, 1, 1, 1))
    assert cost("flat", usage) == Cost(3000, 3750, 6000, 300, 15000)


def test_reasoning_costs_nothing_by_itself() -> None:
    assert cost("flat", Usage(TokenCounts(output=10, reasoning=9))) == Cost(output=150_000)


def test_web_searches_are_extras() -> None:
    assert cost("flat", Usage(web_searches=3)) == Cost(extras=30_000_000)


@pytest.mark.parametrize(
    "counts",
    [
        {"input": 101},
        {"cache_write_5m": 101},
        {"cache_write_1h": 101},
        {"cache_read": 101},
        {"input": 26, "cache_write_5m": 25, "cache_write_1h": 25, "cache_read": 25},
    ],
)
def test_long_context_counts_every_prompt_token_and_reprices_the_whole_request(
    counts: dict[str, int],
) -> None:
    tokens = TokenCounts(**counts, output=1)
    assert cost("tiered", Usage(tokens)).total == 2 * cost("flat", Usage(tokens)).total


def test_output_does_not_make_a_context_long() -> None:
    tokens = TokenCounts(input=100, output=5000)
    assert cost("tiered", Usage(tokens)) == cost("flat", Usage(tokens))


def test_the_highest_tier_that_is_passed_applies() -> None:
    tokens = TokenCounts(input=1001)
    assert cost("tiered", Usage(tokens)) == cost("flat", Usage(tokens))


def test_buckets_round_half_even_each() -> None:
    # 0.5, 1.5, 2.5, 0.499999 and 0.500001 nUSD
    assert cost("odd", Usage(TokenCounts(1, 1, 1, 1, 1))) == Cost(0, 2, 2, 0, 1)


def test_unknown_is_flagged_and_never_free() -> None:
    priced = price(BOOK, provider="openai", model="x", usage=Usage(TokenCounts(output=1)), at_us=0)
    assert (priced.price_unknown, priced.cost.total) == (True, 15_000)


def test_pricing_takes_less_than_10_us_of_cpu() -> None:
    usage = Usage(TokenCounts(120, 2000, 500, 3000, 40), web_searches=1)
    fastest_s = 1.0
    for _ in range(5):
        begin_s = time.process_time()
        for _ in range(2_000):
            price(BOOK, provider="anthropic", model="flat", usage=usage, at_us=10**15)
        fastest_s = min(fastest_s, (time.process_time() - begin_s) / 2_000)
    assert fastest_s < 10e-6
