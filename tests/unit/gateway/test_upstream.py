"""An upstream's connection: what of an answer is believed, and when it may be used again."""

import asyncio
import functools

import pytest
from tests.unit.gateway.world import in_loop

from tidegate.core.routing import Origin
from tidegate.gateway.connector import Connector
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.upstream import Answer, Pool, UpstreamConnection

pytestmark = pytest.mark.slow

ORIGIN = Origin(False, "h", 80)


class FakeTransport:
    """Takes all that is written, or keeps `unsent` bytes of it back."""

    def __init__(self) -> None:
        self.closed = False
        self.unsent = 0

    def write(self, data: bytes) -> None:
        assert not self.closed

    def writelines(self, data: list[bytes]) -> None:
        assert not self.closed

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class FakeReceiver:
    """Notes what arrives."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.body = b""
        self.answer = Answer()

    def upstream_head(self, answer: Answer) -> None:
        self.answer = answer
        self.notes.append(f"head {answer.status} {answer.length}")

    def upstream_flush(self) -> None: ...

    def upstream_body(self, chunk: bytes, *, last: bool) -> None:
        self.body += chunk

    def upstream_end(self) -> None:
        self.notes.append("end")

    def upstream_lost(self, *, garbled: bool, untouched: bool) -> None:
        self.notes.append("garbled" if garbled else "untouched" if untouched else "lost")


@functools.cache
def _connector() -> Connector:
    return Connector(GatewayOptions(console_socket=""))


class Rig:
    """A connection with a request sent on it."""

    def __init__(self) -> None:
        self.pool = Pool(_connector(), 55)
        self.connection = UpstreamConnection(self.pool, ORIGIN)
        self.transport = FakeTransport()
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]
        self.receiver = FakeReceiver()
        self.ask()

    def ask(self) -> None:
        self.connection.send(b"GET / HTTP/1.1\r\n\r\n", b"", self.receiver, head_only=False)

    def feed(self, *pieces: bytes) -> list[str]:
        for piece in pieces:
            self.connection.data_received(piece)
        return self.receiver.notes

    @property
    def kept(self) -> bool:
        return self.pool.take(ORIGIN) is self.connection


SIZED = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "notes", "body", "kept"),
    [
        ([SIZED + b"abc"], ["head 200 3", "end"], b"abc", True),
        ([SIZED + b"abc\r\n"], ["head 200 3", "end"], b"abc", True),
        ([SIZED + b"abcd"], ["head 200 3", "end"], b"abc", False),
        ([SIZED.replace(b"3", b"3 ") + b"a", b"bc"], ["head 200 3", "end"], b"abc", True),
        ([CHUNKED + b"3\r\nabc\r\n", b"0\r\n\r\n"], ["head 200 -1", "end"], b"abc", True),
        (
            [CHUNKED + b"3\r\nabc\r\n0\r\n", b"x-trailer: 1\r\n\r\n"],
            ["head 200 -1", "end"],
            b"abc",
            True,
        ),
        ([CHUNKED + b"3\r\nabc\r\nzz\r\n"], ["head 200 -1", "garbled"], b"abc", False),
        ([b"HTTP/1.1 204 No\r\n\r\n"], ["head 204 0", "end"], b"", True),
        ([b"HTTP/1.1 304 No\r\ncontent-length: 9\r\n\r\n"], ["head 304 9", "end"], b"", True),
        (
            [b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"],
            ["head 200 0", "end"],
            b"",
            False,
        ),
        (
            [b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na"],
            ["head 200 1", "end"],
            b"a",
            False,
        ),
        (
            [b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" * 5, SIZED + b"abc"],
            ["head 200 3", "end"],
            b"abc",
            True,
        ),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" * 50], ["garbled"], b"", False),
        ([b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n"], ["garbled"], b"", False),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nabc"], ["garbled"], b"", False),
        (
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
            ["garbled"],
            b"",
            False,
        ),
        ([b"HTTP/1.1 200 OK\r\nx: " + b"a" * 300_000], ["garbled"], b"", False),
        ([b"HTTP/1.1 200 OK\r\n" + b"connection: x\r\n" * 2_000], ["garbled"], b"", False),
        ([b"HTTP/1.1 600 Odd\r\n\r\n"], ["garbled"], b"", False),
        ([b"SSH-2.0-OpenSSH\r\n"], ["garbled"], b"", False),
    ],
)
@in_loop
async def test_answers(pieces: list[bytes], notes: list[str], body: bytes, kept: bool) -> None:
    rig = Rig()
    assert rig.feed(*pieces) == notes
    assert (rig.receiver.body, rig.kept) == (body, kept)


@in_loop
async def test_trailers_are_dropped_and_endless_ones_cut_off() -> None:
    rig = Rig()
    rig.feed(CHUNKED + b"1\r\na\r\n0\r\n", b"set-cookie: a=b\r\n" * 10)
    assert [name for name, _, _ in rig.receiver.answer.headers] == [b"transfer-encoding"]
    for _ in range(400):
        if not rig.transport.closed:
            rig.feed(b"x: " + b"a" * 1000 + b"\r\n")
    assert rig.receiver.notes[-1] == "garbled"


@pytest.mark.parametrize(
    ("pieces", "note"),
    [
        ([], "untouched"),
        ([SIZED[:20]], "lost"),
        ([SIZED + b"ab"], "lost"),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 3 \r\n\r\nab"], "lost"),
        ([CHUNKED + b"3\r\nab"], "lost"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n"], "lost"),
        ([b"HTTP/1.1 200 OK\r\n\r\nabc"], "end"),
    ],
)
@in_loop
async def test_a_close_ends_only_an_answer_without_a_length(pieces: list[bytes], note: str) -> None:
    rig = Rig()
    rig.feed(*pieces)
    rig.connection.connection_lost(None)
    assert rig.receiver.notes[-1] == note
    assert not rig.kept


@in_loop
async def test_a_reset_never_ends_an_answer_well() -> None:
    rig = Rig()
    rig.feed(b"HTTP/1.1 200 OK\r\n\r\nabc")
    rig.connection.connection_lost(ConnectionResetError())
    assert rig.receiver.notes[-1] == "lost"


@in_loop
async def test_a_connection_that_is_still_sending_is_not_kept() -> None:
    rig = Rig()
    rig.transport.unsent = 5
    assert rig.feed(SIZED + b"abc")[-1] == "end"
    assert not rig.kept
    assert rig.transport.closed


@in_loop
async def test_a_request_on_a_connection_lost_meanwhile_is_told_so() -> None:
    rig = Rig()
    rig.feed(SIZED + b"abc")
    rig.connection.connection_lost(None)
    rig.transport.closed = True
    rig.ask()
    await asyncio.sleep(0)
    assert rig.receiver.notes[-1] == "untouched"


@in_loop
async def test_bytes_that_nobody_asked_for_close_the_connection() -> None:
    rig = Rig()
    rig.feed(SIZED + b"abc", b"HTTP/1.1 200 OK\r\n")
    assert rig.transport.closed
    assert not rig.kept


@in_loop
async def test_several_connection_headers_count_together() -> None:
    rig = Rig()
    rig.feed(b"HTTP/1.1 200 OK\r\nConnection: x-a\r\nconnection: x-b\r\ncontent-length: 3\r\n\r\n")
    assert rig.receiver.answer.first[b"connection"] == b"x-a,x-b"
