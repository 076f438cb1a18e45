"""What several browser tests do: moving by keyboard, and the one dialog."""

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.world import World

MOST_STOPS = 120


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
    seen = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        seen.append(focused(page))
        if seen[-1] == label:
            return
    raise AssertionError(f"Tab never reaches {label!r}, but {seen}")


def dialog_of(page: Page, title: str) -> Locator:
    """The page's dialog, once it shows what has this title."""
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("#tg-dialog-title")).to_have_text(title)
    return dialog


def link_of(world: World, member_id: str = "") -> str:
    """The path of a link that signs someone in, the owner if nobody is named."""
    who = member_id or world.owner_id
    return f"/sign-in/{world.services.logins.make_sign_in_token(world.organization_id, who)}"


# Each width and each scheme in `make test`, every pair of them in the soak.
BOTH = pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (390, "dark"),
        (1440, "light"),
        pytest.param(390, "light", marks=pytest.mark.soak),
        pytest.param(1440, "dark", marks=pytest.mark.soak),
    ],
)


def settle(page: Page) -> None:
    """Wait until all that fades in has: half faded, colours are others."""
    page.evaluate(
        """() => Promise.allSettled(document.getAnimations()
            .filter(it => it.effect.getComputedTiming().endTime !== Infinity)
            .map(it => it.finished)
        )"""
    )


def open_dialog(page: Page, path: str) -> Locator:
    """Open a dialog as a link on the page does."""
    page.evaluate(
        """path => {
            const link = document.createElement("a");
            Object.assign(link, { href: path, textContent: "there" }).dataset.dialog = "";
            document.querySelector("main").append(link);
            link.click();
            link.remove();
        }""",
        path,
    )
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("#tg-dialog-title")).to_be_visible()
    return dialog
