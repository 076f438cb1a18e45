"""A squad from its making to the bar of its budget on a member's card."""

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import OpenPage
from tests.browser.walking import dialog_of
from tests.browser.world import World

from tidegate.core.budgets import Budget
from tidegate.core.model import Cost, TokenCounts

pytestmark = pytest.mark.browser


def test_a_squad_its_member_and_its_bar(world: World, open_page: OpenPage) -> None:
    enrolled = world.enroll("noah@brightwater.dev")
    page = open_page(world, "/settings/squads")
    page.get_by_role("link", name="New squad").click()
    dialog = dialog_of(page, "New squad")
    dialog.get_by_label("Name").fill("Platform")
    dialog.get_by_role("button", name="Make the squad").click()
    page.get_by_role("link", name="Members of Platform").click()
    dialog = dialog_of(page, "Members of Platform")
    dialog.get_by_label("Add a member").select_option("noah@brightwater.dev")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("button", name="Take noah@brightwater.dev out")).to_be_visible()
    dialog.get_by_role("button", name="Done").click()
    expect(page.get_by_text("1 member: noah@brightwater.dev")).to_be_visible()

    [squad] = world.services.squads.list(world.organization_id)
    with world.store.directory.changing() as change:
        change.add_budget(
            Budget(
                budget_id="bud_1",
                organization_id=world.organization_id,
                scope="squad",
                scope_id=squad.record.squad_id,
                per_head=True,
                window="month",
                amount_nusd=50_000_000_000,
            )
        )
    world.use(
        enrolled, TokenCounts(output=1), Cost(output=41_000_000_000),
        squad_id=squad.record.squad_id,
    )  # fmt: skip
    page.goto("/")
    card = page.get_by_role("article", name="noah@brightwater.dev")
    bar = card.get_by_role("link", name="82 % of $50.00 this month")
    expect(bar).to_have_attribute("href", "/budgets")
    expect(page.locator(".tg-budget")).to_have_count(1)  # the owner is in no squad
