"""Takes the pictures of the documentation: `python -m tests.browser.pictures`."""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser
from tests.browser.chromium import HEIGHT_PX, chromium, sign_in
from tests.browser.sample import fill
from tests.browser.serving import served_world
from tests.browser.world import World

TARGET = Path(__file__).parents[2] / "docs" / "images"
WIDTHS = (1440, 390)
SCHEMES = ("light", "dark")


def take(browser: Browser, world: World, name: str, *, signed_in: bool) -> None:
    for scheme in SCHEMES:
        for width in WIDTHS:
            context = browser.new_context(
                viewport={"width": width, "height": HEIGHT_PX},
                base_url=world.options.public_url,
                color_scheme="dark" if scheme == "dark" else "light",
            )
            if signed_in:
                sign_in(context, world)
            page = context.new_page()
            page.goto("/")
            page.evaluate("document.fonts.ready")
            page.screenshot(path=TARGET / f"{name}-{scheme}-{width}.png", full_page=signed_in)
            context.close()


if __name__ == "__main__":
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, served_world(Path(folder) / "data") as world:
        world.found()
        fill(world)
        with chromium() as browser:
            take(browser, world, "usage", signed_in=True)
            take(browser, world, "sign-in", signed_in=False)
