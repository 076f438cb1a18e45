"""GitHub on the Team page: its states from nothing to data, sums, and where its links lead."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenPage
from tests.browser.world import DAY_US, World

from tidegate.core.model import Cost, Link, TokenCounts
from tidegate.store.forge import Facts, PullRequest, RepositoryFact

pytestmark = pytest.mark.browser

APP = "github.com/acme/app"
USD = 1_000_000_000


def use(world: World, key: object, session: str, usd: int, **more: object) -> None:
    tokens = TokenCounts(input=1_000, output=100)
    world.use(key, tokens, Cost(input=usd * USD), session_id=session, **more)  # type: ignore[arg-type]


def tell_of_pulls(world: World) -> None:
    common: dict[str, Any] = {"repository_id": 1, "repository": APP, "author": "ada"}
    merged_us = world.now_us - DAY_US
    pulls = [
        PullRequest(
            **common, number=12, title="Fix the login", state="merged", merged_us=merged_us
        ),
        PullRequest(**common, number=13, title="Add <b>search</b>", state="open"),
    ]
    repository = RepositoryFact(repository_id=1, name=APP, at_us=1)
    facts = Facts(repositories=[repository], pull_requests=pulls)
    world.store.usage.forge.take(world.organization_id, facts)


def sum_of(page: Page, heading: str) -> int:
    grid = page.locator(f"section[aria-labelledby={heading}] .tg-work .tg-middle data")
    return sum(map(int, grid.evaluate_all("all => all.map(one => one.value)")))


def test_from_nothing_to_pull_requests_and_what_they_cost(
    world: World, open_page: OpenPage
) -> None:
    key = world.enroll("elena@brightwater.dev")
    use(world, key, "ses_0", 1)
    page = open_page(world)
    top = page.locator(".tg-ranking")
    expect(top.get_by_text("See what each repository costs")).to_be_visible()
    expect(top.get_by_role("link", name="Connect GitHub")).to_have_attribute(
        "href", "/settings/github"
    )

    for session, usd, number in (("ses_1", 2, 12), ("ses_2", 4, 13), ("ses_3", 8, 0)):
        links = (Link("pull_request", f"{APP}#{number}", "tool"),) if number else ()
        use(world, key, session, usd, repository=APP, links=links)
    page.reload()
    expect(top.get_by_text("Connect GitHub for titles and states")).to_be_visible()
    expect(top.locator("li")).to_have_count(1)

    world.connect_github()
    tell_of_pulls(world)
    page.reload()
    expect(page.get_by_text("Connect GitHub")).to_have_count(0)
    assert sum_of(page, "repositories") == sum_of(page, "pulls") == 15 * USD
    pulls = page.locator("section[aria-labelledby=pulls] .tg-work")
    expect(pulls).to_have_count(3)
    expect(pulls.nth(0)).to_contain_text(re.compile(r"Open\s*app #13\s*Add <b>search</b>"))
    expect(pulls.nth(1)).to_contain_text(re.compile(r"Merged\s*app #12"))
    expect(pulls.nth(2)).to_contain_text("Unattributed")
    title = pulls.nth(1).get_by_role("link", name="Fix the login")
    expect(title).to_have_attribute("href", f"https://{APP}/pull/12")

    pulls.nth(1).get_by_role("link", name="$2.00").click()
    expect(page).to_have_url(re.compile("/sessions.*pull_request=.*12"))
    page.go_back()
    page.locator(".tg-metric:has-text('Per merged PR') a").click()
    expect(page.get_by_role("heading", name="Merged pull requests", level=1)).to_be_visible()
    expect(page.get_by_role("row", name="Fix the login")).to_contain_text("$2.00")

    page.goto(f"{world.options.public_url}/?range=24h")
    world.now_us += 10 * DAY_US
    page.reload()
    expect(top.get_by_text("No repository activity in this period")).to_be_visible()
    expect(page.get_by_text("Connect GitHub")).to_have_count(0)
