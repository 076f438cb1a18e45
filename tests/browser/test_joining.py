"""From the first visit to the first request, as the people of an organization go it."""

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import OpenPage
from tests.browser.walking import dialog_of
from tests.browser.world import World

from tidegate.core.model import Cost, TokenCounts
from tidegate.services.enrolment import Enrolled

pytestmark = pytest.mark.browser

ADA = "ada.byron@brightwater.dev"


def first_request(world: World, command: str) -> None:
    """What happens on Ada's machine: the code is exchanged, and the key is used."""
    exchanged = world.services.enrolment.exchange(command.rsplit(maxsplit=1)[-1])
    member = world.services.members.by_email(world.organization_id, ADA)
    enrolled = Enrolled(member.member_id, exchanged.key_id, exchanged.key, "")
    world.use(enrolled, TokenCounts(input=1200, output=80), Cost(input=3_600_000))


def test_the_first_visit_leads_to_the_first_request(world: World, open_page: OpenPage) -> None:
    page = open_page(world, permissions=["clipboard-read", "clipboard-write"])
    expect(page.get_by_text("0 of 4")).to_be_visible()
    page.get_by_role("link", name="Add a credential").click()
    page.get_by_role("link", name=re.compile("Add")).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("API key").fill("sk-ant-made-up-for-the-test")
    dialog.get_by_role("button", name="Store the credential").click()
    expect(dialog).not_to_be_visible()
    expect(page.get_by_role("article", name="Anthropic")).to_be_visible()  # on a page that is new

    page.goto("/")
    expect(page.get_by_text("1 of 4")).to_be_visible()
    page.get_by_role("link", name="Invite a member").click()
    dialog = dialog_of(page, "Invite a member")
    expect(dialog.get_by_label("Email")).to_be_focused()
    dialog.get_by_label("Email").fill(ADA)
    dialog.get_by_role("button", name="Invite").click()
    dialog_of(page, f"Invitation for {ADA}")
    link = dialog.locator(".tg-line-text").inner_text()
    expect(dialog.get_by_role("button", name="Copy link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == link
    dialog.get_by_role("button", name="Done").click()
    expect(page.get_by_text("2 of 4")).to_be_visible()

    guest = open_page(world, link, signed_in=False)
    guest.get_by_label("Your name").fill("Ada Byron")
    guest.get_by_role("textbox", name="Password").first.fill("an engine that weaves")
    guest.get_by_role("button", name="Join Brightwater").click()
    expect(guest.get_by_role("heading", name="Welcome to Tidegate, Ada")).to_be_visible()

    page.reload()
    page.get_by_role("link", name="New coding agent for Ada Byron").click()
    dialog = dialog_of(page, "New coding agent")
    dialog.get_by_role("radio", name=re.compile("Claude Code")).check()
    dialog.get_by_role("button", name="Enrol").click()
    dialog_of(page, "Claude Code for Ada Byron")
    expect(dialog.get_by_role("button", name="Copy instructions")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("Copied")).to_be_visible()
    instructions = page.evaluate("navigator.clipboard.readText()")
    expect(dialog.get_by_text("Waiting for the first request…")).to_be_visible()
    login = re.search(r"tidegate login \S+ \S+", instructions)
    assert login is not None
    assert "tidegate launch claude" in instructions

    first_request(world, login[0])
    expect(dialog.get_by_text("The first request is in")).to_be_visible()
    dialog.get_by_role("button", name="Done").click()
    card = page.get_by_role("article", name="Ada Byron")
    expect(card).to_contain_text("Active now")
    expect(page.get_by_role("heading", name="Cost per day")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_invited_once_more_and_withdrawn(
    used_world: World, open_page: OpenPage, scripts: bool
) -> None:
    page = open_page(used_world, java_script_enabled=scripts)
    page.get_by_role("link", name="Invite a member").first.click()
    page.get_by_label("Email").fill(ADA)
    page.get_by_role("button", name="Invite", exact=True).click()
    old = page.locator(".tg-line-text").inner_text()
    page.locator(".tg-view-foot").get_by_text("Done").click()

    page.goto("/")
    card = page.get_by_role("article", name=ADA)
    expect(card).to_contain_text("Invitation pending")
    card.get_by_role("button", name=re.compile("Resend")).click()
    new = page.locator(".tg-line-text").inner_text()
    assert new != old
    page.locator(".tg-view-foot").get_by_text("Done").click()
    open_page.expect("status of 4")
    gone = open_page(used_world, old, signed_in=False)
    expect(gone.get_by_label("Your name")).to_have_count(0)

    page.goto("/")
    card.get_by_role("link", name=re.compile("Withdraw")).click()
    expect(page.locator(".tg-view")).to_contain_text(ADA)
    page.get_by_role("button", name=re.compile("Withdraw")).click()
    expect(card).to_have_count(0)
    gone.goto(new)
    expect(gone.get_by_label("Your name")).to_have_count(0)


def test_faults_stand_at_their_fields(used_world: World, open_page: OpenPage) -> None:
    open_page.expect("status of 4")
    page = open_page(used_world)
    page.get_by_role("link", name="Invite a member").first.click()
    dialog = dialog_of(page, "Invite a member")
    email = dialog.get_by_label("Email")
    for wrong in ("not-an-address", "noah.kim@brightwater.dev", "x" * 300 + "@brightwater.dev"):
        email.fill(wrong)
        dialog.get_by_role("button", name="Invite").click()
        expect(email).to_have_attribute("aria-invalid", "true")
        expect(email).to_be_focused()
        expect(dialog.locator("#tg-invite-email-fault")).to_be_visible()
        email.fill("")
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(page.get_by_role("link", name="Invite a member").first).to_be_focused()


def test_a_member_enrols_if_the_organization_allows(used_world: World, open_page: OpenPage) -> None:
    services, organization_id = used_world.services, used_world.organization_id
    noah = services.members.by_email(organization_id, "noah.kim@brightwater.dev")
    page = open_page(used_world, "/my-usage", member_id=noah.member_id)
    expect(page.get_by_role("link", name="New coding agent")).to_have_count(0)
    settings = open_page(used_world, "/settings/access")
    settings.get_by_role("switch", name="Self-enrolment").click()
    expect(settings.get_by_role("switch", name="Self-enrolment")).to_be_checked()
    page.reload()
    page.get_by_role("link", name="New coding agent").click()
    dialog = dialog_of(page, "New coding agent")
    dialog.get_by_role("radio", name=re.compile("Codex")).check()
    dialog.get_by_role("button", name="Enrol").click()
    expect(dialog.get_by_text("Waiting for the first request…")).to_be_visible()
