"""What the data plane does with an answer: relay it untouched, and never believe too much."""

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.wire.answers import Answer, Gate, Piece, document, error
from tests.wire.bills import Bill
from tests.wire.book import Exchange
from tests.wire.http1 import Message
from tests.wire.local_gateway import KEY, LocalGateway
from tests.wire.raw import RawClient, chat_body, message_body, request, responses_body
from tests.wire.scripts import converse, gzipped, in_turn
from tests.wire.upstream import Upstream

from tidegate.core.model import UsageEvent

pytestmark = pytest.mark.wire

WITH_KEY = f"Authorization: Bearer {KEY}"
STREAMED = request("/v1/messages", message_body(stream=True), WITH_KEY)
WHOLE = request("/v1/messages", message_body(stream=False), WITH_KEY)
TERMINAL = b'data: {"type":"message_stop"}\n\n'


def spoiled(change: Callable[[Answer], Answer]) -> Callable[[Exchange], Answer]:
    return lambda exchange: change(converse(exchange))


def always(answer: Answer) -> Callable[[Exchange], Answer]:
    return lambda exchange: answer


def as_bill(event: UsageEvent) -> Bill:
    """The event's tokens in the form of the upstream's book."""
    counts = event.tokens
    return Bill(
        event.model_served,
        input=counts.input,
        cache_write_5m=counts.cache_write_5m,
        cache_write_1h=counts.cache_write_1h,
        cache_read=counts.cache_read,
        output=counts.output,
        reasoning=counts.reasoning,
    )


def ask(gateway: LocalGateway, data: bytes) -> Message:
    with RawClient(gateway.port) as client:
        return client.send(data).response()


# --- metering of whole answers ---


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("pack", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", message_body),
        ("/v1/responses", responses_body),
        ("/v1/chat/completions", chat_body),
    ],
    ids=["messages", "responses", "chat"],
)
def test_every_framing_is_relayed_and_metered(
    path: str, body: Callable[[bool], bytes], stream: bool, pack: bool, framing: str
) -> None:
    def change(answer: Answer) -> Answer:
        return replace(gzipped(answer) if pack else answer, framing=framing)  # type: ignore[arg-type]

    with Upstream(spoiled(change)) as upstream, LocalGateway(upstream) as gateway:
        response = ask(gateway, request(path, body(stream), WITH_KEY))
        event = gateway.spool.wait(1)[0]
    exchange = upstream.book.exchanges[0]
    assert response.body == bytes(exchange.sent_body)
    assert response.header("content-encoding") == ("gzip" if pack else None)
    assert as_bill(event) == exchange.bill
    assert event.cost.total == exchange.bill.cost_nusd
    assert (event.outcome, event.status, event.stream) == ("ok", 200, stream)
    assert not event.estimated
    assert event.request_bytes == len(body(stream))
    assert event.response_bytes == len(exchange.sent_body)


def test_compaction_is_metered() -> None:
    with Upstream() as upstream, LocalGateway(upstream) as gateway:
        ask(gateway, request("/v1/responses/compact", responses_body(stream=False), WITH_KEY))
        event = gateway.spool.wait(1)[0]
    bill = upstream.book.bills[0]
    assert replace(as_bill(event), model=bill.model) == bill
    assert event.cost.total == bill.cost_nusd


@pytest.mark.parametrize("data", [STREAMED, WHOLE], ids=["stream", "whole"])
def test_the_event_is_handed_over_before_the_terminal_bytes_go_out(data: bytes) -> None:
    # uvloop sends at the end of a turn of the loop, asyncio at once: only there does order show.
    with (
        Upstream() as upstream,
        LocalGateway(upstream, loop=asyncio.new_event_loop()) as gateway,
        RawClient(gateway.port) as client,
    ):
        gateway.spool.open.clear()
        client.send(data)
        assert gateway.spool.reached.wait(20)
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.until(TERMINAL if data is STREAMED else b'"standard"}}')
        gateway.spool.open.set()
        client.socket.settimeout(20)
        client.response()
        assert len(gateway.events) == 1


def test_bytes_are_relayed_as_they_come() -> None:
    gate = Gate()
    with (
        Upstream(spoiled(lambda answer: replace(answer, hold_before={2: gate}))) as upstream,
        LocalGateway(upstream) as gateway,
        RawClient(gateway.port) as client,
    ):
        client.send(STREAMED).until(b'{"type":"ping"}')
        assert gate.reached.wait(20)
        gate.open()
        client.until(TERMINAL)


def test_an_error_answer_passes_unchanged() -> None:
    answer = error(529, "Overloaded", "overloaded_error", reason="Overloaded")
    with Upstream(always(answer)) as upstream, LocalGateway(upstream) as gateway:
        response = ask(gateway, STREAMED)
        event = gateway.spool.wait(1)[0]
    assert (response.status, response.body) == (529, answer.body)
    assert (event.outcome, event.status, event.tokens.total) == ("upstream_error", 529, 0)
    assert len(upstream.book.exchanges) == 1


def test_a_redirect_is_not_followed() -> None:
    away = Answer([Piece(b"go")], status=307, headers=(("location", "http://127.0.0.1:1/"),))
    with Upstream(always(away)) as upstream, LocalGateway(upstream) as gateway:
        response = ask(gateway, STREAMED)
    assert response.status == 307
    assert len(upstream.book.exchanges) == 1


def test_interim_answers_of_the_upstream_do_no_harm() -> None:
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
    )
    with (
        Upstream(spoiled(lambda answer: replace(answer, interim=interim))) as upstream,
        LocalGateway(upstream) as gateway,
        RawClient(gateway.port) as client,
    ):
        for _ in range(2):
            client.send(WHOLE)
            while (response := client.response()).status < 200:
                pass
            assert response.body == bytes(upstream.book.exchanges[-1].sent_body)
        assert len({exchange.connection for exchange in upstream.book.exchanges}) == 1


# --- headers towards the client ---

HIDDEN = {
    "set-cookie": "a=b",
    "strict-transport-security": "max-age=1",
    "content-security-policy": "default-src 'none'",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "*",
    "alt-svc": 'h3=":443"',
    "keep-alive": "timeout=5",
    "x-nominated": "1",
}
OURS_ONLY = {
    "anthropic-ratelimit-requests-remaining": "5",
    "anthropic-organization-id": "o-1",
    "x-ratelimit-remaining-tokens": "7",
    "openai-organization": "o-2",
}
SHOWN = {
    "request-id": "req_upstream",
    "x-request-id": "req_upstream_2",
    "retry-after": "3",
    "x-should-retry": "false",
    "anthropic-beta-seen": "x",
    "openai-processing-ms": "12",
}


def test_headers_towards_the_client() -> None:
    headers = (
        ("content-type", "application/json"),
        ("connection", "keep-alive, x-nominated"),
        *HIDDEN.items(),
        *OURS_ONLY.items(),
        *SHOWN.items(),
    )
    answer = document({"id": "msg_1"}, headers=headers)
    with Upstream(always(answer)) as upstream, LocalGateway(upstream) as gateway:
        response = ask(gateway, WHOLE)
        event = gateway.spool.wait(1)[0]
    names = {name for name, _ in response.headers}
    assert not names & (HIDDEN.keys() | OURS_ONLY.keys())
    assert {name: response.header(name) for name in SHOWN} == SHOWN
    assert event.upstream_request_id == "req_upstream"


# --- faults ---


@pytest.mark.parametrize("by", ["fin", "rst"])
@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_a_cut_answer_ends_cut_for_the_client_too(by: str, framing: str) -> None:
    def change(answer: Answer) -> Answer:
        return replace(answer, cut_after=4, cut_by=by, framing=framing)  # type: ignore[arg-type]

    with Upstream(spoiled(change)) as upstream, LocalGateway(upstream) as gateway:
        with RawClient(gateway.port) as client:
            received = client.send(STREAMED).rest()
        event = gateway.spool.wait(1)[0]
    assert TERMINAL not in received
    assert not received.endswith(b"0\r\n\r\n")
    sent = bytes(upstream.book.exchanges[0].sent_body)
    if by == "fin":
        assert sent.split(b"\n\n")[2] in received
    bill = upstream.book.bills[0]
    assert event.outcome == "cut"
    assert event.estimated
    assert as_bill(event) == replace(bill, output=event.tokens.output)
    assert event.tokens.output >= 1


def test_an_answer_shorter_than_promised_ends_cut() -> None:
    def change(answer: Answer) -> Answer:
        return replace(answer, declared_length=len(answer.body) + 5)

    with Upstream(spoiled(change)) as upstream, LocalGateway(upstream) as gateway:
        with RawClient(gateway.port) as client, pytest.raises(EOFError):
            client.send(WHOLE).response()
        event = gateway.spool.wait(1)[0]
    assert event.outcome == "cut"
    assert upstream.book.exchanges[0].ended == "whole"


def test_bytes_after_an_answer_poison_its_connection() -> None:
    """What an upstream sends beyond its announced length never becomes the next answer."""
    poison = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"
    honest = document({"id": "msg_1"})
    first = Answer(
        raw=b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        + poison
    )
    with (
        Upstream(in_turn([first, honest])) as upstream,
        LocalGateway(upstream) as gateway,
        RawClient(gateway.port) as client,
    ):
        assert client.send(WHOLE).response().body == b"{}"
        assert client.send(WHOLE).response().body == honest.body


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01 nonsense \xff\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 400_000,
        b"",
    ],
    ids=["garbage", "status", "upgrade", "two lengths", "endless head", "nothing"],
)
def test_an_unusable_answer_is_a_502_in_the_callers_dialect(raw: bytes) -> None:
    answer = Answer(raw=raw) if raw else Answer(cut_before_head=True)
    with Upstream(always(answer)) as upstream, LocalGateway(upstream) as gateway:
        response = ask(gateway, STREAMED)
        event = gateway.spool.wait(1)[0]
    assert response.status == 502
    assert response.body.startswith(b'{"type": "error"')
    assert response.header("x-should-retry") is None
    assert (event.outcome, event.tokens.total, event.cost.total) == ("upstream_error", 0, 0)
    assert len(upstream.book.exchanges) == 1  # a fresh connection's request is not repeated


def test_an_upstream_that_is_down_is_a_502() -> None:
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    with LocalGateway(f"http://127.0.0.1:{port}") as gateway:
        response = ask(gateway, STREAMED)
        event = gateway.spool.wait(1)[0]
    assert response.status == 502
    assert b"could not be reached" in response.body
    assert (event.outcome, event.status, event.tokens.total) == ("upstream_error", 502, 0)


def test_a_kept_connection_that_the_upstream_closed_is_replaced_once() -> None:
    quick = document({"id": "msg_1"})
    dies = Answer(cut_before_head=True, cut_by="rst")
    with (
        Upstream(in_turn([quick, dies, quick])) as upstream,
        LocalGateway(upstream) as gateway,
        RawClient(gateway.port) as client,
    ):
        assert client.send(WHOLE).response().status == 200
        assert client.send(WHOLE).response().status == 200
        events = gateway.spool.wait(2)
    assert [exchange.connection for exchange in upstream.book.exchanges] == [1, 1, 2]
    assert [event.outcome for event in events] == ["ok", "ok"]


def test_it_is_replaced_only_once() -> None:
    quick = document({"id": "msg_1"})
    dies = Answer(cut_before_head=True)
    with (
        Upstream(in_turn([quick, dies, dies])) as upstream,
        LocalGateway(upstream) as gateway,
        RawClient(gateway.port) as client,
    ):
        assert client.send(WHOLE).response().status == 200
        assert client.send(WHOLE).response().status == 502
    assert len(upstream.book.exchanges) == 3


def test_silence_before_the_head_is_a_504() -> None:
    gate = Gate()
    with (
        Upstream(spoiled(lambda answer: replace(answer, hold_before={-1: gate}))) as upstream,
        LocalGateway(upstream, first_byte_timeout_s=0.2) as gateway,
    ):
        response = ask(gateway, STREAMED)
        event = gateway.spool.wait(1)[0]
        upstream.book.wait(lambda book: book.exchanges[0].ended == "client_left")
    assert response.status == 504
    assert event.outcome == "timed_out"
    assert event.estimated  # the upstream had the whole prompt, so it may be billed
    assert event.tokens.prompt > 0


def test_silence_within_a_stream_ends_it() -> None:
    gate = Gate()
    with (
        Upstream(spoiled(lambda answer: replace(answer, hold_before={4: gate}))) as upstream,
        LocalGateway(upstream, stream_timeout_s=0.2) as gateway,
    ):
        with RawClient(gateway.port) as client:
            received = client.send(STREAMED).rest()
        event = gateway.spool.wait(1)[0]
        upstream.book.wait(lambda book: book.exchanges[0].ended == "client_left")
    assert not received.endswith(b"0\r\n\r\n")
    assert event.outcome == "timed_out"
    assert event.tokens.prompt == upstream.book.bills[0].prompt


# --- clients that leave or dawdle ---


def test_a_client_that_leaves_ends_the_upstreams_work_at_once() -> None:
    gate = Gate()
    with (
        Upstream(spoiled(lambda answer: replace(answer, hold_before={4: gate}))) as upstream,
        LocalGateway(upstream) as gateway,
    ):
        client = RawClient(gateway.port)
        client.send(STREAMED).until(b"content_block_delta")
        assert gate.reached.wait(20)
        client.reset()
        upstream.book.wait(lambda book: book.exchanges[0].ended == "client_left")
        event = gateway.spool.wait(1)[0]
    assert event.outcome == "cancelled"
    assert event.estimated
    assert as_bill(event) == replace(upstream.book.bills[0], output=event.tokens.output)


def test_a_client_that_leaves_before_the_head_is_recorded_once() -> None:
    gate = Gate()
    with (
        Upstream(spoiled(lambda answer: replace(answer, hold_before={-1: gate}))) as upstream,
        LocalGateway(upstream) as gateway,
    ):
        client = RawClient(gateway.port)
        client.send(STREAMED)
        assert gate.reached.wait(20)
        client.reset()
        upstream.book.wait(lambda book: book.exchanges[0].ended == "client_left")
        event = gateway.spool.wait(1)[0]
    assert (event.outcome, event.estimated) == ("cancelled", True)


def test_a_client_that_does_not_read_stops_the_upstream() -> None:
    """The gateway holds little: the upstream feels the slow reader, and nothing is lost."""
    pieces = [Piece(b"data: %s\n\n" % (b"%06d" % at * 8_000)) for at in range(1_000)]
    answer = Answer(pieces, headers=(("content-type", "text/event-stream"),), framing="chunked")
    with (
        Upstream(always(answer)) as upstream,
        LocalGateway(upstream) as gateway,
        RawClient(gateway.port) as client,
    ):
        client.send(STREAMED).until(b"\r\n\r\n")
        settled = _settled(lambda: len(upstream.book.exchanges[0].sent_body))
        assert settled < len(answer.body) // 2
        received = client.rest_of_chunked()
        assert received == answer.body


def _settled(measure: Callable[[], int]) -> int:
    """The value at which a measure stays for half a second."""
    pause = threading.Event()
    last = -1
    while (now := measure()) != last:
        last = now
        pause.wait(0.5)
    return last


def test_a_client_that_never_reads_is_given_up() -> None:
    pieces = [Piece(b"data: %s\n\n" % (b"x" * 60_000)) for _ in range(800)]
    answer = Answer(pieces, headers=(("content-type", "text/event-stream"),), framing="chunked")
    with (
        Upstream(always(answer)) as upstream,
        LocalGateway(upstream, write_timeout_s=0.3) as gateway,
        RawClient(gateway.port) as client,
    ):
        client.send(STREAMED)
        upstream.book.wait(lambda book: [e.ended for e in book.exchanges] == ["client_left"])
        event = gateway.spool.wait(1)[0]
    assert event.outcome == "cancelled"


@pytest.mark.parametrize(
    ("sent", "options", "told"),
    [
        (b"", {"head_timeout_s": 0.2}, b""),
        (b"POST /v1/mess", {"head_timeout_s": 0.2}, b"HTTP/1.1 408"),
        (STREAMED[:-10], {"body_timeout_s": 0.2}, b"HTTP/1.1 408"),
    ],
    ids=["no byte", "half a head", "half a body"],
)
def test_a_request_that_does_not_arrive_in_time_is_given_up(
    sent: bytes, options: dict[str, Any], told: bytes
) -> None:
    with (
        Upstream() as upstream,
        LocalGateway(upstream, **options) as gateway,
        RawClient(gateway.port) as client,
    ):
        answer = client.send(sent).rest()
    assert answer.startswith(told)
    assert bool(answer) is bool(told)
    assert upstream.book.exchanges == []


def test_an_idle_connection_is_closed() -> None:
    with (
        Upstream() as upstream,
        LocalGateway(upstream, idle_timeout_s=0.2) as gateway,
        RawClient(gateway.port) as client,
    ):
        client.send(WHOLE).response()
        assert client.rest() == b""


# --- draining ---


def test_draining_lets_a_running_answer_end() -> None:
    gate = Gate()
    with (
        Upstream(spoiled(lambda answer: replace(answer, hold_before={4: gate}))) as upstream,
        LocalGateway(upstream) as gateway,
    ):
        with RawClient(gateway.port) as idle, RawClient(gateway.port) as client:
            idle.send(request("/api/hello", method="GET")).response("GET")
            client.send(STREAMED).until(b"content_block_delta")
            drained = gateway.begin(gateway.gateway.drain(20))
            assert idle.rest() == b""
            with pytest.raises(ConnectionRefusedError):
                RawClient(gateway.port)
            gate.open()
            assert client.rest().endswith(TERMINAL + b"\r\n0\r\n\r\n")
            drained.result(timeout=20)
        assert gateway.spool.wait(1)[0].outcome == "ok"


# --- the console behind it ---


def test_other_paths_go_to_the_console_with_nothing_that_a_client_could_forge(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "console")
    page = Answer(
        [Piece(b"<p>hello")],
        headers=(
            ("content-type", "text/html"),
            ("set-cookie", "a=b"),
            ("content-security-policy", "default-src 'self'"),
        ),
    )
    forged = (
        "X-Tidegate-Peer: 10.9.9.9",
        "X-Tidegate-Proto: https",
        "X-Forwarded-For: 10.9.9.9",
        "Forwarded: for=10.9.9.9",
        "Cookie: a=b",
        WITH_KEY,
    )
    with (
        Upstream(always(page), unix_path=path) as console,
        LocalGateway(console, console_socket=path) as gateway,
        RawClient(gateway.port) as client,
    ):
        response = client.send(request("/sign-in?x=1", b"a=b", *forged, host="a.test")).response()
        seen = console.book.exchanges[0].request
    assert response.body == b"<p>hello"
    assert response.header("set-cookie") == "a=b"
    assert response.header("content-security-policy") == "default-src 'self'"
    assert (seen.target, seen.body, seen.header("host")) == ("/sign-in?x=1", b"a=b", "a.test")
    assert seen.values("x-tidegate-peer") == ["127.0.0.1"]
    assert seen.values("x-tidegate-proto") == ["http"]
    assert seen.header("x-forwarded-for") is None
    assert seen.header("forwarded") is None
    assert seen.header("cookie") == "a=b"
    assert seen.header("authorization") == f"Bearer {KEY}"


def test_without_a_console_agents_are_served_and_people_told(tmp_path: Path) -> None:
    with (
        Upstream() as upstream,
        LocalGateway(upstream, console_socket=str(tmp_path / "none")) as gateway,
        RawClient(gateway.port) as client,
    ):
        assert client.send(request("/", method="GET")).response("GET").status == 503
        assert client.send(WHOLE).response().status == 200


def test_a_trusted_proxy_names_the_client(tmp_path: Path) -> None:
    path = str(tmp_path / "console")
    lines = ("X-Forwarded-For: 1.2.3.4, 203.0.113.9, 127.0.0.2", "X-Forwarded-Proto: https")
    with (
        Upstream(always(document({})), unix_path=path) as console,
        LocalGateway(console, console_socket=path, trusted_proxies=("127.0.0.0/8",)) as gateway,
        RawClient(gateway.port) as client,
    ):
        client.send(request("/", b"", *lines, method="GET")).response("GET")
        seen = console.book.exchanges[0].request
    assert seen.header("x-tidegate-peer") == "203.0.113.9"
    assert seen.header("x-tidegate-proto") == "https"
