"""Coming in and going out: links, passwords, logins that are ended, members who are removed."""

import re

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenPage
from tests.browser.walking import dialog_of, link_of, tab_to
from tests.browser.world import World

from tidegate.services.audit import Actor

pytestmark = pytest.mark.browser

PASSWORD = "a tide comes twice a day"


def with_password(world: World) -> None:
    world.services.passwords.set(
        world.organization_id, world.owner_id, PASSWORD, current=None, actor=Actor(world.owner_id)
    )


def sign_in(page: Page, password: str, email: str = "maya@brightwater.dev") -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("scripts", [True, False])
def test_by_a_link_and_out_again(used_world: World, open_page: OpenPage, scripts: bool) -> None:
    page = open_page(used_world, link_of(used_world), signed_in=False, java_script_enabled=scripts)
    expect(page.locator("main")).to_contain_text("Brightwater")
    expect(page.locator("main")).to_contain_text("maya@brightwater.dev")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("Team · Brightwater · Tidegate")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_by_password_after_a_wrong_one_and_on_to_where_one_wanted(
    used_world: World, open_page: OpenPage, scripts: bool
) -> None:
    with_password(used_world)
    open_page.expect("status of 4")
    page = open_page(used_world, "/my-usage?range=7d", signed_in=False, java_script_enabled=scripts)
    expect(page).to_have_url(re.compile("/sign-in"))
    sign_in(page, "a tide that never came")
    expect(page.get_by_role("alert")).to_contain_text("The email address or the password is wrong.")
    expect(page.get_by_label("Email")).to_have_value("maya@brightwater.dev")
    sign_in(page, PASSWORD)
    expect(page).to_have_url(re.compile(r"/my-usage\?range=7d$"))


def test_a_login_is_ended_from_another_browser(used_world: World, open_page: OpenPage) -> None:
    with_password(used_world)
    first = open_page(used_world, "/sign-in", signed_in=False)
    sign_in(first, PASSWORD)
    expect(first).to_have_title(re.compile("^Team"))
    second = open_page(used_world, "/account")
    others = second.get_by_role("article").filter(has=second.get_by_role("button", name="Sign out"))
    expect(others).to_have_count(1)
    others.get_by_role("button").click()
    expect(others).to_have_count(0)
    first.reload()
    expect(first.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_removed_member_is_out_and_stays_in_the_history(
    used_world: World, open_page: OpenPage
) -> None:
    services, organization_id = used_world.services, used_world.organization_id
    jonas = services.members.by_email(organization_id, "jonas.weber@brightwater.dev")
    theirs = open_page(used_world, "/my-usage", member_id=jonas.member_id)
    expect(theirs.get_by_role("heading", name="My usage")).to_be_visible()

    page = open_page(used_world, "/settings/members")
    page.get_by_role("link", name="Remove jonas.weber@brightwater.dev").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("jonas.weber@brightwater.dev")
    expect(dialog.get_by_role("button", name="Remove")).not_to_be_focused()
    dialog.get_by_role("button", name="Remove").click()
    expect(dialog).not_to_be_visible()
    expect(page.get_by_text("1 removed")).to_be_visible()

    theirs.reload()
    expect(theirs.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/")
    card = page.get_by_role("article", name="jonas.weber@brightwater.dev")
    expect(card).to_contain_text("Removed")
    expect(card.get_by_role("link", name=re.compile("New coding agent"))).to_have_count(0)


def test_set_up_with_the_keyboard_alone(empty_world: World, open_page: OpenPage) -> None:
    path = f"/setup/{empty_world.services.logins.make_setup_token()}"
    page = open_page(empty_world, path, signed_in=False)
    tab_to(page, "organization")
    for text in ("Brightwater", "Maya Lindqvist", "maya@brightwater.dev"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Welcome to Tidegate, Maya")).to_be_visible()
    expect(page.get_by_text("0 of 4")).to_be_visible()


def test_a_form_is_sent_once(world: World, open_page: OpenPage) -> None:
    page = open_page(world, link_of(world), signed_in=False)
    sent = page.locator("form").evaluate(
        """form => {
            let sent = 0;
            addEventListener("submit", event => {
                sent += event.defaultPrevented ? 0 : 1;
                event.preventDefault();
            });
            for (let i = 0; i < 3; i++) form.requestSubmit();
            return sent;
        }"""
    )
    assert sent == 1


def test_one_browser_is_signed_in_to_two_organizations(
    used_world: World, open_page: OpenPage
) -> None:
    page = open_page(used_world)
    other = used_world.services.organizations.bootstrap("Saltmarsh", "maya@brightwater.dev")
    page.goto(f"/sign-in/{other.sign_in_token}")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("Team · Saltmarsh · Tidegate")
    sidebar = page.get_by_role("complementary", name="Sidebar")
    sidebar.get_by_label("Organization: Saltmarsh. Switch to another").click()
    sidebar.get_by_role("button", name="Brightwater").click()
    expect(page).to_have_title("Team · Brightwater · Tidegate")


def test_a_one_time_link_is_made_for_a_member(used_world: World, open_page: OpenPage) -> None:
    page = open_page(used_world, "/settings/members")
    page.get_by_role("link", name="Edit elena.petrova@brightwater.dev").click()
    dialog = dialog_of(page, "elena.petrova@brightwater.dev")
    dialog.get_by_role("button", name="One-time link").click()
    dialog_of(page, "One-time link for elena.petrova@brightwater.dev")
    link = dialog.locator(".tg-line-text").inner_text()
    theirs = open_page(used_world, link, signed_in=False)
    theirs.get_by_role("button", name="Sign in").click()
    expect(theirs).to_have_title("My usage · Brightwater · Tidegate")
    expect(theirs.get_by_role("link", name="Team")).to_have_count(0)
