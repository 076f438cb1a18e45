"""A served console, and pages that fail a test on any complaint of the browser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from tests.browser.chromium import HEIGHT_PX, chromium, sign_in
from tests.browser.sample import fill
from tests.browser.serving import served_world
from tests.browser.world import World

OpenPage = Callable[..., Page]


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


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens pages, signed in if a world is given; no page may have complained at the end."""
    complaints: list[str] = []
    contexts = []

    def open_one(
        world: World, path: str = "/", *, signed_in: bool = True, width: int = 1440, **more: Any
    ) -> Page:
        size = {"width": width, "height": HEIGHT_PX}
        url = world.options.public_url
        context = browser.new_context(viewport=size, base_url=url, **more)  # type: ignore[arg-type]
        contexts.append(context)
        if signed_in:
            sign_in(context, world)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        page.goto(path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []
