"""PriceBook: which price a request finds, on a sheet small enough to see through."""

import msgspec
import pytest

from tidegate.core.price_book import (
    DAY_US,
    ONE,
    Entry,
    ListedModel,
    LongContext,
    Multiplier,
    PriceBook,
    PriceList,
    PriceSheet,
    Quote,
    Rates,
    half_even,
    mode_of,
    since,
    spliced,
)


def entry(input_rate: int, since_us: int = 0, daily_from_us: int = 0) -> Entry:
    rates = Rates(input_rate, input_rate, input_rate, input_rate, input_rate)
    return Entry(since_us, rates, daily_from_us=daily_from_us)


def model(name: str, provider: str, *entries: Entry, **modes: tuple[Entry, ...]) -> ListedModel:
    return ListedModel(name, provider, entries, modes)


def price_list(*models: ListedModel, **settings: object) -> PriceList:
    by_id = {each.model_id: each for each in models}
    listed = PriceList(by_id, {name: name for name in by_id})
    return msgspec.structs.replace(listed, **settings)


SHEET = PriceSheet(
    version="v",
    lists={
        "": price_list(model("added", "", entry(9))),
        "anthropic": price_list(
            model("claude-a", "anthropic", entry(10), entry(20, 100)),
            model("claude-top", "anthropic", entry(90)),
        ),
        "openai": price_list(
            model("gpt-a", "openai", entry(30), flex=(entry(13, 50),)),
            model("gpt-top", "openai", entry(80)),
        ),
        "deepseek": price_list(model("chat", "deepseek", entry(3), entry(6, 0, DAY_US // 2))),
        "groq": price_list(model("llama", "groq", entry(4)), model("chat", "groq", entry(5))),
    },
    tables={
        "own": price_list(model("mine", "own", entry(0)), fallback="mine"),
        "eu": price_list(factor=1_100_000),
    },
    shared={"llama": "groq"},
    multipliers=(
        Multiplier("openai", "flex", "", (), 0, 500_000),
        Multiplier("anthropic", "fast", "", (), 0, 2 * ONE),
        Multiplier("anthropic", "fast", "", ("claude-top",), 0, 1_500_000),
        Multiplier("anthropic", "", "us", (), 50, 1_100_000),
        Multiplier("openai", "flex", "", ("gpt-top",), 70, 700_000, overrides=True),
    ),
    fallbacks={"claude": ("anthropic", "claude-top"), "gpt": ("openai", "gpt-top")},
    agent_models=(),
    hosts=(),
)


def quote(
    name: str, provider: str = "openai", *, table: str = "", tier: str = "", region: str = ""
) -> Quote:
    return PriceBook(SHEET).quote(provider, name, table, tier, "", region)


def rate(found: Quote, at_us: int = 10) -> int:
    return found.at(at_us).rates.input


@pytest.mark.parametrize(
    ("name", "provider", "expected"),
    [
        ("gpt-a", "openai", 30),
        ("GPT-A-2026-01-31", "openai", 30),
        ("gpt-a-latest", "openai", 30),
        ("claude-a[1m]", "anthropic", 10),
        ("claude-a", "openai", 10),  # through an OpenAI-compatible service
        ("added", "anthropic", 9),
        ("deepseek/chat", "openai", 3),
        ("anthropic/claude-a", "openai", 10),
        ("llama", "openai", 4),  # one list alone has it
        ("llama-20260131", "openai", 4),
    ],
)
def test_known_names(name: str, provider: str, expected: int) -> None:
    found = quote(name, provider)
    assert (rate(found), found.unknown) == (expected, False)


@pytest.mark.parametrize(
    ("name", "provider", "expected"),
    [
        ("claude-a-turbo", "anthropic", 90),  # a prefix is not enough
        ("claude-9", "openai", 90),
        ("gpt-9", "anthropic", 80),
        ("chat", "openai", 80),  # two lists have it at two prices
        ("deepseek/gone", "openai", 80),
        ("", "anthropic", 90),
    ],
)
def test_unknown_names_cost_the_fallback_of_their_family(
    name: str, provider: str, expected: int
) -> None:
    found = quote(name, provider)
    assert (rate(found), found.unknown) == (expected, True)


@pytest.mark.parametrize(
    ("name", "table", "expected", "unknown"),
    [
        ("mine", "own", 0, False),  # a price of zero that was written is known
        ("gpt-a", "own", 30, False),  # not in the table: list price
        ("gpt-9", "own", 0, True),  # the table's own fallback
        ("gpt-a", "eu", 33, False),  # list price times the table's factor
        ("gpt-9", "eu", 88, True),
        ("chat", "groq", 5, False),  # a provider's list serves as a table
        ("gpt-a", "groq", 30, True),  # but this model is not on it
        ("gpt-a", "gone", 30, True),  # a table that does not exist
    ],
)
def test_price_table(name: str, table: str, expected: int, unknown: bool) -> None:
    found = quote(name, table=table)
    assert (rate(found), found.unknown) == (expected, unknown)


@pytest.mark.parametrize(("at_us", "expected"), [(-5, 10), (0, 10), (99, 10), (100, 20)])
def test_prices_are_dated(at_us: int, expected: int) -> None:
    assert rate(quote("claude-a", "anthropic"), at_us) == expected


@pytest.mark.parametrize(
    ("at_us", "expected"), [(0, 3), (DAY_US // 2 - 1, 3), (DAY_US // 2, 6), (DAY_US, 3)]
)
def test_prices_by_the_time_of_day(at_us: int, expected: int) -> None:
    assert rate(quote("deepseek/chat"), at_us) == expected


@pytest.mark.parametrize(
    ("name", "tier", "at_us", "expected"),
    [
        ("gpt-a", "", 60, 30),
        ("gpt-a", "default", 60, 30),
        ("gpt-a", "scale", 60, 30),  # nobody has a price for it
        ("gpt-a", "flex", 49, 15),  # by factor, before the list had a price
        ("gpt-a", "flex", 50, 13),  # listed
        ("gpt-top", "flex", 69, 40),
        ("gpt-top", "flex", 70, 56),  # the override file's factor wins
    ],
)
def test_service_tiers(name: str, tier: str, at_us: int, expected: int) -> None:
    assert rate(quote(name, tier=tier), at_us) == expected


def test_a_factor_for_named_models_wins() -> None:
    book = PriceBook(SHEET)
    assert rate(book.quote("anthropic", "claude-a", "", "", "fast", "")) == 20
    assert rate(book.quote("anthropic", "claude-top", "", "", "fast", "")) == 135


@pytest.mark.parametrize(("at_us", "expected"), [(49, 10), (50, 11), (100, 22)])
def test_region_factor_begins_at_its_date_and_follows_price_changes(
    at_us: int, expected: int
) -> None:
    assert rate(quote("claude-a", "anthropic", region="us"), at_us) == expected
    assert rate(quote("claude-a", "anthropic", region="global"), at_us) in {10, 20}


@pytest.mark.parametrize(
    ("since_us", "expected"), [(80, [10, 10, 11, 30, 60]), (20, [10, 30, 30, 30, 60])]
)
def test_own_region_factor_replaces_the_built_in_one(since_us: int, expected: list[int]) -> None:
    own = Multiplier("anthropic", "", "us", (), since_us, 3 * ONE, overrides=True)
    sheet = msgspec.structs.replace(SHEET, multipliers=(*SHEET.multipliers, own))
    found = PriceBook(sheet).quote("anthropic", "claude-a", "", "", "", "us")
    assert [rate(found, at_us) for at_us in (19, 49, 79, 80, 100)] == expected


def test_price_version_names_the_entry() -> None:
    later = model("claude-b", "anthropic", entry(1), entry(2, 3 * DAY_US))
    sheet = msgspec.structs.replace(SHEET, lists={"anthropic": price_list(later)})
    found = PriceBook(sheet).quote("anthropic", "claude-b", "", "", "", "")
    assert found.at(0).price_version == "v@list"
    assert found.at(3 * DAY_US).price_version == "v@1970-01-04"


def test_answers_are_remembered_and_bounded() -> None:
    book = PriceBook(SHEET)
    first = book.quote("openai", "gpt-a", "", "", "", "")
    assert book.quote("openai", "gpt-a", "", "", "", "") is first
    for number in range(5_000):
        book.quote("openai", f"strange-{number}", "", "", "", "")
    assert len(book._quotes) <= 2_048
    huge = "x" * 100_000
    assert book.quote("openai", huge, "", "", "", "").unknown
    assert all(huge not in key for key in book._quotes)


def test_known() -> None:
    book = PriceBook(SHEET)
    assert book.known("openai", "GPT-A") is SHEET.lists["openai"].models["gpt-a"]
    assert book.known("openai", "gpt-9") is None
    assert book.known("openai", "mine", "own") is SHEET.tables["own"].models["mine"]


def test_sheet_survives_its_stored_form() -> None:
    stored = msgspec.msgpack.encode(SHEET)
    assert msgspec.msgpack.decode(stored, type=PriceSheet) == SHEET


@pytest.mark.parametrize(
    ("numerator", "expected"), [(0, 0), (4, 0), (5, 0), (6, 1), (14, 1), (15, 2), (25, 2), (26, 3)]
)
def test_half_even(numerator: int, expected: int) -> None:
    assert half_even(numerator, 10) == expected


@pytest.mark.parametrize(
    ("tier", "speed", "expected"),
    [
        ("", "", ""),
        ("standard", "standard", ""),
        ("Priority", "", "priority"),
        ("standard", "fast", "fast"),
        ("batch", "", "batch"),
    ],
)
def test_mode_of(tier: str, speed: str, expected: str) -> None:
    assert mode_of(tier, speed) == expected


def test_splicing_and_cutting() -> None:
    entries = (entry(1), entry(2, 10), entry(3, 20))
    assert spliced(entries, [entry(7, 15)]) == (entry(1), entry(2, 10), entry(7, 15))
    assert spliced(entries, []) == entries
    assert since(entries, 15) == (entry(2, 15), entry(3, 20))
    assert since(entries, 10) == (entry(2, 10), entry(3, 20))
    assert since([entry(5, 30)], 15) == (entry(5, 30),)


def test_scaling_keeps_web_searches_and_reaches_long_context() -> None:
    one = Rates(10, 20, 30, 40, 50)
    before = Entry(7, one, (LongContext(100, one),), web_search_nusd=9)
    doubled = Rates(20, 40, 60, 80, 100)
    assert before.scaled(2 * ONE) == Entry(7, doubled, (LongContext(100, doubled),), 9)
