"""Savings are never negative, add up, and never exceed what the tokens could have cost."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.model import TokenCounts, Usage
from tidegate.core.price_book import Rates
from tidegate.core.savings import parts, saving

COUNT = st.integers(0, 3_000_000)
TOKENS = st.builds(TokenCounts, COUNT, COUNT, COUNT, COUNT, COUNT)
USAGES = st.builds(Usage, TOKENS)
RATE = st.integers(0, 200_000_000_000)
RATES = st.builds(Rates, RATE, RATE, RATE, RATE, RATE)


@given(COUNT, COUNT, USAGES, RATES)
def test_it_is_what_two_rates_make(new: int, again: int, usage: Usage, rates: Rates) -> None:
    tokens = usage.tokens
    new_rate = (
        rates.cache_write_5m
        if tokens.cache_write_5m
        else rates.cache_write_1h
        if tokens.cache_write_1h
        else rates.input
    )
    again_rate = rates.cache_read if tokens.cache_read else new_rate
    exact = Fraction(new * new_rate + again * again_rate, 1_000_000)
    found = saving(new, again, usage, rates)
    assert found >= 0
    assert abs(found - exact) <= 1  # half a nano-dollar each


@given(COUNT, COUNT, COUNT, USAGES, RATES)
def test_more_saved_tokens_never_save_less(
    new: int, again: int, more: int, usage: Usage, rates: Rates
) -> None:
    least = saving(new, again, usage, rates)
    assert saving(new + more, again, usage, rates) >= least
    assert saving(new, again + more, usage, rates) >= least


@given(st.integers(-(1 << 40), 1 << 40), st.integers(-(1 << 40), 1 << 40), USAGES, RATES)
def test_never_negative(new: int, again: int, usage: Usage, rates: Rates) -> None:
    found = parts(new, again, usage, rates)
    assert sum(part.nano for part in found) == saving(new, again, usage, rates) >= 0
    assert sum(part.tokens for part in found) == max(new, 0) + max(again, 0)
    if usage.tokens.cache_read and new <= 0 < again:
        assert [part.bucket for part in found] == ["cache_read"]
