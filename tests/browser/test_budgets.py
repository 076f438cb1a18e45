"""Budgets as people meet them: made, raised, asked for more of, approved."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenPage
from tests.browser.walking import settle
from tests.browser.world import DAY_US, World

from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import Actor
from tidegate.services.budget_fields import BudgetDraft
from tidegate.services.enrolment import Enrolled
from tidegate.store.holds import Holder, HoldRequest, Want

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

    open_page.expect("status of 422")
    own = open_page(world, "/my-usage", member_id=noah.member_id, width=390, color_scheme="dark")
    ask_for_more(own, "30", "The release is on Friday")
    expect(own.get_by_text("Open", exact=True)).to_be_visible()
    assert faults(own) == []

    page.reload()
    page.get_by_role("link", name="noah@brightwater.dev asks for $30.00 more").click()
    expect(page.get_by_text("The release is on Friday")).to_be_visible()
    assert faults(page) == []
    page.get_by_label("Note").fill("Go on")
    page.get_by_role("button", name="Approve").click()
    expect(row).to_contain_text("$55.50")
    expect(row).to_contain_text("raised by $35.50")

    own.reload()
    expect(own.get_by_text("Approved", exact=True)).to_be_visible()
    own.get_by_role("link", name="$30.00 more").click()
    expect(own.get_by_text("Go on")).to_be_visible()
    assert faults(own) == []

    own.goto("/budgets")
    own.get_by_label("Ask for more of the budget of noah@brightwater.dev").click()
    ask_in_dialog(own, "1", "By mistake")
    own.get_by_role("link", name="$1.00 more").click()
    own.get_by_role("button", name="Take it back").click()
    expect(own.get_by_text("Taken back", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_text("Nobody asks for more")).to_be_visible()


def ask_for_more(page: Page, amount: str, reason: str) -> None:
    """From My usage, at first with an amount that is none."""
    page.get_by_role("link", name="Ask for more").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("US dollars more").fill("1e9")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name="Ask an admin").click()
    expect(dialog.get_by_text("Write an amount in US dollars")).to_be_visible()
    expect(dialog.get_by_label("Reason")).to_have_value(reason)
    assert faults(page) == []
    ask_in_dialog(page, amount, reason)


def ask_in_dialog(page: Page, amount: str, reason: str) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("US dollars more").fill(amount)
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name="Ask an admin").click()
    expect(dialog).not_to_be_visible()


def test_a_form_has_the_fields_that_its_choices_need(world: World, open_page: OpenPage) -> None:
    open_page.expect("status of 422")
    page = open_page(world, "/budgets/new", width=390)
    named, hours = page.get_by_label("Repository or session"), page.get_by_label("Rolling hours")
    strict = page.get_by_role("radio", name="Strict")
    for field in (named, hours):
        expect(field).not_to_be_visible()
    expect(strict).to_be_visible()
    page.get_by_label("For", exact=True).select_option("One repository, named below")
    page.get_by_label("Window").select_option("Rolling hours")
    page.get_by_role("radio", name="Soft").check()
    expect(named).to_be_visible()
    expect(hours).to_be_visible()
    expect(strict).not_to_be_visible()
    named.fill("github.com/acme/app")
    page.get_by_label("US dollars").fill("12,5")
    hours.fill("48")
    page.get_by_role("button", name="Make the budget").click()
    open_fault = page.get_by_text("Write an amount in US dollars")
    expect(open_fault).to_be_visible()
    expect(named).to_have_value("github.com/acme/app")
    page.get_by_label("US dollars").fill("12.50")
    page.get_by_role("button", name="Make the budget").click()
    expect(page.get_by_role("link", name="acme/app")).to_be_visible()
    [budget] = world.services.budgets.list(world.organization_id)
    assert (budget.scope_id, budget.rolling_hours, budget.hard) == (
        "github.com/acme/app", 48, False,
    )  # fmt: skip


def test_the_table_of_budgets_keeps_within_its_card(world: World, open_page: OpenPage) -> None:
    """Where it is a table, where its rows are cards, and where one becomes the other."""
    noah = world.enroll("noah.maximilian.hollerbach-lindenberg@brightwater.dev")
    make_budgets(world, noah)
    found = {}
    for member_id in (world.owner_id, noah.member_id):
        page = open_page(world, "/budgets", member_id=member_id)
        for width in (360, 767, 768, 1024, 1280, 1365, 1366, 1440, 1800):
            page.set_viewport_size({"width": width, "height": 900})
            found[member_id, width] = page.evaluate(
                """() => [document.documentElement, ...document.querySelectorAll(".tg-card")]
                    .map(it => it.scrollWidth - it.clientWidth).filter(over => over > 1)"""
            )
    assert {at: over for at, over in found.items() if over} == {}


def make_budgets(world: World, noah: Enrolled) -> None:
    """Whose rows are wide: long names, large amounts, raises, and what is held and beyond."""
    actor = Actor(world.owner_id)
    large: dict[str, Any] = {"amount_nusd": 1_234_567 * USD, "hard": True}
    for draft in (
        BudgetDraft(**large, window="rolling", rolling_hours=2160, counts_subscription=True),
        BudgetDraft(**large, scope="key", scope_id="*", name="A budget with rather a long name"),
        BudgetDraft(hard=True, scope="member", scope_id=noah.member_id, window="rolling",
                    rolling_hours=24),
    ):  # fmt: skip
        made = world.services.budgets.create(
            world.organization_id, draft, by_role="owner", actor=actor
        )
        world.services.budgets.raise_until(
            world.organization_id, made.budget_id, USD, world.now_us + DAY_US,
            by_role="owner", actor=actor,
        )  # fmt: skip
    world.use(noah, TokenCounts(output=1), Cost(output=234_567 * USD))
    standings = world.services.budget_standings.all(world.organization_id)
    want = Want(
        envelope=world.services.budget_standings.envelope_of(standings[0]),
        amount_nusd=12_345 * USD,
        limit_nusd=10**18,
        bound_nusd=54_321 * USD,
    )
    held = HoldRequest(
        event_id="req_held",
        organization_id=world.organization_id,
        started_us=world.now_us,
        wants=(want,),
    )
    world.store.holds.exchange(Holder("plc_1", "wrk_1"), reserve=[held])
