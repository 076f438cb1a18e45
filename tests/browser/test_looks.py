"""Every page at every width, in light and dark: accessible, inside its window, no complaint."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from tests.browser.conftest import OpenPage
from tests.browser.world import World

from tidegate.core.model import Cost, TokenCounts

pytestmark = pytest.mark.browser

WIDTHS = [360, 390, 768, 1024, 1440, 2560]
PAGES = ["usage", "sign_in", "confirm", "install", "setup", "first_run", "empty"]


def prepared(name: str, request: pytest.FixtureRequest) -> tuple[World, str, bool]:
    """The world, the path and whether someone is signed in for a page of that name."""
    match name:
        case "usage":
            return request.getfixturevalue("used_world"), "/?range=30d", True
        case "empty":
            world: World = request.getfixturevalue("used_world")
            world.now_us += 10 * 86_400_000_000
            return world, "/?range=7d", True
        case "first_run":
            return request.getfixturevalue("world"), "/", True
        case "setup":
            world = request.getfixturevalue("empty_world")
            return world, f"/setup/{world.services.logins.make_setup_token()}", False
    world = request.getfixturevalue("world")
    logins = world.services.logins
    token = logins.make_sign_in_token(world.organization_id, world.owner_id)
    return (
        world,
        {"sign_in": "/", "confirm": f"/sign-in/{token}", "install": "/install/"}[name],
        False,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(
    request: pytest.FixtureRequest, open_page: OpenPage, name: str, width: int, scheme: str
) -> None:
    world, path, signed_in = prepared(name, request)
    page = open_page(world, path, signed_in=signed_in, width=width, color_scheme=scheme)
    violations = Axe().run(page).response["violations"]
    found = [f"{v['id']}: {n['html']}" for v in violations for n in v["nodes"]]
    assert found == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_window(
    request: pytest.FixtureRequest, open_page: OpenPage, name: str
) -> None:
    world, path, signed_in = prepared(name, request)
    page = open_page(world, path, signed_in=signed_in)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_long_and_foreign_names_keep_the_page_in_shape(world: World, open_page: OpenPage) -> None:
    name = "\N{RIGHT-TO-LEFT OVERRIDE}محمد🌊<script>alert(1)</script>" + "w" * 50
    world.services.organizations.update(world.organization_id, name=name)
    for email in ("ö" * 60 + "@brightwater.dev", "a@" + "x" * 60 + ".dev"):
        key = world.enroll(email)
        world.use(key, TokenCounts(input=10**15), Cost(input=10**17), model="m" * 200)
    page = open_page(world, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("tbody tr").count() == 2
