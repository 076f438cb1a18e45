"""Alerts as a person meets them: a rule, a crossing, the sidebar, an acknowledgement, its end."""

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import OpenPage
from tests.browser.world import World

from tidegate.core.model import Cost, TokenCounts

pytestmark = pytest.mark.browser

HOUR_US = 3_600_000_000


def test_a_rule_a_crossing_and_its_end(world: World, open_page: OpenPage) -> None:
    enrolled = world.enroll("noah@brightwater.dev")
    page = open_page(world, "/alerts")
    expect(page.get_by_text("Nothing was reached so far")).to_be_visible()
    page.get_by_role("link", name="Rules", exact=True).click()
    page.get_by_role("link", name="New rule").click()
    page.get_by_role("link", name="Spend").click()
    preview = page.locator(".tg-preview")
    expect(preview).to_contain_text("when any member spends $50.00 within 24 hours")
    page.get_by_label("US dollars").fill("20")
    page.get_by_label("Within hours").fill("2")
    expect(preview).to_contain_text("when any member spends $20.00 within 2 hours")
    page.get_by_role("button", name="Make the rule").click()
    expect(page.get_by_role("status").get_by_text("Spend: made.")).to_be_visible()

    world.use(enrolled, TokenCounts(output=1), Cost(output=25_000_000_000))
    assert world.services.alerts.watch.look(world.organization_id) == 1
    page.goto("/alerts")
    waiting = page.get_by_role("navigation", name="Main").locator(".tg-nav-count")
    expect(waiting).to_have_text("1 open")
    sentence = "noah@brightwater.dev spent $25.00 in the last 2 hours: $20.00 or more."
    page.get_by_role("link", name=sentence).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("22 Nov 2026, 12:00")).to_be_visible()
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(waiting).to_have_count(0)
    row = page.get_by_role("article")
    expect(row.get_by_text("Acknowledged", exact=True)).to_be_visible()

    world.now_us += 2 * HOUR_US
    world.services.alerts.watch.look(world.organization_id)
    page.reload()
    expect(row.get_by_text("Ended", exact=True)).to_be_visible()
    page.get_by_role("link", name="Open", exact=True).click()
    expect(page.get_by_text("No alert is like this")).to_be_visible()
    page.goto("/alerts/channels")
    page.get_by_role("button", name="Send a test message by Admins by email").click()
    expect(page.get_by_text("There is no mail server. Set one up under")).to_be_visible()

    own = open_page(world, "/alerts", member_id=enrolled.member_id)
    expect(own.get_by_role("link", name=sentence)).to_be_visible()
    expect(own.get_by_role("link", name="Rules", exact=True)).to_have_count(0)
