"""Chromium as the browser tests and the pictures use it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, sync_playwright
from tests.browser.world import World

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome")
HEIGHT_PX = 900


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=[*_FLAGS, *flags])
        yield browser
        browser.close()


def executable() -> str:
    """The path of the browser's program."""
    chosen = os.environ.get("TIDEGATE_TEST_CHROMIUM", "")
    for name in (chosen, *_NAMES):
        if name and (path := shutil.which(name)):
            return path
    raise RuntimeError("The browser tests need Chromium: run tools/install_chromium.sh")


def sign_in(context: BrowserContext, world: World, member_id: str = "") -> None:
    """Give the browser the cookie of a new login, of the owner if nobody else is named."""
    url, secret = world.options.public_url, world.login(member_id)
    context.add_cookies([{"name": "tidegate_login", "value": secret, "url": url}])
