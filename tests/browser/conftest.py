"""A served console, and pages that fail a test on any complaint of the browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request
from tests.browser.chromium import HEIGHT_PX, chromium, sign_in
from tests.browser.sample import fill
from tests.browser.serving import served_world
from tests.browser.world import World


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def empty_world(tmp_path: Path) -> Iterator[World]:
    """A served console without an organization."""
    with served_world(tmp_path / "data") as world:
        yield world


@pytest.fixture
def world(empty_world: World) -> World:
    """A served console with an organization that nobody used yet."""
    empty_world.found()
    return empty_world


@pytest.fixture
def used_world(world: World) -> World:
    """A served console with a month of use."""
    fill(world)
    return world


@pytest.fixture(scope="session")
def team_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A served console with the team of `tidegate demo`, for tests that change nothing."""
    with served_world(tmp_path_factory.mktemp("team") / "data") as world:
        world.demo()
        yield world


class OpenPage:
    """Opens pages; none may have complained at the end, but for what a test expects.

    The clock of the browser stands where that of the world stands.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._complaints: list[str] = []
        self._expected: list[str] = []

    def __call__(
        self,
        world: World,
        path: str = "/",
        *,
        signed_in: bool = True,
        member_id: str = "",
        width: int = 1440,
        **more: Any,
    ) -> Page:
        context = self._context(world.options.public_url, width, **more)
        context.clock.set_fixed_time(world.now_us / 1e6)
        if signed_in:
            sign_in(context, world, member_id)
        return self._page(context, path)

    def at(self, url: str, *, base_url: str, width: int = 1440, **more: Any) -> Page:
        """A page of a server that runs by itself, at the time it really is."""
        return self._page(self._context(base_url, width, **more), url)

    def _context(self, base_url: str, width: int, **more: Any) -> BrowserContext:
        size = {"width": width, "height": HEIGHT_PX}
        context = self._browser.new_context(viewport=size, base_url=base_url, **more)  # type: ignore[arg-type]
        self._contexts.append(context)
        return context

    def _page(self, context: BrowserContext, path: str) -> Page:
        page = context.new_page()
        page.on("console", lambda message: self._note(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("requestfailed", lambda request: self._note(_failure(request)))
        page.goto(path)
        return page

    def expect(self, complaint: str) -> None:
        """Do not mind complaints with this in them, as of an answer that is a refusal."""
        self._expected.append(complaint)

    def close(self) -> list[str]:
        """Close everything: what was complained of."""
        for context in self._contexts:
            context.close()
        return [
            each for each in self._complaints if not any(text in each for text in self._expected)
        ]

    def _note(self, complaint: str) -> None:
        if complaint:
            self._complaints.append(complaint)


def _failure(request: Request) -> str:
    # A page that is left ends what it was asking for.
    return "" if request.failure == "net::ERR_ABORTED" else f"failed: {request.url}"


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    opened = OpenPage(browser)
    yield opened
    assert opened.close() == []
