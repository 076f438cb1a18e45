"""Budgets as people meet them: made, raised, asked for more of, approved."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenPage
from tests.browser.walking import settle
from tests.browser.world import World

from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import Actor

pytestmark = pytest.mark.browser

USD = 1_000_000_000


def faults(page: Page) -> list[str]:
    settle(page)
    return [violation["id"] for violation in Axe().run(page).response["violations"]]


def test_a_budget_is_made_raised_asked_for_and_approved(world: World, open_page: OpenPage) -> None:
    noah = world.enroll("noah@brightwater.dev")
    world.use(noah, TokenCounts(output=1), Cost(output=25 * USD))
    page = open_page(world, "/budgets")
    page.get_by_role("main").get_by_role("link", name="New budget").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("For", exact=True).select_option("noah@brightwater.dev")
    dialog.get_by_label("US dollars").fill("20")
    dialog.get_by_role("button", name="Make the budget").click()
    row = page.get_by_role("row", name="noah@brightwater.dev")
    expect(row).to_contain_text("125 %")
    expect(row).to_contain_text("blocked")
    assert faults(page) == []

    page.get_by_label("Actions for the budget of noah@brightwater.dev").click()
    page.get_by_role("link", name="Raise for a time").click()
    dialog.get_by_label("US dollars more").fill("5.50")
    dialog.get_by_role("button", name="Raise").click()
    expect(row).to_contain_text("raised by $5.50")

    [budget] = world.services.budgets.list(world.organization_id)
    world.services.budget_requests.ask(
        world.organization_id,
        noah.member_id,
        budget.budget_id,
        amount_nusd=30 * USD,
        reason="The release is on Friday",
        actor=Actor(noah.member_id),
    )
    page.reload()
    page.get_by_role("link", name="noah@brightwater.dev asks for $30.00 more").click()
    expect(page.get_by_text("The release is on Friday")).to_be_visible()
    assert faults(page) == []
    page.get_by_label("Note").fill("Go on")
    page.get_by_role("button", name="Approve").click()
    expect(row).to_contain_text("$55.50")
    expect(row).to_contain_text("raised by $35.50")

    own = open_page(world, "/budgets", member_id=noah.member_id, width=390, color_scheme="dark")
    own.get_by_role("link", name="$30.00 more").click()
    expect(own.get_by_text("Approved")).to_be_visible()
    expect(own.get_by_text("Go on")).to_be_visible()
    assert faults(own) == []
