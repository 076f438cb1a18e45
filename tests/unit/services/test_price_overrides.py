"""The override file: what it can say, and that it is read strictly."""

from datetime import date
from pathlib import Path

import pytest

from tidegate.core.model import TokenCounts, Usage
from tidegate.core.pricing import PriceBook, Priced, price
from tidegate.services.price_additions import start_of_day_us
from tidegate.services.price_book import compile_price_book
from tidegate.services.price_overrides import PriceFileError, read_overrides

pytestmark = pytest.mark.slow

ONE_EACH = TokenCounts(1000, 1000, 1000, 1000, 1000)
AT_US = 1_795_000_000_000_000  # 2026-11-18


def book(toml: str) -> PriceBook:
    return compile_price_book(toml.encode())


def priced(
    of: PriceBook,
    model: str,
    *,
    provider: str = "openai",
    table: str = "",
    tier: str = "",
    tokens: TokenCounts = ONE_EACH,
    at_us: int = AT_US,
) -> Priced:
    usage = Usage(tokens, service_tier=tier)
    return price(of, provider=provider, model=model, usage=usage, at_us=at_us, price_table=table)


def usd_per_mtok(found: Priced) -> list[float]:
    """Return what the five buckets were priced at, for requests of 1000 tokens each."""
    cost = found.cost
    buckets = (cost.input, cost.cache_write_5m, cost.cache_write_1h, cost.cache_read, cost.output)
    return [bucket / 10**6 for bucket in buckets]


def test_all_rates_of_a_model_that_no_list_has() -> None:
    own = book("""
        [[models."gpt-6.2-astra"]]
        input = "8"
        output = 40
        cache_read = 0.4
        cache_write_5m = "10"
        cache_write_1h = "11.5"
        web_search = "25"
    """)
    found = priced(own, "gpt-6.2-astra-2026-11-01")
    assert usd_per_mtok(found) == [8, 10, 11.5, 0.4, 40]
    assert not found.price_unknown
    searched = price(
        own, provider="openai", model="gpt-6.2-astra", usage=Usage(web_searches=2), at_us=AT_US
    )
    assert searched.cost.extras == 50_000_000
    assert usd_per_mtok(priced(own, "gpt-6.2-astra", tier="priority"))[0] == 16


def test_custom_prices_charge_cache_reads_once_and_never_forget_them() -> None:
    """Defects: custom pricing bills cache reads twice; cache cost missing with custom prices."""
    own = book('[[models."qwen-x"]]\ninput = "2"\noutput = "6"\ncache_read = "0.5"\n')
    found = priced(own, "qwen-x", tokens=TokenCounts(input=100, cache_read=900, output=10))
    assert (found.cost.input, found.cost.cache_read) == (200_000, 450_000)
    silent = book('[[models."qwen-x"]]\ninput = "2"\noutput = "6"\n')
    assert usd_per_mtok(priced(silent, "qwen-x")) == [2, 2, 2, 2, 6]


def test_claude_keeps_its_multiples_where_a_rate_is_left_out() -> None:
    own = book('[[models."claude-x"]]\ninput = "4"\noutput = "20"\n')
    assert usd_per_mtok(priced(own, "claude-x")) == [4, 5, 8, 0.4, 20]


def test_a_new_entry_begins_at_its_date_and_the_list_holds_before() -> None:
    own = book("""
        [[models."gpt-5"]]
        from = 2026-12-01
        input = "1"
        output = "8"
        [[models."gpt-5"]]
        from = 2027-01-01
        input = "0.5"
        output = "4"
    """)
    days = [date(2026, 11, 30), date(2026, 12, 1), date(2027, 1, 1)]
    begins = [start_of_day_us(day) for day in days]
    assert [usd_per_mtok(priced(own, "gpt-5", at_us=at))[0] for at in begins] == [1.25, 1, 0.5]
    dated = priced(own, "gpt-5-2025-08-07", at_us=begins[1])
    assert dated.price_version == f"{own.version}@2026-12-01"


def test_tiers_of_an_overridden_model_keep_their_ratio() -> None:
    own = book('[[models."gpt-5.5"]]\nfrom = 2026-11-01\ninput = "4"\noutput = "20"\n')
    assert usd_per_mtok(priced(own, "gpt-5.5", tier="priority"))[0] == 10  # 2.5 times, as listed
    assert usd_per_mtok(priced(own, "gpt-5.5", tier="flex"))[0] == 2
    before_us = 1_792_300_000_000_000  # 2026-10-18: the list's own priority price
    assert usd_per_mtok(priced(own, "gpt-5.5", tier="priority", at_us=before_us))[0] == 12.5


def test_long_context_of_ones_own() -> None:
    own = book("""
        [[models."qwen-x"]]
        input = "1"
        output = "2"
        long_context = [{above = 5000, input = "3", output = "4"}]
    """)
    assert usd_per_mtok(priced(own, "qwen-x"))[0] == 1
    longer = priced(own, "qwen-x", tokens=TokenCounts(input=1000, cache_read=4001))
    assert longer.cost.input == 3_000_000


def test_table_with_prices_factor_and_fallback() -> None:
    own = book("""
        [tables.house]
        multiplier = "0.9"
        fallback = "llama"
        [[tables.house.models."llama"]]
        input = "0"
        output = 0
        [tables.eu]
        multiplier = "1.1"
    """)
    free = priced(own, "llama", table="house")
    assert (free.cost.total, free.price_unknown) == (0, False)
    assert usd_per_mtok(priced(own, "gpt-5", table="house"))[0] == 1.125
    strange = priced(own, "no-such-model", table="house")
    assert (strange.cost.total, strange.price_unknown) == (0, True)
    assert usd_per_mtok(priced(own, "gpt-5", table="eu"))[0] == 1.375
    assert usd_per_mtok(priced(own, "gpt-5"))[0] == 1.25


def test_multipliers() -> None:
    own = book("""
        [[multipliers]]
        provider = "openai"
        mode = "priority"
        models = ["gpt-5-codex", "GPT-9"]
        factor = "3"
        [[models."gpt-9"]]
        input = "2"
        output = "2"
        [[multipliers]]
        provider = "openai"
        region = "eu"
        from = 2026-11-01
        factor = "1.1"
    """)
    assert usd_per_mtok(priced(own, "gpt-5", tier="priority"))[0] == 3.75
    assert usd_per_mtok(priced(own, "gpt-9", tier="priority"))[0] == 6
    assert usd_per_mtok(priced(own, "gpt-5.1", tier="priority"))[0] == 2.5
    usage = Usage(TokenCounts(input=1000), region="eu")
    found = price(own, provider="openai", model="gpt-5", usage=usage, at_us=AT_US)
    assert found.cost.input == 1_375_000


def test_fallback_of_a_family() -> None:
    own = book("""
        [fallback]
        claude = "claude-haiku-4-5"
        gpt = "gpt-next"
        [[models."gpt-next"]]
        input = "7"
        output = "7"
    """)
    claude = priced(own, "claude-next", provider="anthropic")
    assert (usd_per_mtok(claude)[0], claude.price_unknown) == (1, True)
    assert usd_per_mtok(priced(own, "gpt-later"))[0] == 7


def test_version_holds_the_digest_of_the_file() -> None:
    one, other = book("[fallback]\n"), book("[fallback]\n# changed\n")
    plain = compile_price_book()
    assert one.version == book("[fallback]\n").version
    assert len({one.version, other.version, plain.version}) == 3
    assert one.version.startswith(f"{plain.version}+")


GOOD = 'input = "1"\noutput = "2"\n'


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[models\n", "no valid TOML"),
        (f'[[models."x"]]\n{GOOD}cache_read = 1e99999\n', "is not a price"),
        ("[model]\n", "unknown field `model`"),
        ('[[models."x"]]\ninput = "1"\n', 'models."x", entry 1: Object missing .* `output`'),
        (f'[[models."x"]]\n{GOOD}cache_raed = 1\n', "`cache_raed`.* It can have: .*cache_read"),
        (f'[[models."x"]]\n{GOOD}cache_read = "x"\n', "entry 1: cache_read: 'x' is not a price"),
        (f'[[models."x"]]\n{GOOD}cache_read = true\n', "True is not a price"),
        (f'[[models."x"]]\n{GOOD}cache_read = -1\n', "-1 is not a price"),
        (f'[[models."x"]]\n{GOOD}cache_read = nan\n', "is not a price"),
        (f'[[models."x"]]\n{GOOD}cache_read = "1e-10"\n', "at most 9 decimals"),
        (f'[[models."x"]]\n{GOOD}cache_read = 2000000\n', "out of range"),
        (f'[[models."x"]]\n{GOOD}from = "soon"\n', "entry 1: .*date"),
        (f'[[models."x"]]\n{GOOD}from = 2027-01-01T10:00:00Z\n', "entry 1: Expected `date"),
        (f'[[models."x"]]\n{GOOD}[[models."x"]]\n{GOOD}', "two entries begin at the same time"),
        ('[models]\n"x" = []\n', "no entry"),
        (
            f'[[models."x"]]\n{GOOD}long_context = [{{above = 0, input = "1", output = "2"}}]',
            "long_context 1: above must be",
        ),
        ('[tables.a]\nfallback = "x"\n', "tables.a: fallback 'x' is no model of this table"),
        ('[tables.a]\nmultiplier = "-1"\n', "tables.a: multiplier"),
        ("[tables.a]\nfactor = 1\n", "tables.a: .*`factor`"),
        ('[[multipliers]]\nprovider = "openai"\nfactor = 1\n', "number 1: give either mode"),
        (
            '[[multipliers]]\nprovider = "opneai"\nmode = "flex"\nfactor = 1\n',
            "number 1: provider 'opneai' is no price list",
        ),
        (
            '[[multipliers]]\nprovider = "openai"\nmode = "flex"\nfactor = 1\nmodels = ["gpt-7x"]',
            "number 1: model 'gpt-7x' is not in the list 'openai'",
        ),
        (
            '[[multipliers]]\nprovider = "openai"\nmode = "flex"\nfactor = "0.0000001"\n',
            "out of range",
        ),
        (
            '[fallback]\nclaude = "claude-none"\n',
            "fallback.claude: 'claude-none' is in no price list",
        ),
        ('[fallback]\nllama = "x"\n', "'llama' is no family"),
    ],
)
def test_faults_name_the_place_and_the_remedy(toml: str, says: str) -> None:
    with pytest.raises(PriceFileError, match=says):
        book(toml)


def test_not_text() -> None:
    with pytest.raises(PriceFileError, match="no valid TOML"):
        read_overrides(b"\xff")


def test_an_empty_file_changes_nothing_but_the_version() -> None:
    assert usd_per_mtok(priced(book(""), "gpt-5")) == usd_per_mtok(
        priced(compile_price_book(), "gpt-5")
    )


def test_the_documented_example_is_accepted() -> None:
    page = (Path(__file__).parents[3] / "docs" / "prices.md").read_text()
    example = page.split("```toml\n")[1].split("```")[0]
    own = book(example)
    assert usd_per_mtok(priced(own, "gpt-6.2-astra")) == [8, 10, 10, 0.4, 40]
    assert usd_per_mtok(priced(own, "gpt-strange")) == [2, 2.5, 2.5, 0.2, 10]
    assert priced(own, "qwen3-coder", table="house").cost.total == 0
