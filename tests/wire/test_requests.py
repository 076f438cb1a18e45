"""What the data plane does with a request: refuse the ambiguous, forward the rest untouched."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
import zstandard
from tests.wire.answers import Answer, Gate
from tests.wire.book import Exchange
from tests.wire.http1 import Message
from tests.wire.local_gateway import KEY, PROVIDER_SECRETS, LocalGateway
from tests.wire.raw import RawClient, chat_body, message_body, request, responses_body
from tests.wire.scripts import converse
from tests.wire.upstream import Upstream

pytestmark = pytest.mark.wire

WITH_KEY = f"Authorization: Bearer {KEY}"
BODY = message_body(stream=False)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[LocalGateway]:
    with LocalGateway(upstream) as running:
        yield running


def ask(gateway: LocalGateway, data: bytes, method: str = "POST") -> Message:
    with RawClient(gateway.port) as client:
        return client.send(data).response(method)


# --- ambiguous and malformed heads ---

CHUNKED = b"0\r\n\r\n"
POST = f"POST /v1/messages HTTP/1.1\r\n{WITH_KEY}\r\n".encode()

AMBIGUOUS = {
    "no host": (POST + b"Content-Length: 0\r\n\r\n", b"400"),
    "two hosts": (POST + b"Host: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n", b"400"),
    "the same host twice": (POST + b"Host: a\r\nHost: a\r\nContent-Length: 0\r\n\r\n", b"400"),
    "empty host": (POST + b"Host: \r\nContent-Length: 0\r\n\r\n", b"400"),
    "absolute target": (
        b"POST http://a/v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        b"400",
    ),
    "authority target": (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", b"400"),
    "gzip, chunked": (
        POST + b"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKED,
        b"400",
    ),
    "identity coding": (
        POST + b"Host: a\r\nTransfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n",
        b"400",
    ),
    "two codings": (
        POST + b"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"400",
    ),
    "chunked and a length": (
        POST + b"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNKED,
        b"400",
    ),
    "two lengths": (
        POST + b"Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"400",
    ),
    "signed length": (POST + b"Host: a\r\nContent-Length: +2\r\n\r\n{}", b"400"),
    "chunked with HTTP/1.0": (
        POST.replace(b"1.1", b"1.0") + b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
        b"400",
    ),
    "folded line": (POST + b"Host: a\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n", b"400"),
    "space before the colon": (POST + b"Host : a\r\nContent-Length: 0\r\n\r\n", b"400"),
    "bare line feed": (POST + b"Host: a\nContent-Length: 0\r\n\r\n", b"400"),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64, b"400"),
    "unknown expectation": (
        POST + b"Host: a\r\nExpect: 200-ok\r\nContent-Length: 2\r\n\r\n",
        b"417",
    ),
    "head too large": (POST + b"Host: a\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_head_that_could_be_read_in_two_ways_is_refused_and_the_connection_closed(
    name: str, gateway: LocalGateway, upstream: Upstream
) -> None:
    data, status = AMBIGUOUS[name]
    before = len(upstream.book.exchanges)
    with RawClient(gateway.port) as client:
        answer = client.send(data).rest()
    assert answer.startswith(b"HTTP/1.1 " + status), answer
    assert b"tidegate" not in answer.lower()
    assert len(upstream.book.exchanges) == before


def test_a_request_after_a_refused_head_is_not_served(
    gateway: LocalGateway, upstream: Upstream
) -> None:
    before = len(upstream.book.exchanges)
    smuggled = request("/v1/messages", BODY, WITH_KEY)
    with RawClient(gateway.port) as client:
        answer = client.send(AMBIGUOUS["gzip, chunked"][0] + smuggled).rest()
    assert answer.count(b"HTTP/1.1 ") == 1
    assert len(upstream.book.exchanges) == before


# --- bodies ---


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages?beta=true", message_body(strange={"a": [None, 1.5e-9]}, temperature=1.0)),
        ("/v1/messages", message_body(stream=False)),
        ("/v1/messages/count_tokens", message_body(stream=False)),
        ("/v1/responses", responses_body(strange=True)),
        ("/v1/responses", responses_body(stream=False)),
        ("/v1/responses/compact", responses_body(stream=False)),
        ("/v1/chat/completions", chat_body(strange=1)),
        ("/v1/chat/completions", chat_body(stream=False)),
        ("/v1/messages", message_body(stream=False, padding="x" * 2_500_000)),
    ],
)
def test_the_very_bytes_pass_both_ways(
    path: str, body: bytes, gateway: LocalGateway, upstream: Upstream
) -> None:
    response = ask(gateway, request(path, body, WITH_KEY, "Content-Type: application/json"))
    exchange = upstream.book.exchanges[-1]
    assert exchange.request.body == body
    assert exchange.request.target == path
    assert exchange.request.header("content-length") == str(len(body))
    assert response.status == 200
    assert response.body == bytes(exchange.sent_body)


def test_a_chunked_request_is_forwarded_with_its_length(
    gateway: LocalGateway, upstream: Upstream
) -> None:
    parts = [BODY[:10], BODY[10:11], BODY[11:]]
    framed = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts) + CHUNKED
    head = request("/v1/messages", b"", WITH_KEY, "Transfer-Encoding: chunked", length=-1)
    assert ask(gateway, head + framed).status == 200
    assert upstream.book.exchanges[-1].request.body == BODY
    assert upstream.book.exchanges[-1].request.header("transfer-encoding") is None


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("zstd", zstandard.ZstdCompressor().compress(BODY)),
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
    ],
)
def test_an_encoded_body_is_read_on_a_copy_and_forwarded_as_it_came(
    coding: str, packed: bytes, gateway: LocalGateway, upstream: Upstream
) -> None:
    before = len(gateway.events)
    data = request("/v1/messages", packed, WITH_KEY, f"Content-Encoding: {coding}")
    assert ask(gateway, data).status == 200
    received = upstream.book.exchanges[-1].request
    assert received.body == packed
    assert received.header("content-encoding") == coding
    event = gateway.spool.wait(before + 1)[-1]
    assert event.model_asked == "claude-opus-4-8"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "JSON"),
        (b"[]", "object"),
        (b'{"model": 5, "messages": []}', "model"),
        (b'{"messages": []}', "model"),
        (b'{"model": "a", "model": "b"}', "model"),
        (b'{"model": "a", "stream": true, "stream": false}', "stream"),
        (b'{"model": "a", "max_tokens": 1, "max_tokens": 2}', "max_tokens"),
        (b'{"model": "a", "mod\\u0065l": "b"}', "model"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/v1/chat/completions"])
def test_a_malformed_body_is_told_in_the_callers_dialect(
    path: str, body: bytes, told: str, gateway: LocalGateway, upstream: Upstream
) -> None:
    before, events = len(upstream.book.exchanges), len(gateway.events)
    response = ask(gateway, request(path, body, WITH_KEY))
    said = json.loads(response.body)
    assert response.status == 400
    assert said["error"]["type"] == "invalid_request_error"
    assert told in said["error"]["message"]
    assert (said.get("type") == "error") is (path == "/v1/messages")
    assert len(upstream.book.exchanges) == before
    event = gateway.spool.wait(events + 1)[-1]
    assert (event.outcome, event.status, event.tokens.total) == ("refused", 400, 0)


def test_lone_surrogates_and_keys_repeated_further_in_are_no_fault(
    gateway: LocalGateway, upstream: Upstream
) -> None:
    body = (
        b'{"model":"claude-opus-4-8","max_tokens":5,"messages":'
        b'[{"role":"user","content":"\\ud83d","model":1,"model":2}]}'
    )
    assert ask(gateway, request("/v1/messages", body, WITH_KEY)).status == 200
    assert upstream.book.exchanges[-1].request.body == body


# --- limits ---


@pytest.fixture(scope="module")
def small(upstream: Upstream) -> Iterator[LocalGateway]:
    with LocalGateway(
        upstream, body_limit_bytes=50_000, decoded_limit_bytes=80_000, head_limit_bytes=4_000
    ) as running:
        yield running


LARGE = message_body(stream=False, padding="x" * 100_000)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("/v1/messages", LARGE, WITH_KEY), 413),
        (request("/v1/messages", b"", WITH_KEY, length=10**12), 413),
        (
            request("/v1/messages", b"", WITH_KEY, "Transfer-Encoding: chunked", length=-1)
            + b"%x\r\n%s\r\n" % (len(LARGE), LARGE)
            + CHUNKED,
            413,
        ),
        (
            request(
                "/v1/messages",
                zstandard.ZstdCompressor().compress(LARGE),
                WITH_KEY,
                "Content-Encoding: zstd",
            ),
            413,
        ),
        (
            request(
                "/v1/messages", gzip.compress(LARGE, mtime=0), WITH_KEY, "Content-Encoding: gzip"
            ),
            413,
        ),
        (request("/v1/messages", b"{}", WITH_KEY, "X-A: " + "a" * 5_000), 431),
        (request("/" + "a" * 5_000, b"", method="GET"), 431),
    ],
    ids=["length", "announced only", "chunked", "zstd", "gzip", "header", "target"],
)
def test_what_is_too_large_is_refused(
    data: bytes, status: int, small: LocalGateway, upstream: Upstream
) -> None:
    before = len(upstream.book.exchanges)
    assert ask(small, data).status == status
    assert len(upstream.book.exchanges) == before


@pytest.mark.parametrize(
    ("agent", "path", "status"),
    [
        ("claude-cli/2.1.330 (external, sdk-cli)", "/v1/messages", 413),
        ("codex_exec/0.169.0 (Debian)", "/v1/responses", 400),
        ("opencode/1.18.33 ai-sdk", "/v1/chat/completions", 400),
    ],
)
def test_too_large_is_told_as_each_agent_takes_it(
    agent: str, path: str, status: int, small: LocalGateway
) -> None:
    # Codex repeats a 413 six times. OpenCode compacts and asks again without end.
    response = ask(small, request(path, LARGE, WITH_KEY, f"User-Agent: {agent}"))
    assert response.status == status


# --- the conversation on one connection ---


def test_pipelined_requests_are_answered_in_order() -> None:
    gate = Gate()

    def first_is_held(exchange: Exchange) -> Answer:
        answer = converse(exchange)
        return replace(answer, hold_before={0: gate}) if exchange.number == 1 else answer

    with Upstream(first_is_held) as slow, LocalGateway(slow) as gateway:
        with RawClient(gateway.port) as client:
            one = request("/v1/messages", message_body(stream=True), WITH_KEY)
            two = request("/api/hello", method="GET")
            three = request("/v1/messages/count_tokens", BODY, WITH_KEY)
            client.send(one + two + three)
            assert gate.reached.wait(20)
            assert len(slow.book.exchanges) == 1
            gate.open()
            answers = [client.response(), client.response("GET"), client.response()]
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert answers[0].body.endswith(b'data: {"type":"message_stop"}\n\n')
        assert b"input_tokens" in answers[2].body


def test_expect_continue_is_answered_before_the_body(
    gateway: LocalGateway, upstream: Upstream
) -> None:
    head = request("/v1/messages", b"", WITH_KEY, "Expect: 100-continue", length=len(BODY))
    with RawClient(gateway.port) as client:
        assert client.send(head).response().status == 100
        assert client.send(BODY).response().status == 200
    assert upstream.book.exchanges[-1].request.header("expect") is None
    assert upstream.book.exchanges[-1].request.body == BODY


def test_expect_continue_is_not_answered_for_a_body_that_is_too_large(
    small: LocalGateway,
) -> None:
    head = request("/v1/messages", b"", WITH_KEY, "Expect: 100-continue", length=10**9)
    assert ask(small, head).status == 413


def test_http_1_0_is_served_and_closed(gateway: LocalGateway) -> None:
    data = request("/v1/messages", BODY, WITH_KEY).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    with RawClient(gateway.port) as client:
        answer = client.send(data).rest()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"transfer-encoding" not in answer.lower()


def test_an_http_1_0_client_gets_a_stream_until_the_close(
    gateway: LocalGateway, upstream: Upstream
) -> None:
    data = request("/v1/messages", message_body(), WITH_KEY).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    with RawClient(gateway.port) as client:
        answer = client.send(data).rest()
    assert answer.partition(b"\r\n\r\n")[2] == bytes(upstream.book.exchanges[-1].sent_body)


def test_connections_are_kept_on_both_sides(gateway: LocalGateway, upstream: Upstream) -> None:
    with RawClient(gateway.port) as client:
        for _ in range(3):
            assert client.send(request("/v1/messages", BODY, WITH_KEY)).response().status == 200
    used = [exchange.connection for exchange in upstream.book.exchanges[-3:]]
    assert len(set(used)) == 1


def test_connection_close_is_honoured(gateway: LocalGateway) -> None:
    with RawClient(gateway.port) as client:
        answer = client.send(request("/v1/messages", BODY, WITH_KEY, "Connection: close")).rest()
    assert b"\r\nconnection: close\r\n" in answer.lower()


def test_a_websocket_is_told_to_use_post(gateway: LocalGateway) -> None:
    data = request(
        "/v1/responses",
        b"",
        WITH_KEY,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        method="GET",
    )
    assert ask(gateway, data, "GET").status == 426


@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "/"), ("HEAD", "/api/hello"), ("GET", "/api/hello")]
)
def test_probes_are_answered_quietly(
    method: str, path: str, gateway: LocalGateway, upstream: Upstream
) -> None:
    before = (len(upstream.book.exchanges), len(gateway.events))
    response = ask(gateway, request(path, method=method), method)
    assert (response.status, response.body) == (200, b"")
    assert (len(upstream.book.exchanges), len(gateway.events)) == before


@pytest.mark.parametrize(
    ("lines", "secret"),
    [
        (("anthropic-version: 2023-06-01",), "anthropic"),
        ((), "openai"),
    ],
)
def test_models_come_from_the_provider_that_the_client_speaks_to(
    lines: tuple[str, ...], secret: str, gateway: LocalGateway, upstream: Upstream
) -> None:
    events = len(gateway.events)
    response = ask(
        gateway, request("/v1/models?limit=1000", b"", WITH_KEY, *lines, method="GET"), "GET"
    )
    received = upstream.book.exchanges[-1].request
    assert response.status == 200
    assert received.target == "/v1/models?limit=1000"
    assert PROVIDER_SECRETS[secret] in received.raw.decode()
    assert len(gateway.events) == events


# --- headers towards the upstream ---

DROPPED = {
    "Cookie": "a=b",
    "Forwarded": "for=10.0.0.1",
    "X-Forwarded-For": "10.0.0.1",
    "X-Forwarded-Proto": "https",
    "Via": "1.1 proxy",
    "Origin": "https://a.example",
    "Referer": "https://a.example/x",
    "Sec-Fetch-Mode": "cors",
    "X-Tidegate-Launch": "lch_1",
    "X-Tidegate-Key": KEY,
    "X-Tidegate-Anything": "1",
    "Keep-Alive": "timeout=5",
    "Proxy-Authorization": "Basic eDp5",
    "TE": "trailers",
    "Trailer": "X-End",
    "X-Nominated": "1",
    "X-Custom": KEY,
    "X-Api-Key": KEY,
}
KEPT = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "one-2025-01-01,two-2026-01-01",
    "X-Stainless-Timeout": "600",
    "X-Claude-Code-Session-Id": "s-1",
    "User-Agent": "claude-cli/2.1.330 (external, sdk-cli)",
    "Content-Type": "application/json; charset=utf-8",
    "x-unknown": "a, b",
}


def test_headers_towards_the_upstream(gateway: LocalGateway, upstream: Upstream) -> None:
    lines = [f"{name}: {value}" for name, value in {**DROPPED, **KEPT}.items()]
    more = ["Connection: keep-alive, X-Nominated", "Accept-Encoding: gzip, br", WITH_KEY]
    assert ask(gateway, request("/v1/messages", BODY, *lines, *more)).status == 200
    received = upstream.book.exchanges[-1].request
    names = [name for name, _ in received.headers]
    assert {name.lower() for name in DROPPED} & set(names) == {"x-api-key"}
    assert received.values("x-api-key") == [PROVIDER_SECRETS["anthropic"]]
    assert received.header("authorization") is None
    assert received.values("accept-encoding") == ["identity"]
    assert received.values("host") == [f"127.0.0.1:{upstream.port}"]
    for name, value in KEPT.items():
        assert received.values(name.lower()) == [value]
    assert b"tg_" not in received.raw


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {KEY}",
        f"authorization: bearer  {KEY}",
        f"X-Api-Key: {KEY}",
        f"x-tidegate-key: {KEY}",
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_key_is_found_wherever_agents_put_it_and_never_leaves(
    path: str, line: str, gateway: LocalGateway, upstream: Upstream
) -> None:
    body = BODY if path == "/v1/messages" else chat_body(stream=False)
    assert ask(gateway, request(path, body, line)).status == 200
    received = upstream.book.exchanges[-1].request
    assert b"tg_" not in received.raw
    secret = PROVIDER_SECRETS["anthropic" if path == "/v1/messages" else "openai"]
    assert received.raw.decode().count(secret) == 1


def test_a_second_key_in_another_header_does_not_leave_either(
    gateway: LocalGateway, upstream: Upstream
) -> None:
    other = "tg_" + "b" * 40
    lines = (f"x-tidegate-key: {KEY}", f"Authorization: Bearer {other}", f"X-Note: {other}")
    assert ask(gateway, request("/v1/messages", BODY, *lines)).status == 200
    assert b"tg_" not in upstream.book.exchanges[-1].request.raw
