"""What the data plane does with an answer: relay it untouched, and never believe too much."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.wire.answers import Answer, Gate, Piece, document, error
from tests.wire.asking import STREAMED, TERMINAL, WHOLE, WITH_KEY, always, as_bill, ask, spoiled
from tests.wire.local_gateway import KEY, LocalGateway
from tests.wire.raw import RawClient, chat_body, message_body, request, responses_body
from tests.wire.scripts import gzipped
from tests.wire.upstream import Upstream

pytestmark = pytest.mark.wire


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
