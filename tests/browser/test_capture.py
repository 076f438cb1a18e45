"""The capture viewer in a browser: from the row to each part, lazily loaded, by keyboard."""

import json
import re

import pytest
from playwright.sync_api import Page, expect
from tests.browser.captured import EVENTS, REQUEST, captured_turn
from tests.browser.conftest import OpenPage
from tests.browser.walking import tab_to
from tests.browser.world import World

pytestmark = pytest.mark.browser


def part(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Parts of the capture").get_by_role(
        "link", name=name
    ).click()
    expect(page).to_have_url(re.compile(f"part={name.lower()}"))


def test_from_the_row_to_every_part(team_world: World, open_page: OpenPage) -> None:
    event_id = captured_turn(team_world)
    page = open_page(team_world, f"/logs?captured=yes&open={event_id}")
    page.get_by_role("link", name="Open capture").click()
    said = page.locator(".tg-said")
    expect(said).to_have_count(9)
    expect(said.nth(3)).to_contain_text("pytest tests/test_tides.py -q")
    expect(said.nth(4)).to_contain_text("Bash failed")
    expect(said.last).to_contain_text("I change that line.")
    tools = page.get_by_text("4 tools that may be called")
    tools.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Runs a command in the shell")).to_be_visible()

    part(page, "Body")
    page.locator("summary", has_text="messages").click()
    page.locator("summary", has_text="role: assistant").first.click()
    page.locator("summary", has_text="content").last.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("type: tool_use, name: Bash")).to_be_visible()
    page.get_by_role("link", name="Answer").click()
    expect(page.locator(".tg-code")).to_contain_text("event: message_start")

    part(page, "Headers")
    expect(page.get_by_text("removed")).to_have_count(3)
    part(page, "Response")
    expect(page.locator(".tg-events > li")).to_have_count(14)
    page.locator(".tg-events summary").first.click()
    expect(page.locator(".tg-events pre").first).to_be_visible()
    part(page, "Compare")
    expect(page.get_by_text("Identical.")).to_be_visible()
    page.get_by_role("link", name="Back to the request").click()
    expect(page).to_have_url(re.compile(f"open={event_id}"))


def test_long_texts_and_copies(team_world: World, open_page: OpenPage) -> None:
    both = ["clipboard-read", "clipboard-write"]
    event_id = captured_turn(team_world)
    page = open_page(
        team_world, f"/logs/{event_id}/capture?part=body&of=response", permissions=both
    )
    page.get_by_role("button", name="Copy the body").click()
    expect(page.locator(".tg-copied")).to_have_count(1)
    assert page.evaluate("navigator.clipboard.readText()") == EVENTS
    page.goto(f"/logs/{event_id}/capture?part=body&as=raw")
    page.get_by_role("link", name="more characters").click()
    expect(page.get_by_role("link", name="more characters")).to_have_count(0)
    assert page.locator(".tg-code").inner_text() == json.dumps(REQUEST)
    assert page.evaluate("document.activeElement.className") == "tg-code"


def test_one_that_is_gone_says_why(team_world: World, open_page: OpenPage) -> None:
    open_page.expect("status of 404")
    page = open_page(team_world, "/logs/req_none/capture")
    expect(page.get_by_role("heading", name="This capture cannot be shown")).to_be_visible()
    page.get_by_role("link", name="Open the logs").click()
    expect(page.get_by_role("heading", name="Logs")).to_be_visible()


def test_parts_by_keyboard(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, f"/logs/{captured_turn(team_world)}/capture")
    tab_to(page, "Compare")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Bodies")).to_be_visible()
