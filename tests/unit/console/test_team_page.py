"""The Team page: right numbers in the right order, every state, nothing of others."""

import html
import re
from collections.abc import Callable

import pytest
from markupsafe import escape
from starlette.testclient import TestClient
from tests.browser.world import DAY_US, World

from tidegate.console import live
from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import Actor
from tidegate.store.ports import StoreUnavailable

pytestmark = pytest.mark.slow

TOKENS = TokenCounts(input=1_000, output=234)
USD = 1_000_000_000


def cost(usd: float) -> Cost:
    return Cost(input=round(usd * USD))


def figures(page: str) -> dict[str, int]:
    """The tiles, as the values that programs read."""
    found = re.findall(
        r"tg-metric-title[^>]*>([^<]+)</(?:a|span)>\s*"
        r'<span class="tg-metric-figure">(?:<a [^>]*>)?<data value="(\d+)"',
        page,
    )
    return {title: int(value) for title, value in found}


def cards(page: str) -> list[tuple[str, str, str]]:
    """Name, rank and main figure of each member card, in order."""
    found = []
    for card in re.findall(r'<article class="tg-card tg-member.*?</article>', page, re.S):
        name = re.search(r"<bdi>(.*?)</bdi>", card, re.S)
        rank = re.search(r'class="tg-rank[^"]*"[^>]*>.*?(#\d+)<', card, re.S)
        big = re.search(r'tg-big[^>]*>(?:<a [^>]*>)?<data value="\d+" title="[^"]*">([^<]*)<', card)
        assert name
        found.append((html.unescape(name[1]), rank[1] if rank else "", big[1] if big else ""))
    return found


def labels(page: str) -> list[str]:
    return [
        html.unescape(each) for each in re.findall(r'class="tg-bar"[^>]*aria-label="(.*?)"', page)
    ]


def test_tiles_bars_and_cards_add_up(world: World, owner: TestClient) -> None:
    for name, usd in (("aiko", 20), ("tomas", 10.5)):
        world.use(world.enroll(f"{name}@brightwater.dev"), TOKENS, cost(usd), times=2)
    page = owner.get("/").text
    assert figures(page) == {"Cost": 61 * USD, "Tokens": 4 * 1_234, "Requests": 4}
    assert [label for label in labels(page) if "$61.00" in label] == [
        "Sun 22 Nov 2026, so far · $61.00 · 4,936 tokens · 4 requests"
    ]
    assert len(labels(page)) == 30
    assert page.count("nothing in the 30 days before") == 3
    assert cards(page) == [
        ("aiko@brightwater.dev", "#1", "$40.00"),
        ("tomas@brightwater.dev", "#2", "$21.00"),
        ("maya@brightwater.dev", "", ""),
    ]


def test_ties_share_a_rank_and_zero_has_none(world: World, owner: TestClient) -> None:
    for name, usd in (("a", 5), ("b", 5), ("c", 1), ("d", 0)):
        world.use(world.enroll(f"{name}@brightwater.dev"), TOKENS, cost(usd))
    assert [rank for _, rank, _ in cards(owner.get("/").text)] == ["#1", "#1", "#3", "", ""]


def test_sorting_ranks_and_draws_anew(world: World, owner: TestClient) -> None:
    world.use(world.enroll("dear@brightwater.dev"), TokenCounts(input=1), cost(9))
    world.use(world.enroll("busy@brightwater.dev"), TokenCounts(input=50), cost(1), times=3)
    by = {sort: owner.get(f"/?sort={sort}").text for sort in ("cost", "tokens", "requests")}
    assert cards(by["cost"])[0] == ("dear@brightwater.dev", "#1", "$9.00")
    assert cards(by["tokens"])[0] == ("busy@brightwater.dev", "#1", "150")
    assert cards(by["requests"])[0] == ("busy@brightwater.dev", "#1", "3")
    for sort, page in by.items():
        assert f"{sort.capitalize()} per day</h2>" in page
        assert f"ranked by {sort}" in page


@pytest.mark.parametrize(
    ("query", "bars", "requests"),
    [
        ("range=24h", 24, 1),
        ("range=7d", 7, 2),
        ("", 30, 3),
        ("range=90d", 90, 4),
        ("range=custom&first=2026-11-16&last=2026-11-16", 24, 1),
        ("range=custom&first=2026-08-01&last=2026-11-22", 17, 5),
    ],
)
def test_ranges(world: World, owner: TestClient, query: str, bars: int, requests: int) -> None:
    key = world.enroll("elena@brightwater.dev")
    for days_ago in (0, 6, 29, 89, 90):
        world.use(key, TOKENS, cost(1), days_ago=days_ago)
    page = owner.get(f"/?{query}").text
    assert len(labels(page)) == bars
    assert figures(page)["Requests"] == requests


def test_the_change_compares_with_the_same_length_before(world: World, owner: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    world.use(key, TOKENS, cost(10), days_ago=7)
    world.use(key, TOKENS, cost(15))
    page = owner.get("/?range=7d").text
    assert "<strong>50.0 %</strong>" in page
    assert re.search(r'from <a class="tg-rows" href="/logs\?[^"]+"><data [^>]+>\$10.00<', page)
    assert "as in the 7 days before" in page  # of requests and tokens


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ("first=2026-11-20&last=2026-11-10", "last", "The last day is before the first."),
        ("first=2026-11-20&last=2027-11-10", "last", "in the future"),
        ("first=&last=2026-11-10", "first", "Choose the first day."),
        ("first=2010-01-01&last=2026-11-10", "first", "over ten years"),
        ("first=<script>&last=2026-11-10", "first", "Choose the first day."),
    ],
)
def test_a_custom_range_that_there_is_not(
    world: World, owner: TestClient, query: str, field: str, sentence: str
) -> None:
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, cost(1))
    for path in ("/", "/team/parts"):
        page = owner.get(f"{path}?range=custom&{query}").text
        fault = re.search(r'id="range-(\w+)-fault"[^>]*>(.*?)</p>', page, re.S)
        assert fault
        assert fault[1] == field
        assert sentence in fault[2]
        assert "Last 30 days" in page  # is shown meanwhile
        assert "<script>" not in page.replace("<script src", "")


def test_clock_changes_make_days_of_23_and_25_hours(world: World, owner: TestClient) -> None:
    world.services.organizations.update(world.organization_id, time_zone="Europe/Berlin")
    world.store.usage.adopt_zones({world.organization_id: "Europe/Berlin"})
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, cost(1))
    for day, hours in (("2026-10-25", 25), ("2026-03-29", 23)):
        page = owner.get(f"/?range=custom&first={day}&last={day}").text
        assert len(labels(page)) == hours
        assert "clocks change" in page


def test_a_bar_leads_to_its_days(world: World, owner: TestClient) -> None:
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, cost(1))
    page = owner.get("/?sort=tokens").text
    href = re.findall(r'class="tg-bar" href="([^"]+)"', page)[-1]
    day = owner.get(html.unescape(href)).text
    assert len(labels(day)) == 24
    assert "Tokens per hour" in day
    hours = re.findall(r'class="tg-bar" href="([^"]+)"', day)
    assert all(hour.startswith("/logs?range=exact&") for hour in hours)  # what it sums
    assert len(hours) == 24


def test_the_chart_as_a_table(world: World, owner: TestClient) -> None:
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, cost(1))
    page = owner.get("/?chart=table").text
    assert "tg-plot" not in page
    rows = re.findall(r'<tr><th scope="row">([^<]+)', page)
    assert rows[0].startswith("Sun 22 Nov 2026")
    assert len(rows) == 30


def test_agents_and_what_can_be_done_with_them(world: World, owner: TestClient) -> None:
    keys = [world.enroll("noah@brightwater.dev", agent) for agent in ("claude_code", "codex")]
    page = owner.get("/").text
    for key, agent in zip(keys, ("Claude Code", "Codex"), strict=True):
        link = f'href="/agents/{key.key_id}" data-dialog aria-label="Manage {agent} of noah@'
        assert link in page
    assert f'href="/members/{keys[0].member_id}/agents/new" data-dialog' in page
    assert "No request has arrived yet." in page


def test_never_used_is_decided_by_the_life_time(world: World, owner: TestClient) -> None:
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, cost(1), days_ago=50)
    world.enroll("ben@brightwater.dev")
    world.use(world.enroll("aiko@brightwater.dev"), TOKENS, cost(1))
    page = owner.get("/?range=7d").text
    assert cards(page)[1] == ("elena@brightwater.dev", "", "$0.00")
    assert [name for name, _, _ in cards(page)][2:] == [
        "ben@brightwater.dev",
        "maya@brightwater.dev",
    ]
    assert page.count("Never used") == 2


def test_activity(world: World, owner: TestClient) -> None:
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, cost(1))
    page = owner.get("/").text
    assert "1 active now" in page
    assert 'class="tg-activity tg-active"' in page
    world.now_us += 3_600_000_001
    page = owner.get("/").text
    assert "0 active now" in page
    assert ">1 h ago</time>" in page


def test_subscriptions_stand_apart(world: World, owner: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    world.use(key, TOKENS, cost(2))
    assert "ubscription" not in owner.get("/").text
    world.use(key, TOKENS, cost(3), billing="subscription")
    page = owner.get("/").text
    assert figures(page)["Cost"] == 2 * USD
    assert figures(page)["Subscription value"] == 3 * USD
    assert ">$3.00</data></a> on subscription" in page


def test_invitations_are_cards_until_they_are_accepted(world: World, owner: TestClient) -> None:
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, cost(1))
    invited = world.services.invitations.invite(
        world.organization_id,
        "rana@brightwater.dev",
        "member",
        by_role="owner",
        actor=Actor(world.owner_id, ""),
    )
    for view in ("cards", "table"):
        page = owner.get(f"/?view={view}").text
        assert "rana@brightwater.dev" in page
        assert "Invitation pending" in page
    assert "rana@" not in owner.get("/?find=elena").text
    world.services.invitations.accept(
        invited.token, name="Rana", password="", address="", user_agent=""
    )
    assert "Invitation pending" not in owner.get("/").text


def test_removed_members_keep_their_name_where_they_used_something(
    world: World, owner: TestClient
) -> None:
    key = world.enroll("pieter@brightwater.dev")
    world.use(key, TOKENS, cost(1), days_ago=20)
    world.services.members.remove(
        world.organization_id, key.member_id, by_role="owner", actor=Actor(world.owner_id, "")
    )
    page = owner.get("/").text
    assert cards(page)[0] == ("pieter@brightwater.dev", "#1", "$1.00")
    assert "Removed" in page
    assert "<p>1 member · 0 active now</p>" in page
    assert f"/members/{key.member_id}/agents/new" not in page
    assert "pieter" not in owner.get("/?range=7d").text


def test_the_cards_of_many_members_have_pages(world: World, owner: TestClient) -> None:
    for n in range(60):
        world.services.members.add(world.organization_id, f"m{n:02d}@brightwater.dev")
    world.use(world.enroll("m00@brightwater.dev"), TOKENS, cost(1))
    first, second = owner.get("/").text, owner.get("/?page=2").text
    assert len(cards(first)) == 28
    assert len(cards(second)) == 28
    assert "1\N{EN DASH}28 of 61" in first
    assert 'href="/?page=2"' in first
    assert "29\N{EN DASH}56 of 61" in second
    assert cards(owner.get("/?page=99").text) == cards(owner.get("/?page=3").text)
    found = owner.get("/?find=M07").text
    assert [name for name, _, _ in cards(found)] == ["m07@brightwater.dev"]
    assert "Nobody fits" in owner.get("/?find=<b>zzz").text
    assert len(owner.get("/team/parts").content) < 200_000


def test_repositories(world: World, owner: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    for n, repository in enumerate(["github.com/acme/app", "git.example/team/x", ""]):
        for session in range(n + 1):
            world.use(key, TOKENS, cost(1), session_id=f"ses_{n}{session}", repository=repository)
    page = owner.get("/").text
    link = 'href="https://github.com/acme/app" target="_blank" rel="noopener"'
    assert page.count(link) == 2  # in the ranking and on its card
    assert "git.example/team/" in page
    assert 'href="https://git.example' not in page
    assert "Unattributed" in page  # the cards add up to the total
    assert "named no repository" in page
    assert "2 with activity" in page


def test_empty_states(world: World, owner: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    world.use(key, TOKENS, cost(1), days_ago=60)
    empty = owner.get("/").text
    assert "No requests in this period" in empty
    assert "No repository activity in this period" in empty
    assert "No pull request activity in this period" in empty
    assert 'href="/?range=90d"' in empty
    widest = owner.get("/?range=90d").text
    assert "See what each repository costs" in widest
    world.now_us += 60 * DAY_US
    assert "Look at" not in owner.get("/?range=90d").text  # nothing is wider


HOSTILE = [
    "<script>alert(1)</script>",
    '" onload=alert(1) x="',
    "{{ 7 * 7 }}",
    "\N{RIGHT-TO-LEFT OVERRIDE}moc.live",
    "🌊" * 20,
    "محمد عبد الله",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_only_text(world: World, owner: TestClient, name: str) -> None:
    world.services.organizations.update(world.organization_id, name=name)
    key = world.enroll("elena@brightwater.dev")
    world.use(key, TOKENS, cost(1), session_id="ses_1", repository=f"github.com/acme/{name}")
    page = owner.get("/").text
    assert str(escape(name)) in page
    assert "<script>alert" not in page
    assert '" onload' not in page
    assert 'href="https://github.com' not in page


def test_a_member_is_led_to_my_usage(world: World, client: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    client.cookies.set("tidegate_login", world.login(key.member_id))
    response = client.get("/")
    assert (response.status_code, response.headers["location"]) == (303, "/my-usage")
    assert client.get("/team/parts").status_code == 403


# First run


def test_first_run_walks_through(world: World, owner: TestClient) -> None:
    page = owner.get("/").text
    assert "0 of 4" in page
    assert 'href="/settings/providers"' in page
    assert "tg-ghost" in page
    world.services.credentials.set(
        world.organization_id, "anthropic", "https://api.anthropic.com", "sk-ant-xyz"
    )
    page = owner.get("/").text
    assert "1 of 4" in page
    assert "Anthropic. Stored encrypted." in page
    assert 'href="/invite" data-dialog' in page
    key = world.enroll("elena@brightwater.dev")
    page = owner.get("/team/parts").text
    assert "3 of 4" in page
    assert f'href="/agents/{key.key_id}/setup" data-dialog' in page
    assert "elena@brightwater.dev" in page  # whose card has more to offer
    world.use(key, TOKENS, cost(1))
    assert "Welcome" not in owner.get("/team/parts").text


def test_steps_of_the_first_run_can_be_skipped(world: World, owner: TestClient) -> None:
    page = owner.get("/").text
    assert 'href="/?skip=1"' in page
    assert 'href="/?skip=2"' in owner.get("/?skip=1").text
    page = owner.get("/?skip=2").text
    assert f'href="/members/{world.owner_id}/agents/new" data-dialog' in page
    assert "0 of 4" in page


# The parts by themselves


def test_the_tag_stands_as_long_as_nothing_changes(world: World, owner: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    world.use(key, TOKENS, cost(1))
    tag = owner.get("/team/parts").headers["etag"]
    assert f'data-tag="{escape(tag)}"' in owner.get("/").text

    def status(path: str = "/team/parts") -> int:
        return owner.get(path, headers={"if-none-match": tag}).status_code

    again = owner.get("/team/parts", headers={"if-none-match": f'"x", {tag}'})
    assert again.status_code == 304
    assert again.headers["etag"] == tag
    assert again.content == b""
    world.now_us += 20 * 60_000_000
    assert status() == 304  # times that pass are reckoned by the browser
    assert status("/team/parts?sort=tokens") == 200
    assert status("/team/parts?range=24h") == 200
    assert status("/team/parts?sort=cost") == 304  # says the same as the address without


CHANGES: list[Callable[[World], object]] = [
    lambda world: world.use(world.enroll("new@brightwater.dev"), TOKENS, cost(1)),
    lambda world: world.services.members.add(world.organization_id, "new@brightwater.dev"),
    lambda world: world.services.organizations.update(world.organization_id, name="Other"),
    lambda world: world.services.invitations.invite(
        world.organization_id,
        "rana@brightwater.dev",
        "member",
        by_role="owner",
        actor=Actor(world.owner_id, ""),
    ),
    lambda world: setattr(world, "now_us", world.now_us + 3_600_000_001),  # nobody active now
    lambda world: setattr(world, "now_us", world.now_us + DAY_US),  # another day
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_tag_changes_with_what_is_shown(
    world: World, owner: TestClient, change: Callable[[World], object]
) -> None:
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, cost(1))
    tag = owner.get("/team/parts").headers["etag"]
    change(world)
    response = owner.get("/team/parts", headers={"if-none-match": tag})
    assert response.status_code == 200
    assert response.headers["etag"] != tag


def test_the_tag_is_of_who_looks(world: World, client: TestClient) -> None:
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, cost(1))
    tags = []
    for name in ("priya", "jonas", "priya"):
        email = f"{name}@brightwater.dev"
        admin = world.services.members.add(world.organization_id, email, "admin")
        world.services.members.add(world.organization_id, "jonas@brightwater.dev", "admin")
        client.cookies.set("tidegate_login", world.login(admin.member_id))
        tags.append(client.get("/team/parts").headers["etag"])
    assert tags[0] == tags[2] != tags[1]


def test_a_part_that_fails_leaves_the_others(world: World, owner: TestClient) -> None:
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, cost(1))

    class Faulty:
        def __init__(self, *broken: str) -> None:
            self._broken = broken

        def __getattr__(self, name: str) -> object:
            def fail(*_: object, **__: object) -> None:
                raise StoreUnavailable("gone")

            return fail if name in self._broken else getattr(team, name)

    team = world.services.team
    web = owner.app.state.web  # type: ignore[attr-defined]
    for broken, said in (
        (("overview",), "The overview could not be read."),
        (("members",), "The members could not be read."),
        (("top_repositories",), "The repositories could not be read."),
        (("pull_requests",), "The pull requests could not be read."),
    ):
        object.__setattr__(web.services, "team", Faulty(*broken))
        response = owner.get("/team/parts")
        assert response.status_code == 200
        assert said in response.text
        assert response.text.count("could not be read") == 1
        assert "Try again" in response.text
        assert "etag" not in response.headers  # a browser shall not keep it
    object.__setattr__(web.services, "team", Faulty("overview", "members"))
    assert owner.get("/team/parts").status_code == 503
    assert live.attempt(lambda: 1) == 1
