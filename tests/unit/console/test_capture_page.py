"""The capture viewer over HTTP: each part, who may read, what is written down, hostile input."""

import html
import json
import re
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.browser.captured import EVIL, REQUEST, changed, hostile, turn
from tests.browser.world import DAY_US, World
from tests.unit.console.forms import HTMX

from tidegate.core.captures import Capture, Part
from tidegate.core.model import Cost, TokenCounts
from tidegate.services.enrolment import Enrolled

pytestmark = pytest.mark.slow

TABS = ("messages", "body", "headers", "response", "compare")
LARGEST_PAGE_BYTES = 600_000


class Kept:
    """A request of a member, captured."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.key: Enrolled = world.enroll("aiko@brightwater.dev")

    def put(self, make: Any = turn, **more: Any) -> str:
        """The address of its capture."""
        [event_id] = self.world.use(
            self.key, TokenCounts(input=9), Cost(), captured=True, duration_us=5_540_000, **more
        )
        if make is not None:
            world, key = self.world, self.key
            world.keep(world.organization_id, key.key_id, key.member_id, make(event_id))
        return f"/logs/{event_id}/capture"


@pytest.fixture
def kept(world: World) -> Kept:
    return Kept(world)


def text_of(page: str) -> str:
    main = page.partition("<main")[2] or page
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", main).split()))


def with_body(body: bytes, **more: Any) -> Any:
    def make(event_id: str) -> Capture:
        part = Part([], body, **more)
        return Capture(event_id, "POST", "/v1/messages", part, part, 200, part)

    return make


def readings(world: World) -> list[tuple[str, str]]:
    page = world.services.audit_log.page(world.organization_id, action="capture.read")
    return [(each.actor, each.target) for each in page.entries]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("messages", ["Tools 1", "4 tools that may be called", "User 3 The tide table is off"]),
        (
            "messages",
            ["Thinking A difference of one", "Calls Bash command pytest", "Bash failed"],
        ),
        (
            "messages",
            ["Image: image/png, 7,200 characters of base64", "Answer `int` cuts off what"],
        ),
        ("body", ["model claude-sonnet-4-5", "messages [6]", "Sent exactly as received."]),
        ("body&as=raw", ['{"model": "claude-sonnet-4-5", "max_tokens": 32000']),
        ("body&of=response", ["It is no JSON", "event: message_start data:"]),
        ("headers", ["POST /v1/messages?beta=true", "authorization removed", "host api.anthropic"]),
        ("response", ["ended with tool_use", "Calls Edit file_path src/tides.py old_string"]),
        ("response", ["14 events", "1 message_start", "order in which they came"]),
        ("compare", ["Identical. The body was sent byte for byte", "about 2,"]),
        ("compare", ["host Received tidegate.example Sent api.anthropic.com"]),
        ("nonsense", ["Tools 1"]),
    ],
)
def test_each_part(kept: Kept, owner: TestClient, part: str, expected: list[str]) -> None:
    page = owner.get(f"{kept.put()}?part={part}")
    assert page.status_code == 200
    shown = text_of(page.text)
    for text in ("aiko@brightwater.dev", "Anthropic Messages", "Kept until 25 Nov 2026", *expected):
        assert text in shown, shown


def test_what_was_sent_differently_is_marked(kept: Kept, owner: TestClient) -> None:
    address = kept.put(lambda event_id: turn(event_id, sent=changed()))
    page = owner.get(f"{address}?part=compare").text
    assert "They differ in 1 place." in page
    assert "/messages/2/content/0/content/0/text" in page
    assert re.search(r"<del>=+ test session starts", page)
    received, sent = re.findall(r"about ([\d,]+) tokens", page)
    assert int(sent.replace(",", "")) < int(received.replace(",", ""))
    assert "Sent exactly" not in owner.get(f"{address}?part=body").text
    assert "1 failed, 13 passed\\nE" in html.unescape(
        owner.get(f"{address}?part=body&of=sent&as=raw").text
    )


def test_one_that_was_never_sent(kept: Kept, owner: TestClient) -> None:
    def make(event_id: str) -> Capture:
        return msgspec.structs.replace(turn(event_id), sent=None, status=400)

    address = kept.put(make)
    assert "nothing to compare" in owner.get(f"{address}?part=compare").text
    page = owner.get(f"{address}?part=body&of=sent").text
    assert "never sent to the provider" in page
    assert ">Sent<" not in page
    assert "It was never sent." in owner.get(f"{address}?part=headers").text


def test_the_tree_and_long_texts_are_loaded_bit_by_bit(kept: Kept, owner: TestClient) -> None:
    text = "start " + "ä" * 50_000 + " end"
    body = {"list": list(range(250)), "text": text, "a/b": {"c": "x"}}
    address = kept.put(with_body(json.dumps(body).encode()))
    page = owner.get(f"{address}?part=body").text
    links = [html.unescape(each) for each in re.findall(r'data-load="([^"]+)"', page)]
    first = owner.get(links[0], headers=HTMX).text
    assert first.count("<li") == 101
    assert "150 more entries" in first
    [more] = re.findall(r'data-more href="([^"]+)"', first)
    assert owner.get(html.unescape(more), headers=HTMX).text.count("tg-value-number") == 100
    assert ">x<" in owner.get(links[1], headers=HTMX).text
    link, shown = re.findall(r'data-more href="([^"]+)"', page)[0], ""
    while link:
        piece = owner.get(html.unescape(link), headers=HTMX).text
        shown += re.findall(r'tg-more">([^<]*)<', piece)[0]
        link = "".join(re.findall(r'data-more href="([^"]+)"', piece))
    assert text.endswith(shown)
    assert len(shown) == len(text) - 300
    assert "<h1>Part of a body</h1>" in owner.get(links[0]).text  # without scripts
    assert f"{address}?part=body" in page


def test_a_body_is_downloaded_as_it_was_kept(kept: Kept, owner: TestClient) -> None:
    body = b'<script>alert(1)</script>\x00\xff"'
    answer = owner.get(f"{kept.put(with_body(body))}/raw?of=received")
    assert answer.content == body
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


MANY = {"role": "user", "content": [{"type": "text", "text": "x" * 9_000}] * 90}
LARGE = [
    json.dumps({"messages": [MANY] * 40}).encode(),
    json.dumps({"messages": [{"role": "user", "content": "y" * (4 << 20)}]}).encode()[: 4 << 20],
    json.dumps({f"key {n}": n for n in range(60_000)}).encode()[: 4 << 20],
    json.dumps({"tools": [{"name": "t" * 900, "description": "d" * 900}] * 3_000}).encode(),
    b"[" * (4 << 20),
    b"\x00\xff" * (2 << 20),
    b"no json " * (1 << 19),
    b"data: {}\n\n" * 40_000,
]


@pytest.mark.parametrize("number", range(len(LARGE)))
def test_pages_stay_small(kept: Kept, owner: TestClient, number: int) -> None:
    body = LARGE[number]

    def make(event_id: str) -> Capture:
        part = Part([("content-type", "text/event-stream")], body, (32 << 20) - len(body))
        sent = Part([], body[:-9] + b"different")
        return Capture(event_id, "POST", "/v1/messages", part, sent, 200, part)

    address = kept.put(make)
    for part in (*TABS, "messages&page=1", "body&as=raw"):
        page = owner.get(f"{address}?part={part}")
        assert page.status_code == 200
        assert len(page.content) < LARGEST_PAGE_BYTES, part
    assert "more are not here" in owner.get(f"{address}?part=body").text


@pytest.mark.parametrize("part", [*TABS, "body&as=raw", "body&of=response", "body&of=sent"])
def test_hostile_texts_stay_texts(kept: Kept, owner: TestClient, part: str) -> None:
    page = owner.get(f"{kept.put(hostile)}?part={part}").text
    for bad in ("<script>alert", "<img", "\x00", "\x1b", "\u202e", "{{7*7}}\x00", ">49<"):
        assert bad not in page
    address = kept.put(hostile)
    at = f"received:/{EVIL.replace('/', '~1')}"
    there = owner.get(f"{address}/tree", params={"at": at}, headers=HTMX).text
    assert "&lt;script&gt;" in there
    assert "<script>" not in there


@pytest.mark.parametrize(
    "path",
    [
        "text?at=raw:nothing", "text?at=json:received:/x", "text?at=json:received:/messages/99",
        "text?at=event:0x", "text?at=event:999", "text?at=message:1", "text?at=message:9.9.9",
        "text?at=answer:-1.0.0", "text?at=", "tree?at=nothing:", "tree?at=received:/a/b",
        "raw?of=nothing", "tree?at=received:/messages/-1",
    ],
)  # fmt: skip
def test_places_that_are_not_there(kept: Kept, owner: TestClient, path: str) -> None:
    assert owner.get(f"{kept.put()}/{path}").status_code == 404


def test_nonsense_in_the_address_does_no_harm(kept: Kept, owner: TestClient) -> None:
    address = kept.put()
    for query in ("page=x", "page=-1", "page=999999999", "page=99999999999999", "of=x&part=body"):
        assert owner.get(f"{address}?{query}").status_code == 200
    assert owner.get(f"{address}/text?at=raw:received&from=999999").status_code == 200


def test_who_may_read(kept: Kept, world: World, owner: TestClient) -> None:
    address = kept.put()
    stranger = world.enroll("bo@brightwater.dev")
    for member_id, status in ((kept.key.member_id, 200), (stranger.member_id, 404)):
        owner.cookies.set("tidegate_login", world.login(member_id))
        for path in ("", "/text?at=raw:received", "/tree?at=received:", "/raw"):
            assert owner.get(address + path).status_code == status
    assert "tide table" not in owner.get(address).text
    owner.cookies.clear()
    for path in ("", "/text?at=raw:received", "/tree?at=received:", "/raw"):
        assert owner.get(address + path).status_code == 303
    assert {actor for actor, _ in readings(world)} == {kept.key.member_id}


def test_each_reading_is_written_down_once(kept: Kept, world: World, owner: TestClient) -> None:
    address = kept.put()
    event_id = address.split("/")[2]
    for _ in range(2):
        for part in TABS:
            owner.get(f"{address}?part={part}")
        owner.get(f"{address}/raw")
        owner.get(f"{address}/text?at=raw:received", headers=HTMX)
        world.now_us += 20 * 60_000_000  # still the same reading
    assert readings(world) == [(world.owner_id, event_id)]
    world.now_us += 31 * 60_000_000
    owner.get(address)
    assert len(readings(world)) == 2
    owner.cookies.set("tidegate_login", world.login())
    owner.get(address)
    assert len(readings(world)) == 3


def test_why_there_is_none(kept: Kept, world: World, owner: TestClient) -> None:
    def told(address: str) -> str:
        answer = owner.get(address)
        assert answer.status_code == 404
        return text_of(answer.text)

    expired = told(kept.put(None, days_ago=4))
    assert "This capture is older than the retention" in expired
    assert "keeps captures for 3 days" in expired
    assert "deleted before its 3 days were over" in told(kept.put(None, days_ago=1))
    assert "not here yet" in told(kept.put(None))
    [plain] = world.use(kept.key, TokenCounts(), Cost())
    assert "was not captured" in told(f"/logs/{plain}/capture")
    assert "no capture of this request" in told("/logs/req_none/capture")
    address = kept.put()
    world.now_us += 4 * DAY_US
    world.services.captures.purge()
    assert "older than the retention" in told(address)
    assert readings(world) == []


def test_one_that_cannot_be_decrypted(kept: Kept, world: World, owner: TestClient) -> None:
    def moved(event_id: str) -> Capture:
        return turn(f"req_{'9' * 32}")  # its seal is that of another request

    address = kept.put(None)
    world.keep(world.organization_id, kept.key.key_id, kept.key.member_id, moved(""))
    world.break_seal(f"req_{'9' * 32}", address.split("/")[2])
    answer = owner.get(address)
    assert answer.status_code == 404
    assert "cannot be decrypted" in answer.text


def test_one_whose_row_is_gone(kept: Kept, world: World, owner: TestClient) -> None:
    world.keep(world.organization_id, kept.key.key_id, kept.key.member_id, turn("req_rowless"))
    page = text_of(owner.get("/logs/req_rowless/capture").text)
    assert "not in the log any more" in page
    assert "The tide table is off" in page


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/v1/responses", {"input": "Ahoy"}, "OpenAI Responses"),
        (
            "/openai/v1/chat/completions?x=1",
            {"messages": [{"role": "user", "content": "Ahoy"}]},
            "Chat",
        ),
    ],
)
def test_the_dialect_of_a_rowless_one_is_told_by_its_path(
    kept: Kept, world: World, owner: TestClient, path: str, body: dict[str, Any], expected: str
) -> None:
    part = Part([], json.dumps(body).encode())
    capture = Capture("req_rowless", "POST", path, part, part, 200, Part())
    world.keep(world.organization_id, kept.key.key_id, kept.key.member_id, capture)
    page = text_of(owner.get("/logs/req_rowless/capture").text)
    assert expected in page
    assert "User 1 Ahoy" in page


def test_a_long_conversation_ends_where_one_looks_first(kept: Kept, owner: TestClient) -> None:
    said = [{"role": "user", "content": f"line {n}."} for n in range(45)]
    body = json.dumps(REQUEST | {"system": "", "tools": [], "messages": said}).encode()
    address = kept.put(with_body(body))
    page = text_of(owner.get(address).text)
    assert "Messages 41\N{EN DASH}45 of 45 First Earlier" in page
    assert "line 44." in page
    assert "line 3." in text_of(owner.get(f"{address}?page=1").text)
