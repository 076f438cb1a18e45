"""What people do on the console, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenPage
from tests.browser.world import World

pytestmark = pytest.mark.browser


def link_of(world: World) -> str:
    token = world.services.logins.make_sign_in_token(world.organization_id, world.owner_id)
    return f"/sign-in/{token}"


def focused(page: Page) -> str:
    """The label or text of what has the focus."""
    return str(
        page.evaluate(
            "document.activeElement.getAttribute('aria-label') || "
            "document.activeElement.innerText || document.activeElement.name"
        )
    ).strip()


def tab_to(page: Page, label: str) -> None:
    """Press Tab until that has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page) == label:
            return
    raise AssertionError(f"Tab never reaches {label!r}")


@pytest.mark.parametrize("scripts", [True, False])
def test_sign_in_by_link_and_out_again(
    used_world: World, open_page: OpenPage, scripts: bool
) -> None:
    page = open_page(used_world, link_of(used_world), signed_in=False, java_script_enabled=scripts)
    expect(page.locator("main")).to_contain_text("Brightwater")
    expect(page.locator("main")).to_contain_text("maya@brightwater.dev")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("Usage · Brightwater · Tidegate")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_set_up_with_the_keyboard_alone(empty_world: World, open_page: OpenPage) -> None:
    path = f"/setup/{empty_world.services.logins.make_setup_token()}"
    page = open_page(empty_world, path, signed_in=False)
    tab_to(page, "organization")
    page.keyboard.type("Brightwater")
    page.keyboard.press("Tab")
    page.keyboard.type("maya@brightwater.dev")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Welcome to Tidegate")).to_be_visible()
    expect(page.get_by_text("0 of 3")).to_be_visible()


def test_the_range_is_in_the_address_and_back_leads_back(
    used_world: World, open_page: OpenPage
) -> None:
    page = open_page(used_world)
    current = page.locator(".tg-segmented [aria-current]")
    expect(current).to_have_text("30d")
    page.get_by_role("link", name="Last 24 hours").click()
    expect(page).to_have_url(re.compile(r"\?range=24h$"))
    expect(current).to_have_text("24h")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.go_back()
    expect(current).to_have_text("30d")
    expect(page.locator("tbody tr")).to_have_count(8)


def test_everything_is_reached_by_tab_and_shows_the_focus(
    used_world: World, open_page: OpenPage
) -> None:
    page = open_page(used_world)
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    expect(page.locator(".tg-skip")).to_be_in_viewport()
    for label in ("Usage", "Theme: system. Switch to light", "Sign out", "Last 24 hours"):
        tab_to(page, label)
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", label
    tab_to(page, page.locator(".tg-scroll").inner_text())  # scrolls with the arrow keys


def test_the_theme_follows_the_system_until_one_is_chosen(
    used_world: World, open_page: OpenPage
) -> None:
    page = open_page(used_world, color_scheme="light")
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
def test_the_menu_of_a_phone(used_world: World, open_page: OpenPage, scripts: bool) -> None:
    page = open_page(used_world, width=390, java_script_enabled=scripts)
    entry = page.get_by_role("navigation", name="Menu").get_by_role("link", name="Usage")
    expect(entry).not_to_be_visible()
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(entry).to_be_visible()
    if scripts:
        page.keyboard.press("Escape")
        expect(entry).not_to_be_visible()
        expect(page.locator("summary")).to_be_focused()


def test_on_a_phone_the_table_scrolls_and_keeps_who_and_how_much_in_sight(
    used_world: World, open_page: OpenPage
) -> None:
    page = open_page(used_world, width=390)
    page.locator(".tg-scroll").evaluate("it => it.scrollLeft = it.scrollWidth")
    row = page.locator("tbody tr").first
    expect(row.locator("th")).to_be_in_viewport(ratio=0.99)
    expect(row.locator("td").last).to_be_in_viewport(ratio=0.9)
    expect(row.locator(".tg-when-narrow")).to_be_visible()


def test_commands_are_copied(world: World, open_page: OpenPage) -> None:
    page = open_page(world, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the command").nth(1).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "tidegate admin enroll --email maya@brightwater.dev --agent claude_code"


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


def test_the_first_visit_is_small(used_world: World, open_page: OpenPage) -> None:
    page = open_page(used_world)
    page.evaluate("document.fonts.ready")
    size = page.evaluate(
        "performance.getEntries().reduce((sum, e) => sum + (e.transferSize || 0), 0)"
    )
    assert 0 < size < 150_000
    elsewhere = page.evaluate(
        "performance.getEntriesByType('resource').map(e => e.name)"
        ".filter(name => !name.startsWith(location.origin))"
    )
    assert elsewhere == []
