"""Takes the pictures of the documentation: `python -m tests.browser.pictures`.

They show the team of `tidegate demo` on a Wednesday afternoon, so that they come out the same.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page
from tests.browser.chromium import HEIGHT_PX, chromium, sign_in
from tests.browser.serving import served_world
from tests.browser.walking import dialog_of
from tests.browser.world import World

TARGET = Path(__file__).parents[2] / "docs" / "images"
_MEMBER = "Aiko Tanaka"
_NEW = "Ben Carter"


class Picture(NamedTuple):
    """One picture: a page, and what is done on it before."""

    name: str
    path: str
    scheme: str = "light"
    width: int = 1440
    whole: bool = False  # the page to its end, not what the window shows
    signed_in: bool = True
    before: Callable[[Page], object] = lambda page: None


def look_at_a_bar(page: Page) -> None:
    page.locator(".tg-bar").nth(14).hover()


def enrol(page: Page) -> None:
    page.get_by_role("link", name=f"New coding agent for {_NEW}").click()
    dialog = dialog_of(page, "New coding agent")
    dialog.get_by_role("radio", name="Codex").check()
    dialog.get_by_role("button", name="Enrol").click()
    dialog_of(page, f"Codex for {_NEW}")


def manage(page: Page) -> None:
    page.get_by_role("link", name=f"Manage Claude Code of {_MEMBER}").click()
    dialog_of(page, f"Claude Code · {_MEMBER}")


def fill_in(page: Page) -> None:
    page.get_by_label("Email").fill("maya.lindqvist@brightwater.example")
    page.get_by_label("Password").fill("twelve of them")
    page.locator("h1").click()


PICTURES = (
    Picture("team-light-1440", "/", whole=True, before=look_at_a_bar),
    Picture("team-dark-1440", "/", "dark", whole=True, before=look_at_a_bar),
    Picture("team-light-390", "/", width=390, whole=True),
    Picture("team-table-light", "/?view=table&sort=tokens"),
    Picture("my-usage-light", "/my-usage"),
    Picture("settings-light", "/settings/providers"),
    Picture("members-dark", "/settings/members", "dark"),
    Picture("audit-light", "/settings/audit"),
    Picture("manage-dark", "/", "dark", before=manage),
    Picture("enrol-light", "/", before=enrol),
    Picture("sign-in-light", "/sign-in", signed_in=False, before=fill_in),
)


def take(browser: Browser, world: World, picture: Picture) -> None:
    context = browser.new_context(
        viewport={"width": picture.width, "height": HEIGHT_PX},
        base_url=world.options.public_url,
        color_scheme="dark" if picture.scheme == "dark" else "light",
        reduced_motion="reduce",
        timezone_id="Europe/Berlin",
    )
    context.clock.set_fixed_time(world.now_us / 1e6)
    if picture.signed_in:
        sign_in(context, world)
    page = context.new_page()
    page.goto(picture.path)
    page.evaluate("document.fonts.ready.then(() => 0)")
    picture.before(page)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=TARGET / f"{picture.name}.png", full_page=picture.whole)
    context.close()


def take_first_run(browser: Browser, folder: Path) -> None:
    with served_world(folder) as world:
        world.found()
        take(browser, world, Picture("first-run-light", "/"))


if __name__ == "__main__":
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        with served_world(Path(scratch) / "data") as world:
            world.demo()
            for picture in PICTURES:
                take(browser, world, picture)
        take_first_run(browser, Path(scratch) / "empty")
