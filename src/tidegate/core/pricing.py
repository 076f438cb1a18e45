"""List prices and the cost of a request. Integers only: sums are exact."""

from typing import Final

import msgspec

from tidegate.core.model import Cost, Usage
from tidegate.core.price_book import PriceBook, Rates, Step, half_even

__all__ = ["TOKENS_PER_MTOK", "Applied", "PriceBook", "Priced", "applied", "price", "token_cost"]

TOKENS_PER_MTOK: Final = 1_000_000


class Priced(msgspec.Struct, frozen=True):
    """What a request cost, and by which price.

    `price_unknown` is set when the model is in no price list and a fallback had to stand in, or
    when the credential names a price table that does not exist: the cost is then a guess.
    """

    cost: Cost
    price_version: str
    price_unknown: bool


class Applied(msgspec.Struct, frozen=True):
    """The rates of a request, per million tokens, and what a web search costs, in nUSD."""

    rates: Rates
    web_search_nusd: int
    price_version: str


def price(
    book: PriceBook,
    *,
    provider: str,
    model: str,
    usage: Usage,
    at_us: int,
    price_table: str = "",
) -> Priced:
    """Return the cost of a request in nUSD (1 USD = 1e9 nUSD), each bucket rounded half-even once.

    `at_us` is when the request was made, `price_table` what its credential says. Reasoning tokens
    are part of the output and cost nothing by themselves. The error is at most 0.5 nUSD a bucket.
    """
    quote = book.quote(provider, model, price_table, usage.service_tier, usage.speed, usage.region)
    step = quote.at(at_us)
    tokens = usage.tokens
    rates = _rates(step, tokens.prompt)
    return Priced(
        Cost(
            input=token_cost(tokens.input, rates.input),
            cache_write_5m=token_cost(tokens.cache_write_5m, rates.cache_write_5m),
            cache_write_1h=token_cost(tokens.cache_write_1h, rates.cache_write_1h),
            cache_read=token_cost(tokens.cache_read, rates.cache_read),
            output=token_cost(tokens.output, rates.output),
            extras=usage.web_searches * step.web_search_nusd,
        ),
        step.price_version,
        quote.unknown,
    )


def applied(
    book: PriceBook,
    *,
    provider: str,
    model: str,
    usage: Usage,
    at_us: int,
    price_table: str = "",
) -> Applied:
    """Return the rates that `price` multiplies with, to write its arithmetic out."""
    quote = book.quote(provider, model, price_table, usage.service_tier, usage.speed, usage.region)
    step = quote.at(at_us)
    rates = _rates(step, usage.tokens.prompt)
    return Applied(rates, step.web_search_nusd, step.price_version)


def _rates(step: Step, prompt_tokens: int) -> Rates:
    """Long context is priced by the whole prompt and applies to the whole request."""
    rates = step.rates
    for tier in step.long_context:
        if prompt_tokens > tier.above_tokens:
            rates = tier.rates
    return rates


def token_cost(tokens: int, rate: int) -> int:
    """Return tokens times a rate in nUSD, rounded half-even."""
    return half_even(tokens * rate, TOKENS_PER_MTOK) if tokens else 0
