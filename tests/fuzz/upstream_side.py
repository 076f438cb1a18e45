"""An upstream's connection without a socket: bytes in, one answer out."""

from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.client_side import Wire

from tidegate.gateway.upstream import Answer, UpstreamConnection


class _Pool:
    """Only notes what it is given back."""

    def __init__(self) -> None:
        self.kept = 0

    def put_back(self, connection: UpstreamConnection) -> None:
        self.kept += 1

    def forget(self, connection: UpstreamConnection) -> None:
        pass


@dataclass
class AnswerReading:
    """What the receiver of an answer was told."""

    status: int = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    length: int = -1
    body: bytes = b""
    heads: int = 0
    ends: int = 0
    lost: int = 0
    garbled: bool = False
    ending: bool = field(default=False, compare=False)  # a piece was said to be the last

    def upstream_head(self, answer: Answer) -> None:
        assert not self.ends
        assert not self.lost
        self.heads += 1
        self.status, self.length = answer.status, answer.length
        self.headers = tuple((name, value) for name, _, value in answer.headers)

    def upstream_flush(self) -> None:
        assert self.heads == 1 or not self.body

    def upstream_body(self, chunk: bytes, *, last: bool) -> None:
        assert self.heads == 1
        assert not self.ends
        assert not self.lost
        assert not self.ending
        self.body += chunk
        self.ending = last

    def upstream_end(self) -> None:
        self.ends += 1

    def upstream_lost(self, *, garbled: bool, untouched: bool) -> None:
        assert not self.ending
        self.lost += 1
        self.garbled = garbled


def read_as_client(pieces: list[bytes], *, eof: bool = True) -> tuple[AnswerReading, bool]:
    """Feed the answer to a GET, then end; also tells whether the connection was kept."""
    reading, pool, wire = AnswerReading(), _Pool(), Wire()
    unpooled: Any = pool
    connection = UpstreamConnection(unpooled, "origin")
    connection.connection_made(wire)  # type: ignore[arg-type]
    connection.send(b"GET / HTTP/1.1\r\n\r\n", b"", reading, head_only=False)
    for piece in pieces:
        if wire.closing:
            break
        connection.data_received(piece)
    kept = pool.kept == 1 and not wire.closing
    if eof:
        connection.connection_lost(None)
    assert reading.heads <= 1
    assert pool.kept <= 1
    if eof:
        assert reading.ends + reading.lost == 1
    return reading, kept
