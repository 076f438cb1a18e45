"""Upstreams that fail and clients that leave or dawdle: nothing hangs, nothing is lost."""

import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.wire.answers import Answer, Gate, Piece, document
from tests.wire.asking import STREAMED, TERMINAL, WHOLE, always, as_bill, ask, spoiled
from tests.wire.local_gateway import LocalGateway
from tests.wire.raw import RawClient
from tests.wire.scripts import in_turn
from tests.wire.upstream import Upstream

pytestmark = pytest.mark.wire


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
