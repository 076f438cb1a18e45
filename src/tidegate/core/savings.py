"""What compression saved in money: the tokens that were not sent, at the request's own rates.

A result is billed once when it first goes out, and on every later turn as a part of the prompt
that the provider has seen. So there are two kinds of saved tokens, and a rate for each. Where it
is not clear which rate applies, it is the lower one.
"""

from collections.abc import Sequence

import msgspec

from tidegate.core.model import ToolSaving, Usage
from tidegate.core.price_book import Rates
from tidegate.core.pricing import token_cost


class SavingPart(msgspec.Struct, frozen=True):
    """Tokens that were saved in one bucket, and what they would have cost there."""

    tokens: int
    bucket: str  # of TokenCounts
    rate: int  # nUSD per million tokens
    nano: int


def saving(tokens_new: int, tokens_again: int, usage: Usage, rates: Rates | None) -> int:
    """Return the saving of a request in nUSD; 0 where no price is known (`rates` is None)."""
    return sum(part.nano for part in parts(tokens_new, tokens_again, usage, rates))


def parts(
    tokens_new: int, tokens_again: int, usage: Usage, rates: Rates | None
) -> tuple[SavingPart, ...]:
    """Return the arithmetic of `saving`: new tokens, then those of earlier requests.

    `rates` are those that the request itself was priced with, its long context, service tier and
    speed included. Negative counts save nothing.
    """
    if rates is None:
        return ()
    new = new_bucket(usage)
    again = "cache_read" if usage.tokens.cache_read else new
    return tuple(
        _part(tokens, bucket, rates)
        for tokens, bucket in ((tokens_new, new), (tokens_again, again))
        if tokens > 0
    )


def new_bucket(usage: Usage) -> str:
    """How the newest part of the request's prompt was billed.

    With writes of both lengths it is the short one: providers want the long ones first.
    """
    if usage.tokens.cache_write_5m:
        return "cache_write_5m"
    return "cache_write_1h" if usage.tokens.cache_write_1h else "input"


def _part(tokens: int, bucket: str, rates: Rates) -> SavingPart:
    rate: int = getattr(rates, bucket)
    return SavingPart(tokens, bucket, rate, token_cost(tokens, rate))


def added_up(savings: Sequence[ToolSaving]) -> tuple[int, int]:
    """Return the tokens of all classes, before and after."""
    return (
        sum(each.tokens_before for each in savings),
        sum(each.tokens_after for each in savings),
    )
