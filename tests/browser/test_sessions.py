"""Sessions: from the list to one of them, its name and links, and a share link signed out."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import OpenPage
from tests.browser.test_looks import violations
from tests.browser.walking import dialog_of, focused
from tests.browser.world import World

from tidegate.core.model import Cost, Link, TokenCounts

pytestmark = pytest.mark.browser

APP = "github.com/brightwater/tidewave-api"
MINUTE_US = 60_000_000
USD = 1_000_000_000


def rows(page: Page) -> Locator:
    return page.locator(".tg-sessions tbody tr")


def ids(page: Page) -> list[str]:
    return [str(each) for each in rows(page).evaluate_all("all => all.map(row => row.id)")]


def test_the_list_is_filtered_sorted_and_paged(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, "/sessions?range=30d")
    expect(rows(page)).to_have_count(50)
    first = ids(page)
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(re.compile("at=a"))
    expect(page.locator(f"#{first[0]}")).to_have_count(0)
    page.get_by_role("link", name="Previous").click()
    expect(page.locator(f"#{first[0]}")).to_have_count(1)
    assert ids(page) == first

    page.locator("#filter-agent summary").click()
    page.get_by_label("Codex").check()
    page.locator("#filter-agent").get_by_role("button", name="Apply").click()
    expect(page.locator("#filter-agent summary")).to_contain_text("Codex")  # it has come
    page.locator("#filter-repository summary").click()
    page.get_by_label(APP).check()
    page.keyboard.press("Escape")  # what was chosen counts when the menu closes
    expect(page).to_have_url(re.compile("repository="))
    expect(page.locator("#filter-repository summary")).to_contain_text("tidewave-api")
    page.locator("thead").get_by_role("link", name="Cost").click()
    expect(page.locator("th[aria-sort]")).to_contain_text("Cost")
    expect(rows(page).first).to_contain_text("tidewave-api")
    costs = rows(page).locator("td[data-title=Cost] data")
    values = [int(str(v)) for v in costs.evaluate_all("all => all.map(each => each.value)")]
    assert len(values) > 1

    page.keyboard.press("/")
    page.keyboard.type("no such session")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No sessions like this")).to_be_visible()
    page.go_back()
    expect(rows(page)).to_have_count(len(values))
    rows(page).first.locator("a[data-row]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/sessions/ses_\w+$"))


def fill(world: World) -> str:
    """A session with a sub-agent, a failure, compression and links."""
    key = world.enroll("aiko@brightwater.dev")
    one = f"ses_{7:032x}"
    tokens = TokenCounts(input=900, cache_write_5m=4_000, cache_read=60_000, output=700)
    links = (Link("pull_request", f"{APP}#1482", "tool", source="gh pr create"),)
    for minute in range(45):
        more: dict[str, Any] = {"outcome": "upstream_error", "status": 529} if minute == 20 else {}
        world.use(
            key,
            tokens,
            Cost(
                input=USD // 500, cache_write_5m=USD // 60, cache_read=USD // 50, output=USD // 90
            ),
            session_id=one,
            subagent_id="explore" if 15 < minute < 25 else "",
            repository=APP,
            branch="ledger-batching",
            started_us=world.now_us - (60 - minute) * MINUTE_US,
            duration_us=30_000_000,
            saved_tokens_new=100 if minute % 7 == 0 else 0,
            saved_nano=USD // 100 if minute % 7 == 0 else 0,
            links=links if minute == 30 else (),
            **more,
        )
    return one


def test_a_session_is_named_corrected_and_shared(world: World, open_page: OpenPage) -> None:
    one = fill(world)
    page = open_page(world, "/sessions")
    page.get_by_role("link", name="Session of 11:00 · ledger-batching").click()
    expect(page.locator(".tg-lanes .tg-bar")).to_have_count(45)
    page.locator(".tg-lanes .tg-bar").first.focus()
    before = focused(page)
    page.keyboard.press("ArrowRight")
    assert focused(page) != before
    expect(page.locator("[data-tip]")).to_be_visible()

    page.get_by_role("link", name="Rename the session").click()
    page.get_by_label("Name", exact=True).fill("Batch <usage> events")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="Batch <usage> events")).to_be_visible()

    expect(page.get_by_text("gh pr create")).to_be_visible()
    page.get_by_role("link", name="Correct the pull request").click()
    dialog = dialog_of(page, "Correct the pull request")
    open_page.expect("status of 422")
    dialog.get_by_label("Pull request", exact=True).fill("about twelve")
    dialog.get_by_role("button", name="Correct").click()
    expect(dialog.get_by_text("This is no pull request")).to_be_visible()
    dialog.get_by_label("Pull request", exact=True).fill("#1500")
    dialog.get_by_role("button", name="Correct").click()
    expect(page.get_by_role("link", name="#1500")).to_be_visible()
    expect(page.get_by_text("Found before the correction: #1482")).to_be_visible()

    page.get_by_role("link", name="Share…").click()
    dialog = dialog_of(page, "Share this session")
    dialog.get_by_label("1 day", exact=True).check()
    dialog.get_by_label("Amounts of money").check()
    dialog.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("This is all that the link shows")).to_be_visible()
    assert "$" not in page.locator(".tg-preview").inner_text()
    page.get_by_role("button", name="Make the link for 1 day").click()
    url = page.locator(".tg-line-text").inner_text().replace("\n", "").strip()

    stranger = open_page(world, url, signed_in=False)
    expect(stranger.get_by_role("heading", name="Batch <usage> events")).to_be_visible()
    expect(stranger.locator(".tg-lanes .tg-bar")).to_have_count(45)
    assert "$" not in stranger.locator("main").inner_text()
    assert violations(stranger) == []

    page.goto(f"/sessions/{one}")
    page.get_by_role("link", name="Revoke the link").click()
    dialog_of(page, "Revoke this link?").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Private to Brightwater")).to_be_visible()
    open_page.expect("status of 404")
    stranger.reload()
    expect(stranger.get_by_role("heading", name="There is nothing here")).to_be_visible()


@pytest.mark.parametrize("width", [360, 768])
def test_on_small_screens_nothing_sticks_out(
    team_world: World, open_page: OpenPage, width: int
) -> None:
    page = open_page(team_world, "/sessions", width=width)
    for path in ("/sessions?sort=cost", f"/sessions/{ids(page)[0]}"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_pages_work_without_scripts(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, "/sessions?range=30d", java_script_enabled=False)
    page.get_by_role("link", name="Next").click()
    rows(page).first.locator("a[data-row]").click()
    page.get_by_text("As a table").click()
    expect(page.locator(".tg-timeline-table tbody tr").first).to_be_visible()
    page.get_by_role("link", name="Share…").click()
    expect(page.get_by_role("heading", name="Share this session", level=1)).to_be_visible()
