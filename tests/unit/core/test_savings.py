"""saving(): the tokens not sent, at the rates that the request itself was billed at."""

import pytest
from tests.unit.core.test_pricing import BASE, BOOK, LONG, ODD

from tidegate.core.model import TokenCounts, ToolSaving, Usage
from tidegate.core.pricing import applied
from tidegate.core.savings import SavingPart, added_up, parts, saving

FRESH = Usage(TokenCounts(input=10))
WRITES = Usage(TokenCounts(input=3, cache_write_5m=500))
WRITES_1H = Usage(TokenCounts(input=3, cache_write_1h=500))
WRITES_BOTH = Usage(TokenCounts(cache_write_5m=500, cache_write_1h=9000))
READS = Usage(TokenCounts(input=50, cache_read=9000))
READS_AND_WRITES = Usage(TokenCounts(input=3, cache_write_5m=500, cache_read=9000))


@pytest.mark.parametrize(
    ("new", "again", "usage", "nano"),
    [
        (0, 0, READS_AND_WRITES, 0),
        (100, 0, FRESH, 300_000),  # 100 x 3 USD/Mtok
        (0, 100, FRESH, 300_000),  # nothing was read from the cache: sent in full again
        (100, 0, WRITES, 375_000),  # 3.75
        (100, 0, WRITES_1H, 600_000),  # 6
        (100, 0, WRITES_BOTH, 375_000),  # the lower one
        (100, 1000, READS, 300_000 + 300_000),  # 3, and 1000 x 0.30
        (100, 1000, READS_AND_WRITES, 375_000 + 300_000),
        (0, 1000, WRITES, 3_750_000),  # the cache had expired: written anew
        (-5, -5, READS, 0),
    ],
)
def test_by_hand(new: int, again: int, usage: Usage, nano: int) -> None:
    assert saving(new, again, usage, BASE) == nano


def test_rounds_half_even_once_a_bucket() -> None:
    """ODD: 1.5 nUSD a token written for 5 minutes, 0.499999 read."""
    assert saving(1, 0, WRITES, ODD) == 2  # 1.5
    assert saving(3, 0, WRITES, ODD) == 4  # 4.5
    assert saving(3, 1, READS_AND_WRITES, ODD) == 4 + 0


def test_no_price_no_money() -> None:
    assert saving(100, 100, READS, None) == 0
    assert parts(100, 100, READS, None) == ()


@pytest.mark.parametrize(("prompt", "rate"), [(100, BASE.input), (101, LONG.input)])
def test_the_tier_is_the_one_of_what_was_sent(prompt: int, rate: int) -> None:
    """Not of the longer prompt that it would have been."""
    usage = Usage(TokenCounts(input=prompt))
    rates = applied(BOOK, provider="anthropic", model="tiered", usage=usage, at_us=0).rates
    assert saving(1_000_000, 0, usage, rates) == rate


def test_the_arithmetic_is_there_to_be_shown() -> None:
    assert parts(100, 1000, READS_AND_WRITES, BASE) == (
        SavingPart(100, "cache_write_5m", 3_750_000_000, 375_000),
        SavingPart(1000, "cache_read", 300_000_000, 300_000),
    )


def test_classes_add_up() -> None:
    savings = (ToolSaving("read", 3, 1000, 700), ToolSaving("shell", 1, 50, 50))
    assert added_up(savings) == (1050, 750)
    assert added_up(()) == (0, 0)
