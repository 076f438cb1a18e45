"""The Team page: ranks, ranges, chart, tables, pages of members, refresh."""

import re
from itertools import pairwise

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import OpenPage
from tests.browser.walking import focused
from tests.browser.world import World

from tidegate.core.model import Cost, TokenCounts

pytestmark = pytest.mark.browser

TILE = ".tg-metric:has(#tile-1) .tg-metric-figure data"
MEMBER = ".tg-member"
MEDALS = {"#1": "gold", "#2": "silver", "#3": "bronze"}


def figures(page: Page, of: str = ".tg-big data") -> list[int]:
    """The exact values of the members' big figures, in the order of the cards."""
    found = page.locator(MEMBER).locator(of).evaluate_all("all => all.map(one => one.value)")
    return [int(value) for value in found]


def current(page: Page, of: str) -> Locator:
    return page.get_by_role("navigation", name=of).locator("[aria-current]")


def choose_range(page: Page, title: str) -> None:
    page.locator(".tg-range summary").click()
    page.get_by_role("link", name=title).click()


def sort(page: Page, by: str) -> None:
    page.get_by_role("navigation", name="Sort by").get_by_role("link", name=by).click()


def bars(page: Page) -> Locator:
    return page.locator(".tg-chart .tg-bar")


def test_sorting_ranks_everything_anew_and_back_leads_back(
    team_world: World, open_page: OpenPage
) -> None:
    page = open_page(team_world)
    by_cost = figures(page)
    assert by_cost == sorted(by_cost, reverse=True)
    first = page.locator(MEMBER).first.get_by_role("heading").inner_text()

    sort(page, "Requests")
    expect(page).to_have_url(re.compile("sort=requests"))
    expect(page.get_by_role("heading", name="Requests per day")).to_be_visible()
    expect(current(page, "Sort by")).to_have_text("Requests")
    by_requests = figures(page)
    assert by_requests == sorted(by_requests, reverse=True) != by_cost
    expect(page.locator("#tile-3")).to_have_attribute("aria-current", "true")
    repositories = page.locator(".tg-work:not(.tg-work-rest) .tg-middle data")
    shown = [int(v) for v in repositories.evaluate_all("all => all.map(one => one.value)")]
    assert shown == sorted(shown, reverse=True)

    page.reload()
    expect(current(page, "Sort by")).to_have_text("Requests")
    page.go_back()
    expect(page.get_by_role("heading", name="Cost per day")).to_be_visible()
    expect(page.locator(MEMBER).first.get_by_role("heading")).to_have_text(first)


def test_medals_go_to_the_first_three_and_none_to_zero(
    team_world: World, open_page: OpenPage
) -> None:
    page = open_page(team_world)
    medals = page.locator(MEMBER).locator(".tg-rank")
    expect(medals).to_have_text(list(MEDALS))
    for place, kind in zip(medals.all(), MEDALS.values(), strict=True):
        expect(place).to_have_class(re.compile(kind))
    expect(page.locator(".tg-member-first")).to_have_count(1)
    unused = page.get_by_role("article", name="Ben Carter")
    expect(unused).to_contain_text("Never used")
    expect(unused.locator(".tg-rank, .tg-rank-plain")).to_have_count(0)
    on_subscription = page.get_by_role("article", name="Elena Petrova")
    expect(on_subscription).to_contain_text("on subscription")
    expect(on_subscription.locator(".tg-rank, .tg-rank-plain")).to_have_count(0)
    expect(page.get_by_role("article", name="Pieter de Vries")).to_contain_text("Removed")
    expect(page.locator(".tg-pending")).to_have_count(3)


def test_equal_figures_share_a_rank(world: World, open_page: OpenPage) -> None:
    for name, cost in (("ada", 5), ("bo", 5), ("cy", 3)):
        key = world.enroll(f"{name}@brightwater.dev")
        world.use(key, TokenCounts(input=cost), Cost(input=cost * 10**9))
    page = open_page(world)
    expect(page.locator(MEMBER).locator(".tg-rank")).to_have_text(["#1", "#1", "#3"])
    expect(page.locator(MEMBER).first).to_contain_text("Active now")


@pytest.mark.parametrize(
    ("title", "name", "count"),
    [("Last 24 hours", "24h", 24), ("Last 7 days", "7d", 7), ("Last 90 days", "90d", 90)],
)
def test_a_range_redraws_everything(
    team_world: World, open_page: OpenPage, title: str, name: str, count: int
) -> None:
    page = open_page(team_world)
    expect(bars(page)).to_have_count(30)
    before = page.locator(TILE).get_attribute("value")
    choose_range(page, title)
    expect(page).to_have_url(re.compile(f"range={name}"))
    expect(bars(page)).to_have_count(count)
    expect(page.locator(".tg-range summary")).to_have_text(title)
    expect(page.locator(".tg-range")).not_to_have_attribute("open", "")
    after = page.locator(TILE).get_attribute("value")
    assert before != after
    assert after is not None
    everyone = figures(page)
    assert everyone == sorted(everyone, reverse=True)
    assert sum(everyone) == int(after)


def test_days_of_ones_own_and_what_is_wrong_with_them(
    team_world: World, open_page: OpenPage
) -> None:
    open_page.expect("status of 422")
    page = open_page(team_world)
    page.locator(".tg-range summary").click()
    page.get_by_label("From", exact=True).fill("2026-11-02")
    page.get_by_label("To", exact=True).fill("2026-10-30")
    page.get_by_role("button", name="Show these days").click()
    wrong = page.locator(".tg-range [aria-invalid]")
    expect(wrong).to_have_count(1)
    expect(page.locator(".tg-range").get_by_role("alert")).to_be_visible()
    page.get_by_label("To", exact=True).fill("2026-11-08")
    page.get_by_role("button", name="Show these days").click()
    expect(page).to_have_url(re.compile("first=2026-11-02&last=2026-11-08"))
    expect(page.locator(".tg-range summary")).to_contain_text("2")
    expect(bars(page)).to_have_count(56)  # seven days by three hours
    expect(page.locator(".tg-range [aria-invalid]")).to_have_count(0)


def test_a_range_without_use_says_so(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, "/?range=custom&first=2025-01-01&last=2025-01-31")
    expect(page.get_by_text("No requests in this period")).to_be_visible()
    expect(page.get_by_text("No repository activity in this period").first).to_be_visible()
    page.locator(".tg-chart-empty").get_by_role("link", name="the last 90 days").click()
    expect(bars(page)).to_have_count(90)


def test_arrow_keys_lead_from_bar_to_bar(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world)
    bars(page).last.focus()
    last = focused(page)
    tip = page.locator("[data-tip]")
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("18 Nov 2026")
    page.keyboard.press("ArrowLeft")
    assert focused(page) != last
    expect(tip).to_contain_text("17 Nov 2026")
    page.keyboard.press("Home")
    expect(tip).to_contain_text("20 Oct 2026")
    page.keyboard.press("End")
    assert focused(page) == last
    page.keyboard.press("Enter")  # a bar leads to its day
    expect(bars(page)).to_have_count(24)
    page.go_back()
    expect(bars(page)).to_have_count(30)


def test_the_table_is_one_key_away_and_has_the_same_numbers(
    team_world: World, open_page: OpenPage
) -> None:
    page = open_page(team_world)
    total = page.locator(TILE).get_attribute("value")
    page.keyboard.press("t")
    rows = page.locator(".tg-chart-table tbody tr")
    expect(rows).to_have_count(30)
    costs = rows.locator("td:nth-child(2) data").evaluate_all("all => all.map(one => one.value)")
    assert str(sum(map(int, costs))) == total
    page.keyboard.press("t")
    expect(bars(page)).to_have_count(30)


def test_how_savings_are_reckoned_is_one_key_away(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world)
    summary = page.locator("#how-saved > summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("at the rate of a cache read")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(".tg-how-panel a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_text("at the rate of a cache read")).to_be_hidden()
    expect(summary).to_be_focused()


def test_the_members_as_a_table(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world)
    names = page.locator(MEMBER).get_by_role("heading").all_inner_texts()
    page.get_by_role("link", name="Table", exact=True).click()
    expect(page).to_have_url(re.compile("view=table"))
    rows = page.locator(".tg-member-table tbody tr")
    expect(rows).to_have_count(len(names) + 3)
    expect(rows.nth(0)).to_contain_text(names[0])
    expect(rows.nth(0)).to_contain_text("#1")
    sort(page, "Tokens")
    expect(page.get_by_role("heading", name="Tokens per day")).to_be_visible()
    tokens = rows.locator("td:nth-last-child(3) data").evaluate_all("all => all.map(o => +o.value)")
    assert all(more >= less for more, less in pairwise(tokens))


def test_a_member_is_found_by_a_part_of_the_name(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Find a member")).to_be_focused()
    page.keyboard.type("nobody")
    expect(page.locator(MEMBER)).to_have_count(0)
    expect(page.get_by_text("Nobody fits")).to_be_visible()
    page.get_by_role("searchbox").fill("herr")
    expect(page.locator(MEMBER)).to_have_count(1)
    expect(page.locator(MEMBER)).to_contain_text("Tomás Herrera")


def test_a_large_team_comes_in_pages(world: World, open_page: OpenPage) -> None:
    for number in range(60):
        key = world.enroll(f"dev{number:02}@brightwater.dev")
        world.use(key, TokenCounts(input=number + 1), Cost(input=(number + 1) * 10**9))
    page = open_page(world)
    expect(page.locator(MEMBER)).to_have_count(28)
    page.get_by_role("link", name="Next").click()
    expect(page.locator(MEMBER)).to_have_count(28)
    expect(page).to_have_url(re.compile("page=2"))
    page.get_by_role("link", name="Table", exact=True).click()
    expect(page.locator(".tg-member-table")).to_be_visible()


def test_titles_open_github(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world)
    card = page.locator(".tg-work").first.get_by_role("link").first
    name = card.inner_text()
    expect(card).to_have_attribute("href", f"https://github.com/{name}")
    top = page.locator(".tg-ranking-name").first
    expect(top).to_have_attribute("href", re.compile("^https://github.com/brightwater/"))
    expect(top).to_have_attribute("rel", "noopener")


def test_it_renews_itself_and_takes_304_for_an_answer(
    used_world: World, open_page: OpenPage
) -> None:
    page = open_page(used_world)
    before = figures(page)
    with page.expect_response(re.compile("/team/parts"), timeout=30_000) as unchanged:
        pass
    assert unchanged.value.status == 304
    key = used_world.enroll("new@brightwater.dev")
    used_world.use(key, TokenCounts(input=9), Cost(input=10**9), days_ago=1)
    with page.expect_response(re.compile("/team/parts"), timeout=30_000) as changed:
        pass
    assert changed.value.status == 200
    assert len(changed.value.body()) < 400_000
    expect(page.get_by_role("article", name="new@brightwater.dev")).to_be_visible()
    assert sorted([*before, 10**9], reverse=True) == figures(page)


def test_a_server_that_does_not_answer_is_told(used_world: World, open_page: OpenPage) -> None:
    open_page.expect("ERR_FAILED")
    open_page.expect("failed: ")
    page = open_page(used_world)
    page.route("**/team/parts*", lambda route: route.abort())
    sort(page, "Tokens")
    expect(page.locator("[data-live-text]")).to_contain_text("Not updated")
    page.unroute("**/team/parts*")
    page.reload()
    expect(page.get_by_role("heading", name="Tokens per day")).to_be_visible()


def test_without_scripts_every_control_is_a_link_or_a_form(
    team_world: World, open_page: OpenPage
) -> None:
    page = open_page(team_world, java_script_enabled=False)
    sort(page, "Tokens")
    expect(page.get_by_role("heading", name="Tokens per day")).to_be_visible()
    choose_range(page, "Last 7 days")
    expect(bars(page)).to_have_count(7)
    page.get_by_role("link", name="Show as a table").click()
    expect(page.locator(".tg-chart-table tbody tr")).to_have_count(7)
    page.get_by_role("link", name="Manage Claude Code of Aiko Tanaka").click()
    expect(page.get_by_role("heading", name="Claude Code · Aiko Tanaka")).to_be_visible()
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("heading", name="Team")).to_be_visible()


def test_my_usage_is_the_members_own(team_world: World, open_page: OpenPage) -> None:
    members = team_world.services.members
    aiko = members.by_email(team_world.organization_id, "aiko.tanaka@brightwater.example")
    owner = open_page(team_world)
    card = owner.get_by_role("article", name="Aiko Tanaka").locator(".tg-big data")
    page = open_page(team_world, "/", member_id=aiko.member_id)
    expect(page).to_have_url(re.compile("/my-usage$"))
    cost = page.locator(".tg-metric data").first
    assert cost.get_attribute("value") == card.get_attribute("value")
    expect(page.get_by_role("main")).not_to_contain_text("Herrera")
    choose_range(page, "Last 7 days")
    expect(bars(page)).to_have_count(7)
