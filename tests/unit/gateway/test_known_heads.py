"""A head that a connection repeats: read once, and never differently from the parser."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.gateway.test_client import FakeHost

HEAD = b"POST /v1/messages HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\nx-a: 1\r\n\r\n"
OTHER = b"POST /v1/responses HTTP/1.1\r\nContent-Length: %d\r\nhost: h\r\n\r\n"
GET = b"GET /v1/models HTTP/1.1\r\nhost: h\r\n\r\n"


def seen(host: FakeHost) -> list[tuple[bytes, bytes, bytes, int]]:
    return [(r.method, r.target, bytes(r.body), r.length) for r in host.served]


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[bytes], list[tuple[bytes, bytes, bytes, int]]]:
    """Requests with few different heads, cut anywhere, and what must come of them."""
    wire, expected = b"", []
    for _ in range(draw(st.integers(1, 8))):
        head = draw(st.sampled_from([HEAD, HEAD, OTHER, GET]))
        if head is GET:
            wire += GET
            expected.append((b"GET", b"/v1/models", b"", 0))
            continue
        body = draw(st.one_of(st.binary(max_size=30), st.just(b"\r\n\r\n"), st.just(GET)))
        wire += head % len(body) + body
        expected.append((b"POST", head.split(b" ")[1], body, len(body)))
    cuts = sorted(draw(st.sets(st.integers(0, len(wire)), max_size=6)))
    edges = [0, *cuts, len(wire)]
    return [wire[a:b] for a, b in pairwise(edges)], expected


@given(conversations())
def test_requests_are_the_same_whatever_came_before_and_however_they_are_cut(
    conversation: tuple[list[bytes], list[tuple[bytes, bytes, bytes, int]]],
) -> None:
    pieces, expected = conversation
    host = FakeHost()
    for piece in pieces:
        if piece:
            host.feed(piece)
    assert seen(host) == expected
    assert not host.refused


@pytest.mark.parametrize(
    "second",
    [
        HEAD.replace(b"%d", b"+5") + b"hello",
        HEAD.replace(b"%d", b"-5") + b"hello",
        HEAD.replace(b"%d", b"5 5") + b"hello",
        HEAD.replace(b"%d", b"5, 5") + b"hello",
        HEAD.replace(b"%d", b"") + b"hello",
        HEAD.replace(b"%d", b"5\r\ncontent-length: 5") + b"hello",
        HEAD.replace(b"%d", b"5\r\ntransfer-encoding: chunked") + b"0\r\n\r\n",
        HEAD.replace(b"%d", b"5\r\nhost: other") + b"hello",
        HEAD.replace(b"%d", b"5\nx: y") + b"hello",
        HEAD.replace(b"%d", b"5").replace(b"host", b"Host") + b"hello",
        HEAD.replace(b"%d", b"99999999999999") + b"hello",
        HEAD.replace(b"%d", b"9999999999999999999999") + b"hello",
        HEAD.replace(b"%d", b"005") + b"hello",
        HEAD.replace(b"%d", b"\xd9\xa5") + b"hello",
        b"\r\n" + HEAD % 5 + b"hello",
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") % 5 + b"hello",
    ],
)
def test_a_head_that_only_resembles_a_known_one_is_judged_as_on_a_new_connection(
    second: bytes,
) -> None:
    cold, warm = FakeHost(), FakeHost()
    warm.feed(HEAD % 2 + b"ab")
    assert warm.feed(second) == cold.feed(second)
    assert seen(warm)[1:] == seen(cold)


def test_a_repeated_head_is_not_parsed_again() -> None:
    host = FakeHost()
    for length in (2, 3, 2000):
        host.feed(HEAD % length + b"x" * length)
    first, *others = host.served
    assert all(other.headers is first.headers for other in others)
    assert [len(r.body) for r in host.served] == [2, 3, 2000]


def test_a_body_of_a_known_head_has_the_limit_and_the_deadline_of_any_other() -> None:
    host = FakeHost(body_limit_bytes=10, body_timeout_s=5)
    host.feed(HEAD % 2 + b"ab")
    host.clock += 50
    host.feed(HEAD % 9 + b"ab")
    assert host.connection.deadline == pytest.approx(host.clock + 5, abs=0.01)
    assert not host.connection.idle
    host.feed(b"1234567")
    assert host.feed(HEAD % 11).startswith(b"HTTP/1.1 413 ")


def test_heads_that_change_the_connection_are_not_remembered() -> None:
    host = FakeHost()
    close = HEAD.replace(b"x-a: 1", b"connection: close")
    assert b"connection: close" in host.feed(close % 1 + b"a")
    host = FakeHost()
    expecting = HEAD.replace(b"x-a: 1", b"expect: 100-continue")
    for _ in range(2):
        assert host.feed(expecting % 1) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert host.feed(b"a").startswith(b"HTTP/1.1 200")
