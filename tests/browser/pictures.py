"""Takes the pictures of the documentation: `python -m tests.browser.pictures`.

They show the team of `tidegate demo` on a Wednesday afternoon, so that they come out the same.
"""

import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page
from tests.browser.captured import captured_turn
from tests.browser.chromium import HEIGHT_PX, chromium
from tests.browser.serving import served_world
from tests.browser.walking import dialog_of
from tests.browser.world import World

from tidegate.services.audit import Actor

TARGET = Path(__file__).parents[2] / "docs" / "images"
_HOST = "tidegate.example"
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
    page.evaluate("scrollTo(0, 0)")


def manage(page: Page) -> None:
    page.get_by_role("link", name=f"Manage Claude Code of {_MEMBER}").click()
    dialog_of(page, f"Claude Code · {_MEMBER}")


def fill_in(page: Page) -> None:
    page.get_by_label("Email").fill("maya.lindqvist@brightwater.example")
    page.get_by_label("Password").fill("twelve of them")
    page.locator("h1").click()


def open_a_row(page: Page) -> None:
    page.locator("#log-histogram .tg-bar").first.wait_for(state="attached")
    page.locator(".tg-log-bug").first.click()
    page.locator("#log-side .tg-log-event").wait_for()
    page.mouse.move(0, 0)


PICTURES = (
    Picture("overview-light", "/", before=look_at_a_bar),
    Picture("overview-dark", "/", "dark", before=look_at_a_bar),
    Picture("team-light-1440", "/", whole=True, before=look_at_a_bar),
    Picture("team-dark-1440", "/", "dark", whole=True, before=look_at_a_bar),
    Picture("team-light-390", "/", width=390, whole=True),
    Picture("my-usage-light", "/my-usage"),
    Picture("logs-light", "/logs?outcome=ok", before=open_a_row),
    Picture("logs-dark", "/logs?outcome=ok", "dark", before=open_a_row),
    Picture("settings-light", "/settings/members"),
    Picture("manage-dark", "/", "dark", before=manage),
    Picture("enrol-light", "/", before=enrol),
    Picture("sign-in-light", "/sign-in", signed_in=False, before=fill_in),
)
CAPTURE = Picture("capture-light", "/logs/{}/capture", whole=True)
FIRST_RUN = Picture("first-run-light", "/")


class Photographer:
    """Takes pictures of one world, signed in once."""

    def __init__(self, browser: Browser, world: World) -> None:
        self._browser = browser
        self._world = world
        self._login = world.login()

    def take(self, picture: Picture) -> None:
        url = self._world.options.public_url
        context = self._browser.new_context(
            viewport={"width": picture.width, "height": HEIGHT_PX},
            base_url=url,
            color_scheme="dark" if picture.scheme == "dark" else "light",
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="Europe/Berlin",
        )
        context.clock.set_fixed_time(self._world.now_us / 1e6)
        if picture.signed_in:
            context.add_cookies([{"name": "tidegate_login", "value": self._login, "url": url}])
        page = context.new_page()
        page.goto(picture.path)
        page.evaluate("document.fonts.ready.then(() => 0)")
        picture.before(page)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=TARGET / f"{picture.name}.png", full_page=picture.whole)
        context.close()


def take_all() -> None:
    """Under the name of a public server, whatever port it is really on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    there = f"--host-resolver-rules=MAP {_HOST}:80 127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as scratch, chromium(there) as browser:
        with served_world(Path(scratch) / "data", f"http://{_HOST}", port) as world:
            world.demo()
            event_id = captured_turn(world)
            photographer = Photographer(browser, world)
            for picture in PICTURES:
                photographer.take(picture)
            photographer.take(CAPTURE._replace(path=CAPTURE.path.format(event_id)))
        with served_world(Path(scratch) / "empty", f"http://{_HOST}", port) as world:
            world.found()
            members = world.services.members
            owner, me = world.owner_id, Actor(world.owner_id)
            members.rename(world.organization_id, owner, "Maya Lindqvist", actor=me)
            Photographer(browser, world).take(FIRST_RUN)


if __name__ == "__main__":
    TARGET.mkdir(parents=True, exist_ok=True)
    take_all()
