"""What compression saved, wherever it is shown: in tokens and USD, with how it was reckoned."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World, price_book
from tests.unit.console.test_logs_page import text_of
from tests.unit.console.test_my_usage_page import signed_in
from tests.unit.console.test_team_page import TOKENS, USD, cost

from tidegate.core.model import Cost, TokenCounts, ToolSaving

pytestmark = pytest.mark.slow

SAVED: dict[str, Any] = {
    "compression": "lossless",
    "compression_version": 1,
    "tool_savings": (ToolSaving("read", 2, 5_000, 4_000), ToolSaving("shell", 1, 100, 100)),
    "saved_tokens_new": 100,
    "saved_tokens_again": 900,
    "saved_nano": USD // 2,
}


def tile(page: str) -> str:
    found = re.search(
        r'<div class="tg-metric tg-metric-saved">(.*?)<div class="tg-chart-head">', page, re.S
    )
    assert found
    return found[1]


def test_a_tile_says_what_was_saved_and_how_that_is_reckoned(
    world: World, owner: TestClient
) -> None:
    aiko = world.enroll("aiko@brightwater.dev")
    world.use(aiko, TOKENS, cost(2), **SAVED)
    world.use(aiko, TOKENS, cost(2), **(SAVED | {"saved_nano": USD // 4}), days_ago=31)
    shown = tile(owner.get("/").text)
    assert f'<data value="{USD // 2}" title="$0.50">$0.50</data>' in shown
    assert "up 100 % from $0.25" in text_of(shown)
    assert "1,000 tokens" in text_of(shown)
    assert "at the rate of a cache read" in shown
    assert "Of what it would have cost 20 %" in text_of(shown)
    assert re.search(r'<details class="tg-how".*<summary', shown, re.S)  # keys open it
    [rows] = set(
        re.findall(r'href="(/logs\?[^"]*billing=api[^"]*)"', shown.partition("tg-metric-note")[0])
    )
    linked = owner.get(rows.replace("&amp;", "&").replace("/logs?", "/logs/totals?")).text
    assert "saved $0.50 (20 %)" in text_of(linked)


def test_nothing_saved_is_a_dash(world: World, owner: TestClient) -> None:
    world.use(world.enroll("aiko@brightwater.dev"), TOKENS, cost(2))
    page = owner.get("/").text
    assert "nothing was compressed" in tile(page)
    assert "$0.00" not in tile(page)
    assert "tg-member-saved" not in page


def test_cards_and_tables_say_it(world: World, owner: TestClient) -> None:
    aiko = world.enroll("aiko@brightwater.dev")
    world.use(aiko, TOKENS, cost(2), repository="github.com/acme/app", **SAVED)
    page = text_of(owner.get("/").text)
    assert page.count("Saved $0.50 (20 %)") == 2  # the member's card and the repository's
    assert re.search(
        r"aiko@brightwater.dev .* \$2.00 1,234 1 \$0.50", text_of(owner.get("/?view=table").text)
    )
    assert "$2.00 1,234 1 $0.50" in text_of(owner.get("/?chart=table").text)


def test_savings_on_subscriptions_are_apart(world: World, owner: TestClient) -> None:
    aiko = world.enroll("aiko@brightwater.dev")
    world.use(aiko, TOKENS, cost(2), billing="subscription", **SAVED)
    assert "Saved $0.50 (20 %) at list price" in text_of(owner.get("/").text)
    world.use(aiko, TOKENS, cost(2), **(SAVED | {"saved_nano": USD}))
    page = owner.get("/").text
    assert "Saved $1.00 (33 %) \N{MIDDLE DOT} $0.50 on subscription" in text_of(page)
    assert f'<data value="{USD}"' in tile(page)


def test_tokens_without_a_price_are_told_as_tokens(world: World, owner: TestClient) -> None:
    aiko = world.enroll("aiko@brightwater.dev")
    world.use(aiko, TOKENS, cost(2), price_unknown=True, **(SAVED | {"saved_nano": 0}))
    assert "Saved 1,000 tokens" in text_of(owner.get("/").text)


def test_my_usage_says_ones_own(world: World, client: TestClient) -> None:
    aiko, tomas = world.enroll("aiko@brightwater.dev"), world.enroll("tomas@brightwater.dev")
    world.use(aiko, TOKENS, cost(2), **SAVED)
    world.use(tomas, TOKENS, cost(2), **(SAVED | {"saved_nano": 7 * USD}))
    page = signed_in(world, client, aiko.member_id).get("/my-usage").text
    assert '<data value="500000000" title="$0.50">$0.50</data>' in tile(page)
    assert "$2.00 1,234 1 $0.50 Total $2.00 1,234 1 $0.50" in text_of(page)
    assert "7.00" not in page


def test_the_detail_writes_the_saving_out(world: World, owner: TestClient) -> None:
    tokens = TokenCounts(input=10, cache_write_5m=1_000, cache_read=20_000, output=100)
    price = Cost(input=30_000, cache_write_5m=3_750_000, cache_read=6_000_000, output=1_500_000)
    found = world.services.request_log  # rates: 3, 3.75 and 0.30 USD per million
    [event_id] = world.use(
        world.enroll("aiko@brightwater.dev"),
        tokens,
        price,
        model="claude-sonnet-4-5",
        price_version=version(world),
        **(SAVED | {"saved_nano": 375_000 + 270_000, "compression_faults": 2}),
    )
    assert found.detail(world.organization_id, event_id).rates_known
    page = text_of(owner.get(f"/logs/{event_id}").text)
    assert "1,000 tokens not sent of 3 tool results. Saved $0.0006." in page
    assert "Reading files 2 5,000 4,000 20 %" in page
    assert "Commands 1 100 100 -" in page
    assert "Total 3 5,100 4,100 20 %" in page
    assert "New \N{MIDDLE DOT} cache write 5 min 100 x $3.75 = $0.000375" in page
    assert "Again \N{MIDDLE DOT} cache read 900 x $0.30 = $0.000270" in page
    assert "Saved $0.000645" in page
    assert "Level lossless, engine version 1. 2 results went out as they came" in page
    assert "tool_savings.read 2 results, 5000 to 4000 tokens" in page


def test_why_nothing_was_saved_is_told(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    nothing: dict[str, Any] = {"saved_tokens_new": 0, "saved_tokens_again": 0, "saved_nano": 0}
    for level, more, told in (
        ("off", {"tool_savings": ()}, "compression was off for this session"),
        ("holdout", {"tool_savings": ()}, "this session was left out by chance"),
        ("lossless", {"tool_savings": ()}, "There were no tool results."),
        ("lossless", {}, "Nothing was to be saved in 3 tool results."),
    ):
        [event_id] = world.use(
            key, TOKENS, cost(1), **(SAVED | nothing | {"compression": level} | more)
        )
        assert told in text_of(owner.get(f"/logs/{event_id}").text)
    [event_id] = world.use(key, TOKENS, cost(1))
    assert "Compression of tool results" not in owner.get(f"/logs/{event_id}").text


def test_a_saving_whose_rates_are_gone_stays(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    [event_id] = world.use(key, TOKENS, cost(1), price_version="long ago", **SAVED)
    page = text_of(owner.get(f"/logs/{event_id}").text)
    assert "Saved $0.5000" in page
    assert "The rates that it was reckoned with are not here any more." in page


def version(world: World) -> str:
    """The price version of today, as a request would have it."""
    quote = price_book().quote("anthropic", "claude-sonnet-4-5", "", "", "", "")
    return quote.at(world.now_us).price_version
