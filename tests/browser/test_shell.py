"""What every page has: theme, menu, focus, and little weight."""

import re

import pytest
from playwright.sync_api import expect
from tests.browser import everything
from tests.browser.conftest import OpenPage
from tests.browser.walking import focused, open_dialog, tab_to
from tests.browser.world import World

pytestmark = pytest.mark.browser


def test_everything_is_reached_by_tab_and_shows_the_focus(
    team_world: World, open_page: OpenPage
) -> None:
    page = open_page(team_world)
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    expect(page.locator(".tg-skip")).to_be_in_viewport()
    for label in (
        "Team",
        "Settings",
        "Theme: system. Switch to light",
        "Sign out",
        "Tokens",
        "Time range: Last 30 days",
        "Invite a member",
        "Show as a table",
        "Find a member",
        "Manage Claude Code of Tomás Herrera",
        "New coding agent for Tomás Herrera",
    ):
        tab_to(page, label)
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", label


def test_a_dialog_keeps_the_focus_and_gives_it_back(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world)
    label = "Manage Claude Code of Aiko Tanaka"
    page.get_by_role("link", name=label).focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    seen = []
    for _ in range(14):
        page.keyboard.press("Tab")
        assert dialog.evaluate("it => it.contains(document.activeElement)")
        seen.append(focused(page))
    assert {"Close", "Reveal", "Rotate…", "Unenrol…"} <= set(seen)
    page.keyboard.press("Escape")
    assert focused(page) == label


def test_no_dialog_begins_at_what_destroys(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, "/settings/members")
    for name, path in everything.dialogs(team_world).items():
        dialog = open_dialog(page, path)
        first = page.evaluate("document.activeElement.dataset.variant || ''")
        assert first != "destructive", name
        assert dialog.evaluate("it => it.contains(document.activeElement)"), name
        page.keyboard.press("Escape")
        expect(dialog).not_to_be_visible()


def test_the_theme_follows_the_system_until_one_is_chosen(
    team_world: World, open_page: OpenPage
) -> None:
    page = open_page(team_world, "/account", color_scheme="light")
    dark = re.compile(r"\bdark\b")
    html, button = page.locator("html"), page.locator(".tg-sidebar [data-theme-button]")
    expect(html).not_to_have_class(dark)
    page.emulate_media(color_scheme="dark")
    expect(html).to_have_class(dark)
    button.click()  # light
    expect(html).not_to_have_class(dark)
    page.reload()
    expect(html).not_to_have_class(dark)
    expect(button).to_have_accessible_name("Theme: light. Switch to dark")
    page.emulate_media(color_scheme="light")
    button.click()
    expect(html).to_have_class(dark)
    button.click()
    expect(html).not_to_have_class(dark)
    expect(button).to_have_accessible_name("Theme: system. Switch to light")


@pytest.mark.parametrize("scripts", [True, False])
def test_the_menu_of_a_phone(team_world: World, open_page: OpenPage, scripts: bool) -> None:
    page = open_page(team_world, width=390, java_script_enabled=scripts)
    entry = page.get_by_role("navigation", name="Menu").get_by_role("link", name="Settings")
    expect(entry).not_to_be_visible()
    menu = page.locator("summary[aria-label=Menu]")
    menu.focus()
    page.keyboard.press("Enter")
    expect(entry).to_be_visible()
    if scripts:
        page.keyboard.press("Escape")
        expect(entry).not_to_be_visible()
        expect(menu).to_be_focused()


def test_a_phone_shows_five_members_and_then_all(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world, width=390)
    expect(page.locator(".tg-member:visible")).to_have_count(5)
    page.get_by_role("link", name=re.compile("Show all .* members")).click()
    expect(page.locator(".tg-member:visible")).to_have_count(25)


def test_on_a_phone_the_table_scrolls_inside_its_card(
    team_world: World, open_page: OpenPage
) -> None:
    page = open_page(team_world, "/?view=table", width=390)
    scroller = page.locator(".tg-scroll").first
    scroller.locator("tbody tr").first.locator("td").last.scroll_into_view_if_needed()
    assert scroller.evaluate("it => it.scrollLeft") > 0
    assert page.evaluate("document.documentElement.scrollLeft") == 0


def test_commands_are_copied(world: World, open_page: OpenPage) -> None:
    page = open_page(world, "/install/", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the command").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert "/install/install.sh" in page.evaluate("navigator.clipboard.readText()")


def test_the_first_visit_is_small_and_asks_nobody_else(
    team_world: World, open_page: OpenPage
) -> None:
    page = open_page(team_world, "/install/")
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: list[float] = []
    asked: list[str] = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    network.on("Network.requestWillBeSent", lambda event: asked.append(event["request"]["url"]))
    page.goto("/", wait_until="networkidle")
    assert len(sizes) >= 8
    assert sum(sizes) < 300_000
    own = (team_world.options.public_url, "data:")  # Chromium draws its date fields from data
    assert [url for url in asked if not url.startswith(own)] == []
