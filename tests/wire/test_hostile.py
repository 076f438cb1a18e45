"""Whatever a client or an upstream does: a clear answer or a clean relay, and one usage event."""

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.wire.answers import Answer, Text, messages_stream
from tests.wire.bills import Bill
from tests.wire.http1 import Message, split_responses
from tests.wire.local_gateway import KEY, LocalGateway
from tests.wire.raw import RawClient, message_body, request
from tests.wire.serving import RunningServer, enroll, start_server
from tests.wire.storm import Kind, StormUpstream, kinds
from tests.wire.upstream import Upstream

pytestmark = pytest.mark.wire

WITH_KEY = f"Authorization: Bearer {KEY}"
STREAMED = request("/v1/messages", message_body(stream=True), WITH_KEY)
LAST = request("/v1/messages", message_body(stream=True), WITH_KEY, "Connection: close")
OUTCOMES = {
    **dict.fromkeys(("cut", "reset", "bad-chunk", "short"), "cut"),
    **dict.fromkeys(("500", "529", "429", "429-retry"), "upstream_error"),
    **dict.fromkeys(("garbage", "nothing", "reset-at-once"), "upstream_error"),
    **dict.fromkeys(("interim-flood", "interim-body"), "upstream_error"),
    **dict.fromkeys(("leave-when-sent", "leave-in-answer"), "cancelled"),
    **dict.fromkeys(("truncated-json", "deep-json", "duplicate-key"), "refused"),
    **dict.fromkeys(("not-utf8", "not-gzip", "endless-body"), "refused"),
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[StormUpstream]:
    with StormUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, upstream: StormUpstream
) -> Iterator[RunningServer]:
    with start_server(tmp_path_factory.mktemp("hostile")) as running:
        yield running


@pytest.fixture(scope="module")
def key(server: RunningServer, upstream: StormUpstream) -> str:
    return enroll(server, upstream.url)


def test_each_ends_in_a_clear_answer_and_with_one_event(server: RunningServer, key: str) -> None:
    mixture = kinds(key)
    due = Counter(by_outcome(server))
    for name, kind in mixture.items():
        meet(server.port, name, kind)
        due[OUTCOMES.get(name, "ok")] += kind.events
    due["ok"] -= 1  # of three requests in a pipeline the last one is answered by an error
    due["upstream_error"] += 1
    deadline = time.monotonic() + 20
    while (found := by_outcome(server)) != dict(due) and time.monotonic() < deadline:
        pass  # each look takes a second
    assert found == dict(due)
    assert "Traceback" not in server.logs()


def by_outcome(server: RunningServer) -> dict[str, int]:
    return dict(server.admin("usage")["by_outcome"])


def meet(port: int, name: str, kind: Kind) -> None:
    """Have one request answered, and look at what the client is told."""
    with RawClient(port) as client:
        client.send(kind.data)
        if kind.leave == "head":
            client.until(b"\r\n\r\n")
        if kind.leave:
            return
        for status in kind.statuses:
            if status:
                assert is_clear(found := client.response(kind.method), status), (name, found)
            else:
                told = client.rest()
                assert told.startswith(b"HTTP/1.1 200 "), (name, told)
                (answer,) = split_responses(told, [kind.method])
                assert not answer.complete, (name, told)


def is_clear(answer: Message, status: int) -> bool:
    """A refusal says in words what is wrong, as JSON where an API's client asks."""
    if answer.status != status:
        return False
    if status < 400:
        return True
    if (answer.header("content-type") or "").startswith("application/json"):
        return bool(json.loads(answer.body)["error"]["message"])
    return len(answer.body) > 10


def test_a_request_byte_by_byte_is_served(server: RunningServer, key: str) -> None:
    data = request("/v1/messages", message_body(), f"x-api-key: {key}", "x-storm: stream")
    with RawClient(server.port) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(data)):
            client.send(data[at : at + 1])
        assert client.response().status == 200


# --- clients that leave, upstreams that break off, at any byte ---


def test_a_client_may_vanish_at_any_byte_of_its_request() -> None:
    with Upstream() as upstream, LocalGateway(upstream) as gateway:
        for at in range(0, len(STREAMED), 7):
            with RawClient(gateway.port) as client:
                client.send(STREAMED[:at])
        with RawClient(gateway.port) as client:
            assert client.send(STREAMED).response().status == 200
        assert [event.outcome for event in gateway.spool.wait(1)] == ["ok"]
        assert len(upstream.book.exchanges) == 1
        wait_for(gateway, client_connections=0, requests_running=0)


def test_a_client_may_vanish_at_any_byte_of_its_answer() -> None:
    with Upstream() as upstream, LocalGateway(upstream) as gateway:
        with RawClient(gateway.port) as client:
            size = len(client.send(STREAMED).response().raw)
        stops = range(1, size, 97)
        for at in stops:
            with RawClient(gateway.port) as client:
                client.send(STREAMED)
                client.socket.recv(at, socket.MSG_WAITALL)
        events = gateway.spool.wait(1 + len(stops))
        wait_for(gateway, client_connections=0, requests_running=0)
        assert len(gateway.events) == len(events) == len(upstream.book.metered)
        assert {event.outcome for event in events} <= {"ok", "cancelled"}


ANSWER = messages_stream([Text("The tide is high.")], Bill.for_messages("claude-opus-4-8", 5), 5)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNKS = [b"%x\r\n%b\r\n" % (len(p.content), p.content) for p in ANSWER.pieces]
WHOLE = HEAD + b"".join(CHUNKS) + b"0\r\n\r\n"
STOPS = [*range(0, len(WHOLE), 23), *range(len(WHOLE) - 30, len(WHOLE) + 1)]


def test_an_upstream_may_break_off_at_any_byte() -> None:
    """The client sees an incomplete answer unless its terminal event came; so does the ledger."""
    stops = iter(STOPS)
    with (
        Upstream(lambda exchange: Answer(raw=WHOLE[: next(stops)])) as upstream,
        LocalGateway(upstream) as gateway,
    ):
        for number, at in enumerate(STOPS, 1):
            with RawClient(gateway.port) as client:
                (answer,) = split_responses(client.send(LAST).rest(), ["POST"])
            event = gateway.spool.wait(number)[-1]
            if at < len(HEAD):
                assert (answer.status, answer.complete) == (502, True), at
                assert (event.outcome, event.status) == ("upstream_error", 502)
            else:
                ended = b'"message_stop"}\n\n' in answer.body
                assert (answer.status, answer.complete) == (200, ended), at
                assert event.outcome == ("ok" if ended else "cut"), at
        assert len(gateway.events) == len(STOPS)
        wait_for(gateway, client_connections=0, requests_running=0, upstream_connections=0)


def wait_for(gateway: LocalGateway, **counts: int) -> None:
    """Wait until the gateway counts so many."""
    deadline = time.monotonic() + 20
    while True:
        counters = gateway.call(lambda running: running.counters())
        found = {name: counters[name] for name in counts}
        if found == counts:
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


# --- smuggling ---

SMUGGLED = request("/v1/messages?smuggled", b"{}", WITH_KEY)
POST = f"POST /v1/messages HTTP/1.1\r\nHost: h\r\n{WITH_KEY}\r\n".encode()
BODY = message_body(stream=False)
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SIZED = b"%x\r\n%b" % (len(BODY), BODY)
VECTORS = {
    "length before coding": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
    "coding before length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
    "coding in disguise": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding after a tab": POST + b"Transfer-Encoding:\tchunked, identity\r\n\r\n0\r\n\r\n",
    "coding with an end of its own": POST + b"Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n",
    "coding in a folded line": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "coding behind a bare return": POST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "length in a list": POST + b"Content-Length: 0, 2\r\n\r\n{}",
    "negative length": POST + b"Content-Length: -1\r\n\r\n",
    "hexadecimal length": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "endless length": POST + b"Content-Length: 18446744073709551618\r\n\r\n{}",
    "chunk size with a sign": CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n",
    "chunk size with a prefix": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "chunk size that overflows": CHUNKED + b"10000000000000002\r\n{}\r\n0\r\n\r\n",
    "chunk without its end": CHUNKED + SIZED + b"0\r\n\r\n",
    "chunk ended by a line feed": CHUNKED + SIZED + b"\n0\r\n\r\n",
    "chunk size ended by a return": CHUNKED + b"2\rX{}\r\n0\r\n\r\n",
    "line feed in an extension": CHUNKED + b"2;a\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", VECTORS)
def test_nothing_is_smuggled(name: str) -> None:
    with Upstream() as upstream, LocalGateway(upstream) as gateway:
        with RawClient(gateway.port) as client:
            told = client.send(VECTORS[name] + SMUGGLED).rest()
        assert told.startswith(b"HTTP/1.1 400 "), told
        assert told.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in told
        assert upstream.book.exchanges == []
        assert gateway.events == []
