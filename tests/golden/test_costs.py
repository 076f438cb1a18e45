"""The price of a request in nano-USD, against costs computed by hand in costs.toml."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tidegate.core.model import Cost, TokenCounts, Usage
from tidegate.core.pricing import PriceBook, price
from tidegate.services.price_book import compile_price_book

CASES = tomllib.loads(Path(__file__).with_name("costs.toml").read_text())["case"]
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return compile_price_book()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_cost(book: PriceBook, case: dict[str, Any]) -> None:
    counts = dict(
        zip(TokenCounts.__struct_fields__[:5], case["tokens"], strict=True),
        reasoning=case.get("reasoning", 0),
    )
    modifiers = {
        key: case[key] for key in ("service_tier", "speed", "region", "web_searches") if key in case
    }
    at: datetime = case.get("at", NOW)
    priced = price(
        book,
        provider=case.get("provider", "anthropic"),
        model=case["model"],
        usage=Usage(tokens=TokenCounts(**counts), **modifiers),
        at_us=int(at.timestamp()) * 1_000_000,
    )
    assert priced.cost == Cost(*case["cost"])
    assert priced.price_unknown is case.get("unknown", False)


def test_names_of_token_buckets_are_in_the_order_of_the_file() -> None:
    assert TokenCounts.__struct_fields__[:5] == (
        *("input", "cache_write_5m", "cache_write_1h", "cache_read", "output"),
    )
