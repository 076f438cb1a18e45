"""A member from the invitation to the first request of a real Claude Code, on a whole server."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenPage
from tests.browser.walking import dialog_of
from tests.wire.agents import CLAUDE_NEW, Workplace
from tests.wire.site import TIDEGATE, Site, running_site

pytestmark = [pytest.mark.browser, pytest.mark.wire]

GRACE = "grace.hopper@acme.example"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), providers=["anthropic"]) as running:
        yield running


def opened(open_page: OpenPage, site: Site, url: str) -> Page:
    return open_page.at(url, base_url=site.tap.url)


def test_from_the_invitation_to_the_first_request(
    site: Site, open_page: OpenPage, tmp_path: Path
) -> None:
    link = site.server.admin("sign-in-link", "--email", "ada@acme.example")["sign_in_url"]
    page = opened(open_page, site, link)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Invite a member").first.click()
    dialog = dialog_of(page, "Invite a member")
    dialog.get_by_label("Email").fill(GRACE)
    dialog.get_by_role("button", name="Invite").click()
    dialog_of(page, f"Invitation for {GRACE}")
    guest = opened(open_page, site, dialog.locator(".tg-line-text").inner_text())
    dialog.get_by_role("button", name="Done").click()
    guest.get_by_label("Your name").fill("Grace Hopper")
    guest.get_by_role("button", name="Join Acme").click()
    expect(guest).to_have_title("My usage · Acme · Tidegate")

    page.reload()
    page.get_by_role("link", name="New coding agent for Grace Hopper").click()
    dialog_of(page, "New coding agent")
    dialog.get_by_role("radio", name=re.compile("Claude Code")).check()
    dialog.get_by_role("button", name="Enrol").click()
    dialog_of(page, "Claude Code for Grace Hopper")
    expect(dialog.get_by_text("Waiting for the first request…")).to_be_visible()

    login = dialog.get_by_text(re.compile("^tidegate login ")).inner_text().split()
    workplace = Workplace(tmp_path / "grace")
    workplace.install(CLAUDE_NEW)
    run = workplace.run([*TIDEGATE, *login[1:]])
    assert run.status == 0, run.said
    run = workplace.run([*TIDEGATE, "launch", "claude", *CLAUDE_NEW.headless()])
    assert run.status == 0, run.said
    expect(dialog.get_by_text("The first request is in")).to_be_visible()
    dialog.get_by_role("button", name="Done").click()
    expect(page.get_by_role("article", name="Grace Hopper")).to_contain_text("Active now")
    expect(page.get_by_role("heading", name="Top repositories")).to_be_visible()
    expect(page.locator(".tg-ranking-name").first).to_have_text("acme/tide")

    page.get_by_role("link", name="Manage Claude Code of Grace Hopper").click()
    dialog_of(page, "Claude Code · Grace Hopper")
    dialog.get_by_role("button", name="Reveal").click()
    key = dialog.locator(".tg-line-text").inner_text()
    dialog.get_by_role("link", name="Unenrol…").click()
    dialog.get_by_role("button", name=re.compile("Unenrol")).click()
    expect(dialog).not_to_be_visible()
    site.wait_told(key, "not valid")
    run = workplace.run([*TIDEGATE, "launch", "claude", *CLAUDE_NEW.headless()])
    assert run.status != 0
