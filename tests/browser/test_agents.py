"""The manage dialog: switches, the key, rotation, the end of an enrolment."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import OpenPage
from tests.browser.walking import dialog_of
from tests.browser.world import World

pytestmark = pytest.mark.browser

NOAH = "noah.kim@brightwater.dev"


def managed(page: Page) -> Locator:
    page.get_by_role("link", name=f"Manage OpenCode of {NOAH}").click()
    return dialog_of(page, f"OpenCode · {NOAH}")


def test_switches_act_at_once_and_stay(used_world: World, open_page: OpenPage) -> None:
    page = open_page(used_world)
    dialog = managed(page)
    compression = dialog.get_by_role("switch", name="Token compression")
    debug = dialog.get_by_role("switch", name="Debug mode")
    expect(compression).to_be_checked()
    expect(debug).not_to_be_checked()
    compression.click()
    expect(compression).not_to_be_checked()
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(page.get_by_role("link", name=f"Manage OpenCode of {NOAH}")).to_be_focused()
    dialog = managed(page)
    expect(dialog.get_by_role("switch", name="Token compression")).not_to_be_checked()


def test_debug_mode_asks_first_and_says_until_when(used_world: World, open_page: OpenPage) -> None:
    page = open_page(used_world)
    managed(page).get_by_role("switch", name="Debug mode").click()
    question = dialog_of(page, "Turn on debug mode?")
    expect(question).to_contain_text("may hold sensitive prompts")
    expect(question.get_by_role("radio", name="1 hour")).to_be_checked()
    question.get_by_role("link", name="Back").click()
    debug = dialog_of(page, f"OpenCode · {NOAH}").get_by_role("switch", name="Debug mode")
    expect(debug).not_to_be_checked()
    debug.click()
    question.get_by_text("8 hours").click()
    question.get_by_role("button", name="Turn on").click()
    dialog = dialog_of(page, f"OpenCode · {NOAH}")
    expect(debug).to_be_checked()
    expect(dialog).to_contain_text("Switches off by itself")
    expect(dialog.get_by_role("link", name="Show captures")).to_be_visible()
    dialog.get_by_role("link", name="Change the time").click()
    expect(dialog_of(page, "Another time for debug mode")).to_be_visible()
    page.keyboard.press("Escape")
    debug = managed(page).get_by_role("switch", name="Debug mode")
    debug.click()
    expect(debug).not_to_be_checked()
    expect(dialog).not_to_contain_text("Switches off by itself")


def test_a_switch_rolls_back_when_the_server_does_not_answer(
    used_world: World, open_page: OpenPage
) -> None:
    open_page.expect("ERR_FAILED")
    open_page.expect("Failed to fetch")
    open_page.expect("failed: ")
    page = open_page(used_world)
    dialog = managed(page)
    page.route("**/compression", lambda route: route.abort())
    compression = dialog.get_by_role("switch", name="Token compression")
    compression.click()
    expect(page.get_by_text("The server cannot be reached")).to_be_visible()
    expect(compression).to_be_checked()


def test_the_key_is_revealed_rotated_and_the_old_one_ends(
    used_world: World, open_page: OpenPage
) -> None:
    enrolment = used_world.services.enrolment
    page = open_page(used_world)
    dialog = managed(page)
    dialog.get_by_role("button", name="Reveal").click()
    old = dialog.locator(".tg-line-text").inner_text()
    assert enrolment.authenticate(old) is not None
    dialog.get_by_role("link", name="Rotate…").click()
    dialog_of(page, "Rotate the key")
    dialog.get_by_role("radio").first.check()
    dialog.get_by_role("button", name="Rotate the key").click()
    expect(dialog).to_contain_text("tidegate login")
    assert enrolment.authenticate(old) is None
    dialog.get_by_role("link", name="Manage agent").click()
    dialog_of(page, f"OpenCode · {NOAH}")
    dialog.get_by_role("button", name="Reveal").click()
    expect(dialog.locator(".tg-line-text")).not_to_have_text(old)
    new = dialog.locator(".tg-line-text").inner_text()
    assert enrolment.authenticate(new) is not None


def test_with_an_overlap_both_keys_work_for_a_while(used_world: World, open_page: OpenPage) -> None:
    page = open_page(used_world)
    dialog = managed(page)
    dialog.get_by_role("button", name="Reveal").click()
    old = dialog.locator(".tg-line-text").inner_text()
    dialog.get_by_role("link", name="Rotate…").click()
    dialog_of(page, "Rotate the key")
    dialog.get_by_role("radio").last.check()
    dialog.get_by_role("button", name="Rotate the key").click()
    expect(dialog).to_contain_text("tidegate login")
    assert used_world.services.enrolment.authenticate(old) is not None
    used_world.now_us += 31 * 86_400_000_000
    assert used_world.services.enrolment.authenticate(old) is None


@pytest.mark.parametrize("scripts", [True, False])
def test_unenrolling_names_member_and_agent_first(
    used_world: World, open_page: OpenPage, scripts: bool
) -> None:
    page = open_page(used_world, java_script_enabled=scripts)
    page.get_by_role("link", name=f"Manage OpenCode of {NOAH}").click()
    page.get_by_role("link", name="Unenrol…").click()
    title = page.locator("#tg-dialog-title")
    expect(title).to_contain_text("OpenCode")
    expect(title).to_contain_text(NOAH)
    last = page.get_by_role("button", name=re.compile("Unenrol"))
    expect(last).not_to_be_focused()
    last.click()
    expect(page.get_by_role("link", name=f"Manage OpenCode of {NOAH}")).to_have_count(0)
    keys = used_world.services.enrolment.list_keys(used_world.organization_id)
    member = used_world.services.members.by_email(used_world.organization_id, NOAH)
    assert member.member_id not in {key.record.member_id for key in keys}


def test_two_admins_at_once(used_world: World, open_page: OpenPage) -> None:
    open_page.expect("status of 404")
    mine, yours = open_page(used_world), open_page(used_world)
    dialog = managed(mine)
    other = managed(yours)
    other.get_by_role("link", name="Unenrol…").click()
    other.get_by_role("button", name=re.compile("Unenrol")).click()
    expect(other).not_to_be_visible()
    dialog.get_by_role("switch", name="Debug mode").click()
    expect(mine.get_by_role("status").or_(mine.get_by_role("alert")).last).to_be_visible()
    mine.keyboard.press("Escape")
    expect(mine.get_by_role("link", name=f"Manage OpenCode of {NOAH}")).to_have_count(0)
