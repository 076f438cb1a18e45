"""Which list a bare name means, when the list of its provider does not have it."""

import pytest

from tidegate.core.price_book import Entry, ListedModel, PriceList, Rates
from tidegate.services.price_compiler import shared_names


def lists(*offers: tuple[str, str, int]) -> dict[str, PriceList]:
    """Return lists from (list, name, rate)."""
    made: dict[str, PriceList] = {}
    for list_name, name, rate in offers:
        prices = made.setdefault(list_name, PriceList({}, {}))
        entry = Entry(0, Rates(rate, rate, rate, rate, rate))
        prices.models[name] = ListedModel(name, list_name, (entry,))
        prices.names[name] = name
    return made


@pytest.mark.parametrize(
    ("offers", "expected"),
    [
        ([("groq", "m", 5)], "groq"),
        ([("groq", "m", 5), ("together", "m", 6)], None),  # two prices: not guessed
        ([("groq", "m", 5), ("together", "m", 5)], "groq"),  # they agree
        ([("groq", "m", 5), ("deepseek", "m", 6)], "deepseek"),  # who makes it comes first
        ([("mistral", "m", 5), ("deepseek", "m", 6)], None),
        ([("openrouter", "m", 0)], None),  # a free offer there is not free here
        ([("openrouter", "m", 0), ("deepseek", "m", 6)], "deepseek"),
    ],
)
def test_shared_names(offers: list[tuple[str, str, int]], expected: str | None) -> None:
    assert shared_names(lists(*offers)).get("m") == expected
