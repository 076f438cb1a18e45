"""A member from the invitation to the first request of a real Claude Code, on a whole server."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenPage
from tests.browser.walking import dialog_of
from tests.wire.agents import CLAUDE_NEW, PROMPT, Workplace
from tests.wire.book import DEADLINE_S
from tests.wire.site import TIDEGATE, Site, running_site

pytestmark = [pytest.mark.browser, pytest.mark.wire]

MOST_RUNS = 3
GRACE = "grace.hopper@acme.example"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), providers=["anthropic"]) as running:
        yield running


def opened(open_page: OpenPage, site: Site, url: str) -> Page:
    return open_page.at(url, base_url=site.tap.url)


def debug(page: Page) -> None:
    """Switch debug mode on, for an hour."""
    page.get_by_role("link", name="Manage Claude Code of Grace Hopper").click()
    manage = dialog_of(page, "Claude Code · Grace Hopper")
    manage.get_by_role("switch", name="Debug mode").click()
    dialog_of(page, "Turn on debug mode?").get_by_role("button", name="Turn on").click()
    dialog_of(page, "Claude Code · Grace Hopper")
    expect(manage.get_by_role("switch", name="Debug mode")).to_be_checked()


def read_what_was_captured(page: Page, site: Site, workplace: Workplace) -> None:
    """Another session, found by its bug icon: what the agent said, called and was answered."""
    for _ in range(MOST_RUNS):  # the gateway learns of the switch within a second
        run = workplace.run([*TIDEGATE, "launch", "claude", *CLAUDE_NEW.headless()])
        assert run.status == 0, run.said
        site.server.admin("usage")  # which drains
        page.goto("/logs?captured=yes")
        if page.locator(".tg-log-bug").count():
            break
    page.locator(".tg-log-bug").first.click()
    expect(page.locator("#event-title")).to_be_visible()
    deadline = time.monotonic() + DEADLINE_S
    while not page.get_by_role(
        "link", name="Open capture"
    ).count():  # it is moved every half second
        assert time.monotonic() < deadline
        page.reload()
    page.get_by_role("link", name="Open capture").click()
    expect(page.locator(".tg-said-user").first).to_contain_text(PROMPT)
    expect(page.locator(".tg-said", has_text="tools that may be called")).to_have_count(1)
    expect(page.locator(".tg-call").first).to_contain_text("Bash")
    expect(page.locator(".tg-result").first).to_be_visible()
    page.get_by_role("link", name="Response", exact=True).click()
    expect(page.locator(".tg-events")).to_contain_text("message_start")
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_text("sent byte for byte as it was received")).to_be_visible()


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

    debug(page)
    read_what_was_captured(page, site, workplace)
    page.goto("/")
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
