"""Cost adds up per bucket, never falls with more tokens, and is never negative."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.model import TokenCounts, Usage
from tidegate.core.price_book import PriceBook, since, spliced
from tidegate.core.pricing import Priced, price
from tidegate.services.price_book import compile_price_book

BOOK = compile_price_book()
BUCKETS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
COUNT = st.integers(0, 3_000_000)
TOKENS = st.builds(TokenCounts, COUNT, COUNT, COUNT, COUNT, COUNT)
MODELS = st.sampled_from(
    ["claude-sonnet-4-5", "claude-haiku-5-5", "gpt-5.5", "gpt-6-astra", "deepseek-v4-pro", "nobody"]
)
MODES = st.sampled_from(["", "batch", "flex", "priority", "standard", "strange"])
AT_US = st.integers(0, 1_900_000_000_000_000)
REGIONS = st.sampled_from(["", "us", "global"])


def cost(
    model: str, tokens: TokenCounts, mode: str = "", region: str = "", at_us: int = 0
) -> Priced:
    usage = Usage(tokens, service_tier=mode, region=region)
    return price(BOOK, provider="openai", model=model, usage=usage, at_us=at_us)


@given(MODELS, TOKENS, MODES, REGIONS, AT_US)
def test_never_negative_and_only_free_without_tokens(
    model: str, tokens: TokenCounts, mode: str, region: str, at_us: int
) -> None:
    priced = cost(model, tokens, mode, region, at_us)
    for bucket in BUCKETS:
        # The cheapest rate of these models is over 1 nUSD a token: half of one is never lost.
        assert (getattr(priced.cost, bucket) > 0) == (getattr(tokens, bucket) > 0)
    assert priced.price_version.startswith(f"{BOOK.version}@")


@given(MODELS, TOKENS, st.sampled_from(BUCKETS), st.integers(1, 500_000), MODES, AT_US)
def test_more_tokens_never_cost_less(
    model: str, tokens: TokenCounts, bucket: str, more: int, mode: str, at_us: int
) -> None:
    grown = msgspec.structs.replace(tokens, **{bucket: getattr(tokens, bucket) + more})
    assert cost(model, grown, mode, at_us=at_us).cost.total > (
        cost(model, tokens, mode, at_us=at_us).cost.total
    )


@given(TOKENS, TOKENS, MODES, AT_US)
def test_costs_add_up_per_bucket(
    one: TokenCounts, other: TokenCounts, mode: str, at_us: int
) -> None:
    """On a model of one tier; each rounding is off by half a nano-dollar at most."""
    both = TokenCounts(*(getattr(one, b) + getattr(other, b) for b in BUCKETS))
    parts = [cost("claude-opus-4-8", tokens, mode, at_us=at_us).cost for tokens in (one, other)]
    whole = cost("claude-opus-4-8", both, mode, at_us=at_us).cost
    for bucket in BUCKETS:
        added = sum(getattr(part, bucket) for part in parts)
        assert abs(getattr(whole, bucket) - added) <= 1


@given(st.text(max_size=30), st.sampled_from(["anthropic", "openai"]), st.text(max_size=8), AT_US)
def test_any_name_has_a_price(name: str, provider: str, table: str, at_us: int) -> None:
    usage = Usage(TokenCounts(1000, 1000, 1000, 1000, 1000))
    priced = price(BOOK, provider=provider, model=name, usage=usage, at_us=at_us, price_table=table)
    assert priced.cost.total > 0


@given(
    st.sampled_from(sorted(BOOK.sheet.lists["anthropic"].models)), st.text(min_size=1, max_size=9)
)
def test_a_prefix_is_never_enough(model_id: str, rest: str) -> None:
    name = f"{model_id}-turbo{rest}"
    known = BOOK.known("anthropic", name)
    assert known is None or known.model_id != model_id


@pytest.mark.parametrize("list_name", ["anthropic", "openai", "deepseek"])
def test_entries_are_in_order(list_name: str) -> None:
    for model in BOOK.sheet.lists[list_name].models.values():
        for entries in (model.entries, *model.modes.values()):
            begins = [(entry.since_us, entry.daily_from_us) for entry in entries]
            assert begins == sorted(set(begins))
        assert model.entries[0].since_us == 0


@given(st.integers(0, 2_000_000_000_000_000), AT_US)
def test_cutting_keeps_what_holds_later(cut_us: int, at_us: int) -> None:
    model = BOOK.sheet.lists["deepseek"].models["deepseek-v4-pro"]
    cut = spliced(model.entries, since(model.entries, cut_us))
    before, after = (
        PriceBook(
            msgspec.structs.replace(
                BOOK.sheet,
                lists={
                    "": msgspec.structs.replace(
                        BOOK.sheet.lists["deepseek"],
                        models={"deepseek-v4-pro": msgspec.structs.replace(model, entries=entries)},
                        names={"m": "deepseek-v4-pro"},
                    )
                },
            )
        )
        .quote("openai", "m", "", "", "", "")
        .at(at_us)
        for entries in (model.entries, cut)
    )
    assert before.rates == after.rates
