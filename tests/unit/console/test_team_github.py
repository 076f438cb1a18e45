"""Repositories and pull requests on the Team page: states, cards, links, cost of merged ones."""

import html
import re
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.browser.world import DAY_US, World

from tidegate.core.attribution import Kind, Method
from tidegate.core.model import Cost, Link, TokenCounts
from tidegate.store.forge import Facts, PullRequest, RepositoryFact

pytestmark = pytest.mark.slow

TOKENS = TokenCounts(input=1_000, output=234)
USD = 1_000_000_000
APP = "github.com/acme/app"
CONNECT = 'href="/settings/github"'


def cost(usd: float) -> Cost:
    return Cost(input=round(usd * USD))


def on_pull(number: int, repository: str = APP) -> tuple[Link, ...]:
    value = f"{repository}#{number}"
    return (Link(Kind.PULL_REQUEST.value, value, Method.TOOL.value, source="gh pr create"),)


def tell(world: World, *pulls: PullRequest, name: str = APP, former: str = "") -> None:
    repository = RepositoryFact(repository_id=1, name=name, at_us=1)
    world.store.usage.forge.take(
        world.organization_id, Facts(repositories=[repository], pull_requests=pulls)
    )


def pull(number: int, state: str, title: str, **fields: Any) -> PullRequest:
    return PullRequest(
        repository_id=1,
        repository=APP,
        number=number,
        title=title,
        author="ada",
        state=state,
        updated_us=2,
        **fields,
    )


def cards(page: str, heading: str) -> list[str]:
    """The cards of a grid, as text."""
    [grid] = re.findall(rf'<section [^>]*aria-labelledby="{heading}">.*?</section>', page, re.S)
    found = re.findall(r"<article.*?</article>", grid, re.S)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", card)).split()) for card in found]


def sums(page: str, heading: str) -> int:
    """What the main figures of a grid's cards add up to."""
    [grid] = re.findall(rf'<section [^>]*aria-labelledby="{heading}">.*?</section>', page, re.S)
    mains = re.findall(r'<span class="tg-middle">(?:<a [^>]*>)?<data value="(\d+)"', grid)
    return sum(map(int, mains))


def test_the_four_states(world: World, owner: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    world.use(key, TOKENS, cost(1), session_id="ses_1")
    page = owner.get("/").text
    assert "See what each repository costs" in page
    assert CONNECT in page

    world.connect_github()
    page = owner.get("/").text
    assert "No repository activity in this period" in page
    assert "See what each repository costs" not in page
    assert 'href="/?range=90d"' in page

    world.use(key, TOKENS, cost(1), session_id="ses_2", repository=APP)
    page = owner.get("/").text
    assert "No repository activity" not in page
    assert CONNECT not in page


def test_without_a_connection_there_is_a_hint_beside_what_was_found(
    world: World, owner: TestClient
) -> None:
    key = world.enroll("elena@brightwater.dev")
    world.use(key, TOKENS, cost(1), session_id="ses_1", repository=APP, links=on_pull(12))
    page = owner.get("/").text
    assert "Connect GitHub</a> for titles and states" in page
    assert [card.split(" Sessions")[0] for card in cards(page, "pulls")] == [
        "app #12 $1.00 just now"
    ]


def test_cards_and_what_belongs_to_none_add_up(world: World, owner: TestClient) -> None:
    world.connect_github()
    tell(world, pull(12, "open", "Fix the <login>"), pull(13, "merged", "Add search", merged_us=5))
    key = world.enroll("elena@brightwater.dev")
    for n, (usd, number) in enumerate([(1, 0), (2, 12), (4, 13), (8, 14)]):
        links = on_pull(number) if number else ()
        world.use(key, TOKENS, cost(usd), session_id=f"ses_{n}", repository=APP, links=links)
    world.use(key, TOKENS, cost(16), session_id="ses_9")
    page = owner.get("/").text
    assert sums(page, "repositories") == sums(page, "pulls") == 31 * USD
    shown = [card.split(" Sessions")[0] for card in cards(page, "pulls")]
    assert shown == [
        "app #14 $8.00 just now",
        "Merged app #13 Add search $4.00 just now",
        "Open app #12 Fix the <login> $2.00 just now",
        "Unattributed $17.00 named no pull request",
    ]
    assert 'href="https://github.com/acme/app/pull/12"' in page
    assert "/sessions?range=30d&amp;pull_request=github.com%2Facme%2Fapp%2312" in page
    assert "/sessions?range=30d&amp;repository=github.com%2Facme%2Fapp" in page
    assert not re.search(r"<a [^>]*>(?:(?!</a>).)*<a ", page, re.S), "no links within links"


def test_a_renamed_repository_is_one(world: World, owner: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    world.use(key, TOKENS, cost(1), session_id="ses_1", repository=APP, days_ago=2)
    facts = Facts(
        repositories=[
            RepositoryFact(repository_id=1, name=APP, at_us=1),
            RepositoryFact(
                repository_id=1,
                name="github.com/acme/portal",
                at_us=world.now_us - DAY_US,
                telling=1,
                former=APP,
            ),
        ]
    )
    world.store.usage.forge.take(world.organization_id, facts)
    world.use(key, TOKENS, cost(2), session_id="ses_2", repository="github.com/acme/portal")
    [card] = cards(owner.get("/").text, "repositories")
    assert card.startswith("acme/ portal $3.00")


def test_many_are_paged(world: World, owner: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    for n in range(30):
        links = on_pull(n + 1, f"github.com/acme/r{n}")
        world.use(
            key,
            TOKENS,
            cost(1),
            session_id=f"ses_{n}",
            repository=f"github.com/acme/r{n}",
            links=links,
        )
    world.use(key, TOKENS, cost(1), session_id="ses_x")
    short = owner.get("/").text
    assert len(cards(short, "repositories")) == 6
    assert "Unattributed" in cards(short, "repositories")[-1]
    assert len(cards(owner.get("/?repositories=1").text, "repositories")) == 24
    last = cards(owner.get("/?repositories=2").text, "repositories")
    assert len(last) == 7
    assert last[-1].startswith("Unattributed")


def test_what_merged_pull_requests_cost(world: World, owner: TestClient) -> None:
    world.connect_github()
    merged_us = world.now_us - DAY_US
    key = world.enroll("elena@brightwater.dev")
    for number, usd in ((1, 1), (2, 2), (3, 6)):
        world.use(
            key, TOKENS, cost(usd), session_id=f"ses_{number}", repository=APP,
            links=on_pull(number), days_ago=40,
        )  # fmt: skip
    merged = [
        pull(n, "merged", f"Change {n}", merged_us=merged_us, additions=10, deletions=n)
        for n in (1, 2, 3, 4)
    ]
    tell(world, *merged, pull(5, "open", "Not yet"))
    page = owner.get("/").text
    assert "Per merged PR" in page
    assert "4 merged" in page
    assert 'href="/team/merged"><data value="3000000000"' in page
    page = owner.get("/team/merged").text
    tiles = dict(re.findall(r'metric-title">([^<]+)</span>.*?<data value="(\d+)"', page))
    assert tiles == {
        "Cost per merged PR": str(3 * USD),
        "Median": str(2 * USD),
        "All together": str(9 * USD),
    }
    assert "1 was merged without a known session" in page
    assert "Not yet" not in page
    assert page.count("Change ") == 4
    assert "/sessions?range=all&amp;pull_request=github.com%2Facme%2Fapp%233" in page
    assert "No pull request was merged" in owner.get("/team/merged?range=24h").text


def test_merged_pull_requests_are_paged_and_for_admins(
    world: World, owner: TestClient, client: TestClient
) -> None:
    changes = [pull(n, "merged", f"Change {n}", merged_us=world.now_us - n) for n in range(1, 61)]
    tell(world, *changes)
    first = owner.get("/team/merged").text
    assert first.count("Change ") == 50
    [older] = re.findall(r'href="([^"]+)" rel="next"', first)
    assert owner.get(html.unescape(older)).text.count("Change ") == 10
    assert owner.get("/team/merged?at=x").status_code == 200
    member = world.enroll("elena@brightwater.dev").member_id
    client.cookies.clear()
    client.cookies.set("tidegate_login", world.login(member))
    assert client.get("/team/merged").status_code == 403
