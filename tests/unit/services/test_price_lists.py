"""Our compiled prices against genai-prices' own calculation, which wants inclusive input."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from genai_prices import Usage as LibraryUsage
from genai_prices import calc_price
from genai_prices.data import providers

from tidegate.core.model import TokenCounts, Usage
from tidegate.core.price_book import ListedModel, PriceList
from tidegate.core.pricing import PriceBook, price
from tidegate.services.price_book import compile_price_book
from tidegate.services.price_lists import read_hosts, read_price_lists

pytestmark = pytest.mark.slow

CONTEXTS = {
    "": {},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"speed": "fast"},
}
TIMES = (
    datetime(2025, 6, 9, 23, 59, 59, tzinfo=UTC),
    datetime(2025, 6, 10, tzinfo=UTC),
    datetime(2026, 3, 12, 2, 30, tzinfo=UTC),
    datetime(2026, 8, 21, 7, 0, tzinfo=UTC),
    datetime(2026, 11, 22, 16, 30, tzinfo=UTC),
    datetime(2026, 11, 22, 4, 0, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return compile_price_book()


def library_total(
    model: ListedModel, tokens: TokenCounts, at: datetime, context: dict[str, str], searches: int
) -> Decimal:
    """Return what the library makes of the same usage, in nUSD, not rounded."""
    usage = LibraryUsage(
        input_tokens=tokens.prompt,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write_5m + tokens.cache_write_1h,
        cache_write_5m_tokens=tokens.cache_write_5m,
        cache_write_1h_tokens=tokens.cache_write_1h,
        output_tokens=tokens.output,
        web_searches=searches,
    )
    calculated = calc_price(
        usage,
        model.model_id,
        provider_id=model.provider,
        genai_request_timestamp=at,
        price_context=context,
    )
    return calculated.total_price * 10**9


def our_total(book: PriceBook, model: ListedModel, at: datetime, usage: Usage) -> int:
    table = "" if model.provider in {"anthropic", "openai"} else model.provider
    return price(
        book,
        provider=model.provider,
        model=model.model_id,
        usage=usage,
        at_us=int(at.timestamp()) * 1_000_000,
        price_table=table,
    ).cost.total


def comparable_models(book: PriceBook) -> Iterator[ListedModel]:
    """Yield models whose own id means them in the library too."""
    for provider in providers:
        prices = book.sheet.lists.get(provider.id, PriceList())
        for each in provider.models:
            listed = prices.models.get(each.id.lower())
            if listed is not None and provider.find_model(each.id) is each:
                yield listed


def lists_all_buckets(model: ListedModel) -> bool:
    """Tell models of whose cache prices Anthropic's list has each."""
    return model.provider == "anthropic" and not model.model_id.startswith(("claude-2", "claude-v"))


def random_tokens(model: ListedModel, chance: random.Random) -> TokenCounts:
    """Return thousands of tokens: at prices of at most six decimals nothing needs rounding.

    Left out are buckets without a number in the library, where our rule differs on purpose.
    """
    scale = chance.choice((1, 20, 150))
    cached = lists_all_buckets(model) or "claude" not in model.model_id
    return TokenCounts(
        input=1000 * chance.randrange(3 * scale),
        cache_write_5m=1000 * chance.randrange(scale) * cached,
        cache_write_1h=1000 * chance.randrange(scale) * lists_all_buckets(model),
        cache_read=1000 * chance.randrange(scale) * cached,
        output=1000 * chance.randrange(100),
    )


def test_every_model_costs_what_the_library_says(book: PriceBook) -> None:
    chance = random.Random(31)
    compared = 0
    for model in comparable_models(book):
        for mode in ("", *model.modes):
            at = chance.choice(TIMES if not mode else TIMES[-2:])
            tokens = random_tokens(model, chance)
            context = CONTEXTS[mode]
            if mode == "fast" and model.provider == "openai":
                context = {"service_tier": "fast"}
            ours = our_total(book, model, at, Usage(tokens, service_tier=mode))
            theirs = library_total(model, tokens, at, context, 0)
            # Equal, save where a list has endless decimals (a twelfth of a dollar).
            assert abs(ours - theirs) < 1, (model.provider, model.model_id, mode, at, tokens)
            compared += 1
    assert compared > 1_000


def test_each_bucket_is_rounded_half_even(book: PriceBook) -> None:
    chance = random.Random(77)
    models = [each for each in comparable_models(book) if lists_all_buckets(each)]
    for model in models:
        for bucket in ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output"):
            tokens = TokenCounts(**{bucket: chance.randrange(1, 400_000)})
            theirs = library_total(model, tokens, TIMES[-1], {}, 0)
            expected = theirs.to_integral_value(ROUND_HALF_EVEN)
            assert our_total(book, model, TIMES[-1], Usage(tokens)) == expected, model.model_id


def test_web_searches_cost_what_the_library_says(book: PriceBook) -> None:
    model = book.sheet.lists["openai"].models["gpt-5.5"]
    ours = our_total(book, model, TIMES[-1], Usage(web_searches=7))
    assert ours == library_total(model, TokenCounts(), TIMES[-1], {}, 7) == 70_000_000


def test_only_text_by_the_token_is_listed() -> None:
    lists = read_price_lists()
    openai = lists["openai"].models
    assert "gpt-5.5" in openai
    assert not {"whisper-1", "tts-1", "moderation", "text-embedding-3-small"} & set(openai)
    assert "perplexity" not in lists


def test_no_listed_token_is_free_by_omission() -> None:
    """A missing cache price is filled, so a bucket is free only where input is."""
    for prices in read_price_lists().values():
        for model in prices.models.values():
            for entry in model.entries:
                rates = entry.rates
                if rates.input:
                    assert rates.cache_read + rates.cache_write_5m > 0, model.model_id


def test_every_name_leads_to_a_model() -> None:
    for prices in read_price_lists().values():
        assert set(prices.names.values()) <= set(prices.models)


def test_hosts_name_lists() -> None:
    hosts = {list_name for _, list_name in read_hosts()}
    assert {"anthropic", "openai", "deepseek", "openrouter"} <= hosts
