"""No callback keeps a worker's loop for long: others have requests there, too."""

import gzip
import json

import pytest
import zstandard
from tests.wire.answers import Answer, Content, Piece, Text, messages_document, messages_stream
from tests.wire.bills import Bill
from tests.wire.local_gateway import KEY, LocalGateway
from tests.wire.raw import RawClient, message_body, request
from tests.wire.upstream import Upstream
from tests.wire.watched_loop import WatchedLoop

pytestmark = pytest.mark.wire

MOST_MS = 5.0
WITH_KEY = f"Authorization: Bearer {KEY}"
MB = 1 << 20


def conversation(size: int, *, indent: int | None = None) -> bytes:
    """A body of many turns, compact as agents send it or written with spaces."""
    turn = {"role": "user", "content": [{"type": "text", "text": "The tide \\n is high. " * 40}]}
    one = len(json.dumps(turn, indent=indent)) + 1
    value = {"model": "claude-opus-4-8", "max_tokens": 9, "messages": [turn] * (size // one)}
    separators = (",", ":") if indent is None else None
    return json.dumps(value, indent=indent, separators=separators).encode()


def in_chunks(body: bytes, size: int) -> bytes:
    head = request("/v1/messages", b"", WITH_KEY, "Transfer-Encoding: chunked", length=-1)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def encoded(coding: str, body: bytes) -> bytes:
    return request("/v1/messages", body, WITH_KEY, f"Content-Encoding: {coding}")


REQUESTS = {
    "a turn": lambda: request("/v1/messages", conversation(150_000), WITH_KEY),
    "1 MB": lambda: request("/v1/messages", conversation(MB - 1000), WITH_KEY),
    "1 MB with spaces": lambda: request(
        "/v1/messages", conversation(MB - 9000, indent=1), WITH_KEY
    ),
    "2 MB": lambda: request("/v1/messages", conversation(2 * MB + 999), WITH_KEY),
    "8 MB": lambda: request("/v1/messages", conversation(8 * MB), WITH_KEY),
    "30 MB": lambda: request("/v1/messages", conversation(30 * MB), WITH_KEY),
    "3 MB in chunks": lambda: in_chunks(conversation(3 * MB), 5000),
    "1 MB in tiny chunks": lambda: in_chunks(conversation(MB), 50),
    "gzip": lambda: encoded("gzip", gzip.compress(conversation(20 * MB), 1)),
    "zstd": lambda: encoded("zstd", zstandard.compress(conversation(20 * MB))),
    "deep": lambda: request("/v1/messages", b'{"model":' + b"[" * MB, WITH_KEY),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_does_not_keep_the_loop(name: str) -> None:
    data = REQUESTS[name]()
    loop = WatchedLoop()
    with (
        Upstream(lambda exchange: Answer([Piece(b"{}")])) as upstream,
        LocalGateway(upstream, loop=loop) as gateway,
    ):
        spent = []
        for _ in range(6):  # what else the machine does may slow down some
            loop.forget()
            with RawClient(gateway.port) as client:
                assert client.send(data).response().status in {200, 400}
            spent.append((loop.longest_ms, loop.culprit))
    assert min(spent)[0] < MOST_MS, min(spent)


BILL = Bill.for_messages("claude-opus-4-8", 5)
LONG: list[Content] = [Text("The tide is high, and rising still. " * 2_000)]
ANSWERS = {
    "a long stream": lambda: messages_stream(LONG, BILL, 5),
    "a stream in one piece": lambda: Answer(
        [Piece(messages_stream(LONG * 10, BILL, 5).body)],
        headers=(("content-type", "text/event-stream"),),
        framing="chunked",
    ),
    "a whole of 2 MB": lambda: messages_document(LONG * 28, BILL, 5),
    "a whole of 2 MB in gzip": lambda: packed(messages_document(LONG * 28, BILL, 5)),
    "a whole of 8 MB": lambda: messages_document(LONG * 112, BILL, 5),
    "a whole of 8 MB in chunks": lambda: Answer(
        [Piece(messages_document(LONG * 112, BILL, 5).body)],
        headers=(("content-type", "application/json"),),
        framing="chunked",
    ),
    "a whole of 8 MB in gzip": lambda: packed(messages_document(LONG * 112, BILL, 5)),
    "a small gzip that becomes 40 MB": lambda: packed(Answer([Piece(b" " * 40 * MB)])),
    "an event of 2 MB": lambda: event(b'{"type":"x","image":"' + b"x" * 2 * MB + b'"}'),
    "an event of 7 MB that is no JSON": lambda: event(b'{"type":"x","image":' + b'"\\z' * MB * 2),
}


def event(payload: bytes) -> Answer:
    return Answer(
        [Piece(b"event: x\ndata: " + payload + b"\n\n")],
        headers=(("content-type", "text/event-stream"),),
        framing="chunked",
    )


def packed(answer: Answer) -> Answer:
    headers = (*answer.headers, ("content-encoding", "gzip"))
    return Answer([Piece(gzip.compress(answer.body, 1))], headers=headers)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_does_not_keep_the_loop(name: str) -> None:
    answer = ANSWERS[name]()
    data = request("/v1/messages", message_body(), WITH_KEY)
    loop = WatchedLoop()
    with (
        Upstream(lambda exchange: answer) as upstream,
        LocalGateway(upstream, loop=loop) as gateway,
    ):
        spent = []
        for _ in range(3):
            loop.forget()
            with RawClient(gateway.port) as client:
                assert client.send(data).response().status == 200
            spent.append((loop.longest_ms, loop.culprit))
    assert min(spent)[0] < MOST_MS, min(spent)
