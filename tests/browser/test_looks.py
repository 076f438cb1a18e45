"""Every page at every width, in light and dark: accessible, inside its window, no complaint."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from tests.browser import everything
from tests.browser.conftest import OpenPage
from tests.browser.walking import BOTH, open_dialog, settle
from tests.browser.world import World

from tidegate.core.model import Cost, TokenCounts

pytestmark = pytest.mark.browser

WIDTHS = [360, 390, 768, 1024, 1440, 2560]


def violations(page: Page) -> list[str]:
    """What axe finds, of any weight, once all that fades in has: half faded, contrast is low."""
    settle(page)
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {node['html']}" for v in found for node in v["nodes"]]


def too_wide(page: Page) -> list[int]:
    """The widths of the window that the page does not keep to."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate("document.documentElement.scrollWidth") != width:
            found.append(width)
    return found


# Of the two pairs in `make test` each sees every second page; in the soak the others see all.
HALVES = {(1440, "light"): slice(0, None, 2), (390, "dark"): slice(1, None, 2)}


@BOTH
@pytest.mark.timeout(300)
def test_axe_finds_nothing_on_the_pages(
    team_world: World, open_page: OpenPage, width: int, scheme: str
) -> None:
    page = open_page(team_world, width=width, color_scheme=scheme)
    found = {}
    pages = list(everything.pages(team_world).items())
    for name, path in pages[HALVES.get((width, scheme), slice(None))]:
        page.goto(path)
        found[name] = violations(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


@BOTH
def test_axe_finds_nothing_outside(
    team_world: World, open_page: OpenPage, width: int, scheme: str
) -> None:
    page = open_page(team_world, "/sign-in", signed_in=False, width=width, color_scheme=scheme)
    found = {}
    for name, path in everything.outside(team_world).items():
        page.goto(path)
        found[name] = violations(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


@BOTH
def test_axe_finds_nothing_in_the_dialogs(
    team_world: World, open_page: OpenPage, width: int, scheme: str
) -> None:
    page = open_page(team_world, "/settings/members", width=width, color_scheme=scheme)
    found = {}
    for name, path in everything.dialogs(team_world).items():
        dialog = open_dialog(page, path)
        box = dialog.bounding_box()
        assert box is not None
        assert box["width"] <= width, name
        assert dialog.evaluate("it => it.scrollWidth <= it.clientWidth"), name
        found[name] = violations(page)
        page.keyboard.press("Escape")
        expect(dialog).not_to_be_visible()
    assert {name: faults for name, faults in found.items() if faults} == {}


@BOTH
def test_axe_finds_nothing_on_first_pages(
    empty_world: World, open_page: OpenPage, width: int, scheme: str
) -> None:
    look: dict[str, Any] = {"width": width, "color_scheme": scheme}
    token = empty_world.services.logins.make_setup_token()
    open_page.expect("status of 404")
    found = violations(open_page(empty_world, f"/setup/{token}", signed_in=False, **look))
    found += violations(open_page(empty_world, "/sign-in", signed_in=False, **look))
    empty_world.found()
    for path in ("/", "/my-usage", "/settings/providers", "/no-such-page"):
        page = open_page(empty_world, path, **look)
        found += violations(page)
        assert too_wide(page) == [], path
    assert found == []


@pytest.mark.timeout(300)
def test_nothing_is_wider_than_the_window(team_world: World, open_page: OpenPage) -> None:
    page = open_page(team_world)
    found = {}
    for name, path in everything.pages(team_world).items():
        page.goto(path)
        found[name] = too_wide(page)
    page = open_page(team_world, "/sign-in", signed_in=False)
    for name, path in everything.outside(team_world).items():
        page.goto(path)
        found[name] = too_wide(page)
    assert {name: widths for name, widths in found.items() if widths} == {}


def test_long_and_foreign_names_keep_the_page_in_shape(world: World, open_page: OpenPage) -> None:
    name = "\N{RIGHT-TO-LEFT OVERRIDE}محمد🌊<script>alert(1)</script>" + "w" * 50
    world.services.organizations.update(world.organization_id, name=name)
    for email in ("ö" * 60 + "@brightwater.dev", "a@" + "x" * 60 + ".dev"):
        key = world.enroll(email)
        world.use(key, TokenCounts(input=10**15), Cost(input=10**17), model="m" * 200)
    page = open_page(world)
    for path in ("/", "/?view=table", "/settings/members", "/settings/audit"):
        page.goto(path)
        assert too_wide(page) == [], path
    page.goto("/")
    expect(page.locator(".tg-member")).to_have_count(3)
