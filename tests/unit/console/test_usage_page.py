"""The usage page and its JSON twin: right numbers, for the right eyes."""

import html
import re

import pytest
from markupsafe import escape
from starlette.testclient import TestClient
from tests.browser.sample import fill
from tests.browser.world import PUBLIC_URL, World

from tidegate.console.app import ConsoleOptions, create_app
from tidegate.core.model import Cost, TokenCounts

TOKENS = TokenCounts(
    input=1, cache_write_5m=20, cache_write_1h=300, cache_read=4_000, output=50_000
)
COST = Cost(input=1_000_000, output=2_000_000_000)


def cells(page: str, part: str) -> list[list[str]]:
    """The rows of the table's head, body or foot, as the values that programs read."""
    found = re.search(rf"<{part}>(.*?)</{part}>", page, re.S)
    assert found
    return [
        [html.unescape(value) for value in re.findall(r'<data value="(\d+)"', row)]
        for row in re.findall(r"<tr>(.*?)</tr>", found[1], re.S)
    ]


def tiles(page: str) -> dict[str, str]:
    return dict(re.findall(r'<dt>([^<]+)</dt><dd><data value="(\d+)"', page))


def test_totals_equal_the_tiles_and_the_sum_of_the_rows(world: World, owner: TestClient) -> None:
    fill(world)
    page = owner.get("/").text
    rows, [total] = cells(page, "tbody"), cells(page, "tfoot")
    tile = tiles(page)
    requests, *buckets, worth, cost = [int(value) for value in total]
    assert len(rows) == 8
    assert requests == sum(int(row[0]) for row in rows) == int(tile["Requests"])
    assert sum(buckets) == int(tile["Tokens"])
    assert worth == int(tile["Subscription value"]) > 0
    assert cost == sum(int(row[-1]) for row in rows) == int(tile["Cost"]) > 0


def test_subscription_value_is_no_cost(world: World, owner: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    world.use(key, TOKENS, COST)
    world.use(key, TOKENS, COST, billing="subscription", times=2)
    page = owner.get("/").text
    assert tiles(page) == {
        "Cost": "2001000000",
        "Tokens": str(3 * TOKENS.total),
        "Requests": "3",
        "Subscription value": "4002000000",
    }
    assert cells(page, "tbody") == [
        ["3", "3", "60", "900", "12000", "150000", "4002000000", "2001000000"]
    ]
    assert 'title="$2.001"' in page
    assert "$2.00<" in page


def test_without_subscription_nothing_is_said_of_it(world: World, owner: TestClient) -> None:
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, COST)
    page = owner.get("/").text
    assert "ubscription" not in page
    assert "estimated</span>" not in page
    assert "price unknown" not in page


def test_estimates_and_unknown_prices_are_marked(world: World, owner: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    world.use(key, TOKENS, COST, estimated=True)
    world.use(key, TOKENS, COST, times=3)
    world.use(key, TOKENS, COST, model="house-model", price_unknown=True)
    page = owner.get("/").text
    assert 'title="1 of 4 requests">estimated</span>' in page
    assert 'title="1 of 1 requests"><svg' in page
    assert "1 estimated" in page


def test_members_see_their_own_rows_only(world: World, client: TestClient) -> None:
    aiko, tomas = world.enroll("aiko@brightwater.dev"), world.enroll("tomas@brightwater.dev")
    world.use(aiko, TOKENS, COST)
    world.use(tomas, TOKENS, COST, model="claude-opus-4-5")
    client.cookies.set("tidegate_login", world.login(aiko.member_id))
    page = client.get("/").text
    assert "aiko@brightwater.dev" in page
    assert "tomas@" not in page
    assert tiles(page)["Requests"] == "1"
    twin = client.get("/api/usage").json()
    assert [row["member"]["email"] for row in twin["rows"]] == ["aiko@brightwater.dev"]
    assert twin["totals"]["requests"] == 1


@pytest.mark.parametrize(
    ("query", "current", "requests"),
    [
        ("?range=24h", "24h", 1),
        ("?range=7d", "7d", 2),
        ("?range=30d", "30d", 3),
        ("?range=90d", "90d", 4),
        ("", "30d", 3),
        ("?range=forever", "30d", 3),
        ("?range=7d&range=<script>", "30d", 3),
    ],
)
def test_ranges(world: World, owner: TestClient, query: str, current: str, requests: int) -> None:
    key = world.enroll("elena@brightwater.dev")
    for days_ago in (0, 6, 29, 89, 90):
        world.use(key, TOKENS, COST, days_ago=days_ago)
    page = owner.get(f"/{query}").text
    assert re.findall(r'aria-current="true">(\w+)<', page) == [current]
    assert tiles(page)["Requests"] == str(requests)
    assert "<script>" not in page


def test_json_twin(world: World, owner: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    world.use(key, TOKENS, COST, billing="subscription", estimated=True)
    sums = {
        "requests": 1,
        "input_tokens": 1,
        "output_tokens": 50_000,
        "cache_read_tokens": 4_000,
        "cache_write_5m_tokens": 20,
        "cache_write_1h_tokens": 300,
        "reasoning_tokens": 0,
        "cost_nusd": 2_001_000_000,
        "subscription_cost_nusd": 2_001_000_000,
        "billed_cost_nusd": 0,
        "estimated": 1,
        "price_unknown": 0,
        "tokens": 54_321,
    }
    assert owner.get("/api/usage?range=24h").json() == {
        "range": "24h",
        "start": "2026-11-21T13:00:00Z",
        "end": "2026-11-22T12:00:00Z",
        "time_zone": "UTC",
        "rows": [
            {
                "member": {"id": key.member_id, "email": "elena@brightwater.dev", "name": ""},
                "agent": "claude_code",
                "model": "claude-sonnet-4-5",
                "billing": "subscription",
            }
            | sums
        ],
        "totals": sums,
    }
    refused = owner.get("/api/usage?range=<b>")
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "bad_range"


HOSTILE = [
    "<script>alert(1)</script>",
    '" onload=alert(1) x="',
    "{{ 7 * 7 }}",
    "\N{RIGHT-TO-LEFT OVERRIDE}moc.live",
    "🌊",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_only_text(world: World, owner: TestClient, name: str) -> None:
    world.services.organizations.update(world.organization_id, name=name)
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, COST, model=name)
    page = owner.get("/").text
    assert page.count(str(escape(name))) >= 3
    assert "<script>alert" not in page
    assert '" onload' not in page
    assert "Usage · 49" not in page


def test_first_run_walks_through(world: World, owner: TestClient) -> None:
    page = owner.get("/").text
    assert "0 of 3" in page
    assert 'data-copy="tidegate admin credential set --provider anthropic' in page
    command = 'data-copy="tidegate admin enroll --email maya@brightwater.dev --agent claude_code"'
    assert command in page
    assert 'data-copy="tidegate login http://localhost:4180 CODE"' in page
    world.services.credentials.set(
        world.organization_id, "anthropic", "https://api.anthropic.com", "sk-ant-xyz"
    )
    assert "1 of 3" in owner.get("/").text
    key = world.enroll("elena@brightwater.dev")
    assert "2 of 3" in owner.get("/").text
    world.use(key, TOKENS, COST)
    assert "Welcome" not in owner.get("/").text


def test_first_run_names_the_installation_where_it_is_not_the_usual_one(world: World) -> None:
    command = ("/srv/tg/bin/tidegate", "admin", "--data-dir", "/srv/my data")
    options = ConsoleOptions(PUBLIC_URL, admin_command=command)
    client = TestClient(create_app(world.services, options), base_url=PUBLIC_URL)
    client.cookies.set("tidegate_login", world.login())
    page = client.get("/").text
    start = "/srv/tg/bin/tidegate admin --data-dir &#39;/srv/my data&#39;"
    assert f'data-copy="{start} credential set --provider' in page
    assert f'data-copy="{start} enroll --email' in page


def test_first_run_of_a_member(world: World, client: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    world.use(world.enroll("aiko@brightwater.dev"), TOKENS, COST)
    client.cookies.set("tidegate_login", world.login(key.member_id))
    page = client.get("/").text
    assert "1 of 2" in page
    assert "tidegate admin" not in page


def test_an_empty_range_says_so_and_offers_a_wider_one(world: World, owner: TestClient) -> None:
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, COST, days_ago=40)
    page = owner.get("/?range=7d").text
    assert "No requests in the last 7 days" in page
    assert "The last one was on 13 Oct 2026." in page
    assert 'href="/?range=90d">Show the last 90 days</a>' in page
    assert tiles(page)["Requests"] == "0"


def test_nothing_in_the_widest_range_either(world: World, owner: TestClient) -> None:
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, COST, days_ago=200)
    page = owner.get("/?range=90d").text
    assert "No requests in the last 90 days" in page
    assert "Show the" not in page


def test_the_period_is_in_the_zone_of_the_organization(world: World, owner: TestClient) -> None:
    world.services.organizations.update(world.organization_id, time_zone="Asia/Kathmandu")
    world.use(world.enroll("elena@brightwater.dev"), TOKENS, COST)
    period = re.search(r"</h2><p>([^<]+)</p>", owner.get("/?range=7d").text)
    assert period
    assert period[1] in {
        "16 Nov \N{EN DASH} 22 Nov 2026 · Asia/Kathmandu",
        "16 Nov \N{EN DASH} 22 Nov 2026 · UTC",  # until the next drain rebuilds the rollups
    }
