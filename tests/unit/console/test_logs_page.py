"""The Logs page: the right rows, nothing of others, every state, and what opens beside them."""

import html
import re

import pytest
from starlette.testclient import TestClient
from tests.browser.world import DAY_US, World
from tests.unit.console.forms import HTMX

from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import Actor
from tidegate.services.request_log import RequestLog
from tidegate.store.ports import StoreUnavailable

pytestmark = pytest.mark.slow

TOKENS = TokenCounts(input=1_000, cache_read=30, output=234)
USD = 1_000_000_000
HOUR_US = 3_600_000_000
PLAIN = {ord("\N{MULTIPLICATION SIGN}"): "x", ord("\N{EN DASH}"): "-"}


def cost(usd: float) -> Cost:
    return Cost(input=round(usd * USD))


def rows(page: str) -> list[str]:
    """The ids of the rows, in order."""
    return re.findall(r'data-row="(\w+)"', page)


def text_of(page: str) -> str:
    main = page.partition("<main")[2] or page
    return plain(" ".join(re.sub(r"<[^>]+>", " ", main).split()))


def plain(text: str) -> str:
    return html.unescape(text).translate(PLAIN)


def links(page: str, label: str) -> list[str]:
    found = re.findall(rf'href="([^"]+)"[^>]*>(?:<svg.*?</svg>)?{label}', page)
    return [html.unescape(each) for each in found]


def test_a_row_shows_all_of_a_request(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev", "opencode")
    world.use(
        key,
        TokenCounts(input=1_201, cache_write_5m=20, cache_write_1h=5, cache_read=300, output=40),
        Cost(input=90_248_125),
        agent="opencode",
        model_asked="sonnet",
        session_id="ses_0123456789abcdef",
        repository="github.com/acme/app",
        first_byte_us=840_000,
        duration_us=5_540_000,
        captured=True,
        estimated=True,
        price_unknown=True,
        compression="lossless",
        saved_tokens_new=20,
        saved_tokens_again=1_200,
        saved_nano=435_000,
    )
    page = owner.get("/logs").text
    [row] = re.findall(r"<tr id=.*?</tr>", page, re.S)
    assert text_of(row) == (
        "12:00:00 200 O OpenCode, aiko@brightwater.dev asked for sonnet → claude-sonnet-4-5"
        " …89abcdef app 1,201 25 300 40 1,566 $0.0902 $0.0004 840 ms 5.5 s"
        " 1,220 tokens of tool results not sent est. no price"
        " Captured in debug mode"
    )
    assert 'title="22 Nov 2026, 12:00:00.000 UTC"' in row
    assert 'title="$0.090248125"' in row
    assert "github.com%2Facme%2Fapp" in row


def test_times_are_in_the_zone_of_the_organization(world: World, owner: TestClient) -> None:
    world.services.organizations.update(world.organization_id, time_zone="Asia/Kathmandu")
    key = world.enroll("aiko@brightwater.dev")
    world.use(key, TOKENS, cost(1))
    world.use(key, TOKENS, cost(1), started_us=world.now_us - 18 * HOUR_US)
    page = owner.get("/logs?range=7d").text
    assert 'title="22 Nov 2026, 17:45:00.000 +0545"' in page
    assert "<span>21 Nov</span> 23:45:00" in page


def test_pages_lead_to_older_rows_and_back(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    for second in range(120):
        world.use(key, TOKENS, cost(1), started_us=world.now_us - second * 1_000_000)
    seen, page = [], owner.get("/logs").text
    newest = page
    assert "Newest first · 50 shown" in page
    assert not links(page, "Newer")
    seen += rows(page)
    while older := links(page, "Older"):
        page = owner.get(older[0]).text
        seen += rows(page)
    assert len(seen) == len(set(seen)) == 120
    assert seen == sorted(seen)  # made in this order, each before the one made earlier
    while newer := links(page, "Newer"):
        page = owner.get(newer[0]).text
    assert rows(page) == rows(newest)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("", "abcdef"),
        ("member=MEMBER", "af"),
        ("agent=codex", "b"),
        ("agent=codex&agent=opencode", "bc"),
        ("model=gpt-6", "b"),
        ("session=ses_d", "d"),
        ("repository=github.com/acme/app", "d"),
        ("repository=-&outcome=cut", "c"),
        ("outcome=refused&outcome=cut", "ce"),
        ("status=4xx", "e"),
        ("billing=subscription", "f"),
        ("captured=yes", "a"),
        ("captured=no&status=2xx", "bcdf"),
        ("estimated=yes", "c"),
        ("unpriced=yes", "b"),
        ("key=KEY", "af"),
        ("member=MEMBER&model=claude-sonnet-4-5&outcome=ok", "af"),
        ("ids=up_d", "d"),
        ("ids=lch_e", "e"),
        ("ids=ses_d", "d"),
        ("range=exact&start=2026-11-22T12:00Z&end=2026-11-22T12:00:01Z", "abcdef"),
        ("range=exact&start=2026-11-22T12:00:00.000001Z&end=2026-11-22T13:00Z", ""),
        ("range=custom&first=2026-11-22&last=2026-11-22", "abcdef"),
        ("range=all&agent=codex", "b"),
    ],
)
def test_each_filter(world: World, owner: TestClient, filters: str, expected: str) -> None:
    aiko, tomas = (world.enroll(f"{name}@brightwater.dev") for name in ("aiko", "tomas"))
    made = {
        "a": world.use(aiko, TOKENS, cost(1), captured=True),
        "b": world.use(tomas, TOKENS, cost(1), agent="codex", model="gpt-6", price_unknown=True),
        "c": world.use(tomas, TOKENS, cost(1), agent="opencode", outcome="cut", estimated=True),
        "d": world.use(
            tomas,
            TOKENS,
            cost(1),
            session_id="ses_d",
            repository="github.com/acme/app",
            upstream_request_id="up_d",
        ),
        "e": world.use(tomas, TOKENS, cost(0), outcome="refused", status=403, launch_id="lch_e"),
        "f": world.use(aiko, TOKENS, cost(1), billing="subscription"),
    }
    names = {event_ids[0]: name for name, event_ids in made.items()}
    query = filters.replace("MEMBER", aiko.member_id).replace("KEY", aiko.key_id)
    found = rows(owner.get(f"/logs?{query}").text)
    assert "".join(sorted(names[each] for each in found)) == expected


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("frobnicate=1", "There is no filter “frobnicate”."),
        ("status=999", "“999” is not a value of “status”."),
        ("member=mem_nobody", "There is no such member in this organization."),
        ("at=nonsense", "This place in the log is not one."),
        ("at=n99999999999999999999.x", "This place in the log is not one."),
        ("range=custom&first=2026-11-22&last=2026-11-01", "The last day is before the first."),
        ("range=custom", "Choose the first day."),
        ("range=exact&start=yesterday&end=2026-11-22T12:00Z", "Write the moment like"),
        ("range=exact&start=2026-11-22T12:00&end=2026-11-22T13:00", "Write the moment like"),
        ("range=exact&start=2026-11-22T12:00Z&end=2026-11-22T12:00Z", "not after the start"),
        ("range=exact&start=2001-01-01T12:00Z&end=2026-11-22T12:00Z", "over ten years long"),
        ("repository=%00", "characters that no name has"),
    ],
)
def test_nonsense_is_told_and_nothing_is_listed(
    world: World, owner: TestClient, query: str, told: str
) -> None:
    world.use(world.enroll("aiko@brightwater.dev"), TOKENS, cost(1))
    response = owner.get(f"/logs?{query}")
    assert response.status_code == 422
    assert told in text_of(response.text)
    assert rows(response.text) == []
    parts = owner.get(f"/logs/parts?{query}", headers=HTMX)
    assert (parts.status_code, told in text_of(parts.text)) == (200, True)
    if not query.startswith("at="):
        for part in ("histogram", "totals", "new"):
            assert owner.get(f"/logs/{part}?{query}", headers=HTMX).status_code == 422


def test_what_was_looked_for_is_not_run_as_markup(world: World, owner: TestClient) -> None:
    page = owner.get("/logs", params={"ids": "<script>x</script>", "model": "<b>"}).text
    assert "<script>x" not in page
    assert "<b>" not in page


def test_a_member_sees_own_requests_only(
    world: World, client: TestClient, owner: TestClient
) -> None:
    aiko, tomas = (world.enroll(f"{name}@brightwater.dev") for name in ("aiko", "tomas"))
    own = world.use(aiko, TOKENS, cost(1), model="model-of-aiko", repository="github.com/a/one")
    other = world.use(tomas, TOKENS, cost(2), model="model-of-tomas", repository="github.com/a/two")
    client.cookies.set("tidegate_login", world.login(aiko.member_id))
    page = client.get("/logs").text
    assert rows(page) == own
    assert "tomas" not in page
    assert 'id="filter-member"' not in page
    refused = client.get(f"/logs?member={tomas.member_id}")
    assert refused.status_code == 422
    assert "These are requests of others." in refused.text
    assert rows(client.get(f"/logs?ids={other[0]}").text) == []
    assert client.get(f"/logs/{other[0]}").status_code == 404
    assert "older than what is kept" in client.get(f"/logs?open={other[0]}").text
    assert client.get(f"/logs/{own[0]}").status_code == 200
    totals = client.get("/logs/totals", headers=HTMX).text
    assert "1</data> request" in totals
    drawn = client.get("/logs/histogram", headers=HTMX).text
    assert drawn.count("· 1 request") == 1
    assert "2 requests" not in drawn
    for of in ("model", "repository"):
        choices = client.get(f"/logs/choices?of={of}", headers=HTMX).text
        assert "two" not in choices
        assert "model-of-tomas" not in choices
    new = client.get("/logs/new?since=", headers=HTMX).text
    assert "1 new" in text_of(new)


def test_the_detail_writes_the_cost_out(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    [event_id] = world.use(
        key,
        TokenCounts(input=3_214, cache_read=124_210, output=688, reasoning=12),
        Cost(input=9_642_000, cache_read=37_263_000, output=10_320_000),
        upstream_request_id="req_upstream_1",
        session_id="ses_1",
        launch_id="lch_1",
        error_code="",
        price_version="v-of-long-ago",
    )
    page = owner.get(f"/logs/{event_id}").text
    told = text_of(page)
    for each in (
        "Input 3,214 x - = $0.009642",
        "Cache read 124,210 x - = $0.037263",
        "Output 688 x - = $0.010320",
        "Total 128,112 x $0.057225",
        "57,225,000 nano-USD, exact. Rates of price version v-of-long-ago.",
        "That version is not here any more, so the rates cannot be shown.",
        "12 of the output tokens were reasoning.",
    ):
        assert each in told
    for copied in (event_id, "req_upstream_1", "ses_1", "lch_1", key.key_id):
        assert f'data-copy="{copied}"' in page
    for field in ("tokens.reasoning", "cost.extras", "upstream_request_id", "captured"):
        assert f"<code>{field}</code>" in page
    assert "/capture" not in page
    beside = owner.get(f"/logs/{event_id}", headers=HTMX).text
    assert "<html" not in beside
    assert f'data-copy="{event_id}"' in beside
    listed = owner.get(f"/logs?open={event_id}").text
    assert "tg-row-open" in listed
    assert "$0.057225" in listed


@pytest.mark.parametrize("event_id", ["x", "req_" + "0" * 32, "é🌊", "..%2F..", "a" * 3000])
def test_an_unknown_request_is_not_found(owner: TestClient, event_id: str) -> None:
    response = owner.get(f"/logs/{event_id}")
    assert response.status_code == 404
    assert "The request could not be read" not in response.text


def test_a_capture_is_linked_while_it_is_there(world: World, owner: TestClient) -> None:
    [event_id] = world.use(world.enroll("a@brightwater.dev"), TOKENS, cost(1), captured=True)
    page = owner.get(f"/logs/{event_id}").text
    assert "the capture is deleted by now" in page


def test_the_histogram_counts_what_failed_and_how_long_it_took(
    world: World, owner: TestClient
) -> None:
    key = world.enroll("aiko@brightwater.dev")
    world.use(key, TOKENS, cost(1), duration_us=2_000_000, times=3)
    world.use(key, TOKENS, cost(1), outcome="cut", duration_us=9_000_000)
    page = owner.get("/logs/histogram", headers=HTMX).text
    assert "<html" not in page
    assert len(re.findall(r'class="tg-bar"', page)) == 24
    [label] = [
        each for each in re.findall(r'aria-label="([^"]+)"', plain(page)) if "failed" in each
    ]
    assert label.startswith("Sun 22 Nov 2026, 12:00-13:00 · 4 requests · 1 failed · half took")
    [href] = [
        html.unescape(each)
        for each in re.findall(r'href="([^"]+)"[^>]*aria-label="[^"]*failed', page)
    ]
    assert href == "/logs?range=exact&start=2026-11-22T12%3A00Z&end=2026-11-22T13%3A00Z"
    hour = owner.get(href.replace("/logs?", "/logs/histogram?"), headers=HTMX).text
    assert "Requests per minute" in hour
    assert len(re.findall(r'class="tg-bar"', hour)) == 60
    assert "22 Nov 12:00 - 13:00" in text_of(owner.get(href).text)
    assert "<html" in owner.get("/logs/histogram").text  # a page of its own without scripts


def test_all_time_is_drawn_from_the_oldest_row_to_the_newest(
    world: World, owner: TestClient
) -> None:
    key = world.enroll("aiko@brightwater.dev")
    for days in (0, 3, 40):
        world.use(key, TOKENS, cost(1), days_ago=days, session_id=f"ses_{days}")
    page = owner.get("/logs/histogram?range=all", headers=HTMX).text
    assert len(re.findall(r'class="tg-bar"', page)) == 41
    one = owner.get("/logs/histogram?range=all&session=ses_40", headers=HTMX).text
    assert len(re.findall(r'class="tg-bar"', one)) == 24
    assert one.count("· 1 request") == 1
    none = owner.get("/logs/histogram?range=all&session=ses_9", headers=HTMX).text
    assert "No requests to draw." in none


def test_new_rows_are_counted_and_lead_to_the_newest(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    world.use(key, TOKENS, cost(1), started_us=world.now_us - 60_000_000)
    page = owner.get("/logs?agent=claude_code").text
    [top] = re.findall(r'data-top="([^"]+)"', page)
    ask = f"/logs/new?agent=claude_code&since={top}"
    assert owner.get(ask, headers=HTMX).status_code == 204
    world.use(key, TOKENS, cost(1), times=2)
    world.use(key, TOKENS, cost(1), agent="codex")
    told = owner.get(ask, headers=HTMX).text
    assert text_of(told) == "2 new"
    assert 'href="/logs?agent=claude_code"' in told
    assert owner.get("/logs/new?since=nonsense", headers=HTMX).status_code == 422


def test_only_newest_rows_of_a_range_that_goes_on_are_live(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    world.use(key, TOKENS, cost(1), times=60)
    page = owner.get("/logs").text
    assert "data-top=" in page
    [older] = links(page, "Older")
    assert "data-top=" not in owner.get(older).text
    past = owner.get("/logs?range=custom&first=2026-11-01&last=2026-11-02").text
    assert "data-top=" not in past


def test_empty_states_say_what_to_do(world: World, owner: TestClient) -> None:
    told = text_of(owner.get("/logs").text)
    assert "No requests in this range Look at all time" in told
    assert "as soon as an agent is used" in text_of(owner.get("/logs?range=all").text)
    world.use(world.enroll("aiko@brightwater.dev"), TOKENS, cost(1), days_ago=5)
    told = text_of(owner.get("/logs?agent=codex").text)
    assert "No requests like this in this range Look at all time , or clear the filters" in told
    assert "Ids are looked for whole" in text_of(owner.get("/logs?ids=req").text)


def test_what_is_older_than_the_retention_is_told(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    for days in (1, 45):
        world.use(key, TOKENS, cost(1), days_ago=days)
    note = "Requests of before 23 Oct 2026 are older than the retention"
    assert "retention" not in owner.get("/logs?range=90d").text
    retention = world.services.retention
    retention.set(world.organization_id, ledger_days=30, actor=Actor(world.owner_id))
    retention.apply()
    page = owner.get("/logs?range=90d").text
    assert len(rows(page)) == 1
    assert note in text_of(page)
    assert note in text_of(owner.get("/logs/histogram?range=90d", headers=HTMX).text)
    assert "retention" not in owner.get("/logs?range=7d").text
    gone = owner.get("/logs?range=custom&first=2026-09-01&last=2026-09-30").text
    assert "Older than what is kept" in gone
    assert "These requests are older than the retention" in text_of(gone)


def test_models_and_repositories_to_choose_from(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    world.use(key, TOKENS, cost(1), model="m-1", repository="github.com/acme/app")
    world.use(key, TOKENS, cost(1), model="m-2")
    models = owner.get("/logs/choices?of=model&model=m-2&model=old", headers=HTMX).text
    assert re.findall(r'value="([^"]*)"( checked)?', models) == [
        ("old", " checked"),
        ("m-1", ""),
        ("m-2", " checked"),
    ]
    places = owner.get("/logs/choices?of=repository", headers=HTMX).text
    values = re.findall(r'value="([^"]*)"', places)
    assert values == ["", "github.com/acme/app", "-"]
    assert owner.get("/logs/choices?of=passwords", headers=HTMX).status_code == 422


def test_chosen_filters_are_shown_and_can_be_cleared(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    actor = Actor(world.owner_id)
    world.services.members.rename(world.organization_id, key.member_id, "Aiko", actor=actor)
    query = (
        f"range=7d&member={key.member_id}&session=ses_1&key={key.key_id}&captured=yes&status=5xx"
    )
    page = owner.get(f"/logs?{query}").text
    told = text_of(page)
    for each in ("Member Aiko", "Status 5xx", "More debug capture", "Session ses_1"):
        assert each in told
    assert links(page, "Clear filters") == ["/logs?range=7d"]
    assert f'href="/logs/export.csv?{html.escape(query_of(page))}"' in page


def query_of(page: str) -> str:
    [found] = re.findall(r'href="/logs/export.jsonl\?([^"]+)"', page)
    return html.unescape(found)


class Faulty:
    """The log, some of which cannot be read."""

    def __init__(self, log: RequestLog, *broken: str) -> None:
        self._log = log
        self._broken = broken

    def __getattr__(self, name: str) -> object:
        if name in self._broken:
            raise StoreUnavailable("gone")
        return getattr(self._log, name)


def test_a_part_that_cannot_be_read_leaves_the_rest(world: World, owner: TestClient) -> None:
    [event_id] = world.use(world.enroll("aiko@brightwater.dev"), TOKENS, cost(1))
    services = owner.app.state.web.services  # type: ignore[attr-defined]
    faulty = Faulty(world.services.request_log, "page", "histogram")
    object.__setattr__(services, "request_log", faulty)
    page = owner.get(f"/logs?open={event_id}")
    assert page.status_code == 200
    assert "The requests could not be read." in page.text
    assert "How the cost was reckoned" in page.text
    assert owner.get("/logs/histogram", headers=HTMX).status_code == 503
    assert owner.get("/logs/totals", headers=HTMX).status_code == 200


def test_days_ago_are_told_by_their_day(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    world.use(key, TOKENS, cost(1), started_us=world.now_us - DAY_US)
    assert "<span>21 Nov</span> 12:00:00" in owner.get("/logs?range=7d").text


def test_days_of_an_earlier_zone_are_told(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    for days in (1, 20):
        world.use(key, TOKENS, cost(1), days_ago=days, member_id=world.owner_id)
    retention = world.services.retention
    retention.set(world.organization_id, ledger_days=7, actor=Actor(world.owner_id))
    retention.apply()
    assert "earlier time zone" not in owner.get("/").text
    world.services.organizations.update(world.organization_id, time_zone="Asia/Tokyo")
    world.store.usage.adopt_zones({world.organization_id: "Asia/Tokyo"})
    for path in ("/", "/my-usage"):
        assert "are those of an earlier time zone" in owner.get(path).text
    assert "earlier time zone" not in owner.get("/?range=24h").text
