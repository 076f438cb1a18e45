"""The Logs page: from a number to its rows, filters, paging, one request, what came since."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import OpenPage
from tests.browser.walking import focused, tab_to
from tests.browser.world import World

from tidegate.core.model import Cost, TokenCounts

pytestmark = pytest.mark.browser

TOKENS = TokenCounts(input=900, output=100)
INSIDE = """it => {
    const box = it.getBoundingClientRect();
    return box.width > 0 && box.left >= 0 && box.right <= innerWidth;
}"""


def rows(page: Page) -> Locator:
    return page.locator(".tg-log tbody tr")


def ids(page: Page) -> list[str]:
    return [str(each) for each in rows(page).evaluate_all("all => all.map(row => row.id)")]


def total(page: Page) -> Locator:
    return page.locator("#log-totals data").first


def bars(page: Page) -> Locator:
    return page.locator("#log-histogram .tg-bar")


def detail(page: Page) -> Locator:
    return page.locator("#log-side .tg-log-event")


def test_a_number_of_the_team_leads_to_its_rows(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, "/?sort=requests")
    figure = page.get_by_role("article", name="Aiko Tanaka").locator(".tg-big data")
    value = figure.get_attribute("value")
    assert value is not None
    figure.click()
    expect(page).to_have_url(re.compile(r"/logs\?range=30d&member="))
    expect(page.locator("#filter-member summary")).to_contain_text("Aiko Tanaka")
    expect(total(page)).to_have_attribute("value", value)
    expect(rows(page)).to_have_count(50)
    expect(bars(page)).to_have_count(30)
    page.go_back()
    page.locator(".tg-metric").nth(2).locator("data").first.click()
    expect(page).to_have_url(re.compile(r"/logs\?range=30d$"))


def test_a_tile_still_sorts_and_an_hour_leads_to_its_rows(
    team_world: World, open_page: OpenPage
) -> None:
    page = open_page(team_world, "/?range=24h")
    page.locator("#tile-3").click()
    expect(page.get_by_role("heading", name="Requests per hour")).to_be_visible()
    bar = page.locator(".tg-chart .tg-bar").last
    label = bar.get_attribute("aria-label") or ""
    requests = re.search(r"(\d+) request", label)
    assert requests is not None
    bar.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/logs\?range=exact&start="))
    expect(total(page)).to_have_attribute("value", requests[1])


def test_filters_stand_in_the_address(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, "/logs?range=7d")
    before = total(page).get_attribute("value")
    page.locator("#filter-status summary").click()
    page.get_by_label("Upstream error").check()
    page.get_by_label("Cancelled").check()
    page.locator("#filter-status").get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("outcome=upstream_error&outcome=cancelled"))
    expect(page.locator("#filter-status summary")).to_contain_text("upstream error, cancelled")
    expect(page.locator(".tg-tone-good")).to_have_count(0)
    expect(rows(page)).not_to_have_count(0)
    expect(total(page)).not_to_have_attribute("value", before or "")
    found = ids(page)

    page.locator("#filter-member summary").click()
    page.get_by_label("Find in Members").fill("aiko")
    page.get_by_label("Aiko Tanaka").check()
    page.keyboard.press("Escape")  # what was chosen counts when the menu closes
    expect(page).to_have_url(re.compile("member="))
    expect(rows(page).first).to_contain_text("Aiko Tanaka")

    page.locator("#filter-model summary").click()
    page.get_by_label("gpt-6.1-sol").check()
    page.locator("#filter-model").get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("model=gpt-6.1-sol"))
    page.go_back()
    page.go_back()
    expect(page).not_to_have_url(re.compile("member="))
    expect(rows(page)).to_have_count(len(found))
    assert ids(page) == found
    page.reload()
    assert ids(page) == found
    page.get_by_role("link", name="Clear filters").click()
    expect(page).to_have_url(re.compile(r"/logs\?range=7d$"))
    expect(total(page)).to_have_attribute("value", before or "")


def test_a_session_and_an_id_are_found_at_any_time(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, "/logs?range=90d&outcome=ok")
    newest = ids(page)[0]
    page.get_by_role("link", name="Older").click()
    expect(page).to_have_url(re.compile("at=o"))
    expect(page.locator(f"#{newest}")).to_have_count(0)  # the older ones are shown
    link = rows(page).nth(4).locator("td a").first
    session = (link.get_attribute("title") or "").rpartition(" ")[2]
    event_id = ids(page)[4]
    link.click()
    expect(page).to_have_url(re.compile(f"/sessions/{session}"))
    page.get_by_role("link", name="All requests in Logs").click()
    expect(page).to_have_url(re.compile(f"session={session}"))
    expect(page.get_by_role("link", name=f"Session {session}")).to_be_visible()
    expect(bars(page).first).to_be_attached()
    page.get_by_role("link", name=f"Session {session}").click()
    expect(page).not_to_have_url(re.compile("session="))

    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Find by id")).to_be_focused()
    page.keyboard.type(event_id)
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(1)
    assert ids(page) == [event_id]
    page.get_by_role("searchbox", name="Find by id").fill("req_of_nobody")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Ids are looked for whole")).to_be_visible()


def test_paging_goes_both_ways(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, "/logs?range=30d")
    first = ids(page)
    page.get_by_role("link", name="Older").click()
    expect(page.locator(f'[id="{first[0]}"]')).to_have_count(0)
    second = ids(page)
    assert not set(first) & set(second)
    expect(page.locator("[data-live-note]")).to_be_hidden()  # nothing new is counted here
    page.get_by_role("link", name="Older").click()
    expect(page.locator(f'[id="{second[0]}"]')).to_have_count(0)
    page.get_by_role("link", name="Newer").click()
    expect(page.locator(f'[id="{second[0]}"]')).to_have_count(1)
    assert ids(page) == second
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(f'[id="{first[0]}"]')).to_have_count(1)
    assert ids(page) == first
    expect(page.locator("[data-live-note]")).to_be_visible()


def test_a_row_opens_beside_the_list(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, "/logs?outcome=ok")
    bars(page).first.wait_for(state="attached")
    rows(page).nth(2).locator("td").nth(6).click()
    event_id = ids(page)[2]
    expect(detail(page)).to_contain_text(event_id)
    expect(page).to_have_url(re.compile(f"open={event_id}"))
    expect(page.locator("#event-title")).to_be_focused()
    expect(rows(page).nth(2)).to_have_class(re.compile("tg-row-open"))
    reckoned = detail(page).locator(".tg-reckoning")
    units, rate, cost = (
        reckoned.locator("tbody tr").first.locator("td").nth(i).inner_text() for i in range(3)
    )
    number = [float(re.sub(r"[^\d.]", "", each)) for each in (units, rate, cost)]
    assert number[0] * number[1] / 1e6 == pytest.approx(number[2], abs=1e-9)
    detail(page).get_by_text("The whole usage event").click()
    expect(detail(page).get_by_text("price_version", exact=True)).to_be_visible()

    page.reload()
    expect(detail(page)).to_contain_text(event_id)
    page.keyboard.press("Escape")
    expect(detail(page)).to_have_count(0)
    assert page.evaluate("document.activeElement.dataset.row") == event_id
    page.go_back()
    expect(detail(page)).to_contain_text(event_id)
    page.get_by_role("link", name="Close").click()
    expect(page).not_to_have_url(re.compile("open="))


def test_ids_are_copied(team_world: World, open_page: OpenPage) -> None:
    both = ["clipboard-read", "clipboard-write"]
    page = open_page(team_world, "/logs?outcome=ok", permissions=both)
    rows(page).first.locator("a").first.click()
    copied = detail(page).locator(".tg-copied")
    page.get_by_role("button", name="Copy the request id").click()
    expect(copied).to_have_count(1)
    assert page.evaluate("navigator.clipboard.readText()") == ids(page)[0]
    page.get_by_role("button", name="Copy: Session").click()
    expect(copied).to_have_count(2)
    assert str(page.evaluate("navigator.clipboard.readText()")).startswith("ses_")


def test_the_list_by_keyboard(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, "/logs?outcome=ok")
    found = ids(page)
    tab_to(page, "Table of requests")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.row") == found[0]
    for key, at in (("ArrowDown", 1), ("j", 2), ("k", 1), ("End", 49), ("Home", 0)):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.dataset.row") == found[at]
    page.keyboard.press("Enter")
    expect(page.locator("#event-title")).to_be_focused()
    page.keyboard.press("Escape")
    bars(page).last.focus()
    before = focused(page)
    page.keyboard.press("ArrowLeft")
    assert focused(page) != before
    expect(page.locator("[data-tip]")).to_be_visible()


def test_new_rows_are_counted_and_not_moved_in(world: World, open_page: OpenPage) -> None:
    key = world.enroll("aiko@brightwater.dev")
    world.use(key, TOKENS, Cost(input=5), times=3, started_us=world.now_us - 1_000_000)
    page = open_page(world, "/logs")
    before = ids(page)
    world.use(key, TOKENS, Cost(input=5), times=2)
    page.evaluate("document.querySelector('[data-stale-retry]').click()")  # asks at once
    new = page.get_by_role("link", name="2 new")
    expect(new).to_be_visible()
    assert ids(page) == before
    new.click()
    expect(rows(page)).to_have_count(5)
    expect(new).to_have_count(0)
    expect(total(page)).to_have_attribute("value", "5")


def test_hover_tells_the_local_time_exactly(world: World, open_page: OpenPage) -> None:
    world.services.organizations.update(world.organization_id, time_zone="Asia/Kathmandu")
    world.use(world.enroll("aiko@brightwater.dev"), TOKENS, Cost(input=5))
    page = open_page(world, "/logs", timezone_id="America/New_York", locale="en-GB")
    time = rows(page).first.locator("time")
    expect(time).to_have_text("17:45:00")
    expect(time).to_have_attribute("title", "22/11/2026, 07:00:00, here")


def test_nonsense_in_the_address_is_told(world: World, open_page: OpenPage) -> None:
    open_page.expect("status of 422")
    page = open_page(world, "/logs?agent=emacs&range=fortnight&at=%00&open=x")
    alert = page.locator(".tg-log-told")
    expect(alert).to_contain_text("“emacs” is not a value of “agent”")
    expect(page.locator("#log-list")).to_have_count(0)
    page.get_by_role("link", name="Start over").click()
    expect(page.get_by_text("No requests in this range")).to_be_visible()
    page.goto("/logs?open=req_gone")
    expect(page.get_by_text("There is no such request")).to_be_visible()


def test_what_fails_is_told_and_tried_again(team_world: World, open_page: OpenPage) -> None:
    open_page.expect("status of 503")
    page = open_page(team_world, "/my-usage")
    page.route("**/logs/histogram*", lambda route: route.fulfill(status=503))
    page.goto("/logs")
    again = page.locator("#log-histogram").get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    expect(rows(page)).to_have_count(50)
    page.unroute("**/logs/histogram*")
    again.click()
    expect(bars(page)).to_have_count(24)


def test_members_see_their_own(team_world: World, open_page: OpenPage) -> None:
    members = team_world.services.members
    aiko = members.by_email(team_world.organization_id, "aiko.tanaka@brightwater.example")
    page = open_page(team_world, "/my-usage", member_id=aiko.member_id)
    value = page.locator(".tg-metric data").first.get_attribute("value")
    page.locator(".tg-metric data").first.click()
    expect(page).to_have_url(re.compile("/logs"))
    expect(page.locator(f'#log-totals data[value="{value}"]')).to_have_count(1)
    for name in rows(page).locator(".tg-log-who bdi").all_inner_texts():
        assert name == "Aiko Tanaka"
    expect(page.locator("#filter-member")).to_have_count(0)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Logs").click()
    expect(page.get_by_role("heading", name="Logs")).to_be_visible()


def test_the_page_works_without_scripts(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, "/logs?range=7d", java_script_enabled=False)
    page.get_by_role("link", name="Older").click()
    rows(page).first.locator("th a").click()
    expect(detail(page)).to_be_visible()
    page.get_by_role("link", name="Close").click()
    expect(detail(page)).to_have_count(0)
    page.locator("#filter-agent summary").click()
    page.get_by_label("Codex").check()
    page.locator("#filter-agent").get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("agent=codex"))
    page.get_by_role("link", name="Requests over time").click()
    expect(page.locator(".tg-bar")).to_have_count(7)


@pytest.mark.parametrize("width", [360, 768])
def test_on_small_screens_a_row_covers_the_page(
    team_world: World, open_page: OpenPage, width: int
) -> None:
    page = open_page(team_world, "/logs?outcome=ok", width=width)
    rows(page).nth(1).locator("th a").click()
    expect(page.locator("#event-title")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.get_by_role("link", name="Close").click()
    for menu in page.locator(".tg-filter").all():
        menu.locator("summary").click()
        panel = menu.locator(".tg-filter-panel").element_handle()
        page.wait_for_function(INSIDE, arg=panel)
        page.keyboard.press("Escape")
    rows(page).nth(1).locator("th a").click()
    page.get_by_role("link", name="Close").click()
    expect(detail(page)).to_have_count(0)
