"""A client's connection without a socket: bytes in, requests and answers out."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tidegate.gateway.client import ClientConnection
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.request import Request

BODY_LIMIT = 4000
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closing = self.ended = False

    def get_extra_info(self, name: str) -> object:
        return ("192.0.2.7", 5000) if name == "peername" else None

    def write(self, data: bytes) -> None:
        assert not self.ended, "written after the end"
        self.written += data

    def writelines(self, parts: list[bytes]) -> None:
        self.write(b"".join(parts))

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@dataclass(frozen=True)
class Taken:
    """A request as one side understood it. The length is not among the headers: the body has it."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass
class Reading:
    """What became of one connection's bytes."""

    requests: list[Taken] = field(default_factory=list)
    too_large: int = 0
    refused: list[int] = field(default_factory=list)
    answers: bytes = b""
    closed: bool = False


def without_length(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(header for header in headers if header[0] != b"content-length")


class _Host:
    """Answers each request at once, with its target and the size of its body."""

    def __init__(self, reading: Reading) -> None:
        self.options = GatewayOptions(console_socket="", body_limit_bytes=BODY_LIMIT)
        self.draining = False
        self._reading = reading

    def now(self) -> float:
        return 100.0

    def joined(self, connection: ClientConnection) -> None:
        pass

    def left(self, connection: ClientConnection) -> None:
        pass

    def refused_head(self, status: int) -> None:
        self._reading.refused.append(status)

    def welcomes(self, request: Request) -> bool:
        return True

    def serve(self, connection: ClientConnection, request: Request) -> None:
        headers = without_length((name, value) for name, _, value in request.headers)
        self._reading.requests.append(Taken(request.method, request.target, headers, request.body))
        connection.reply(200, b"text/plain", b"%d" % request.body_bytes)

    def refuse_body(self, connection: ClientConnection, request: Request) -> None:
        self._reading.too_large += 1
        connection.reply(413, b"text/plain", b"large")


def read_as_server(pieces: list[bytes]) -> Reading:
    """Feed a connection, and close it."""
    reading, wire = Reading(), Wire()
    connection = ClientConnection(_Host(reading))
    connection.connection_made(wire)  # type: ignore[arg-type]
    for piece in pieces:
        if wire.closing:
            break
        connection.data_received(piece)
    reading.closed = wire.closing or wire.ended
    reading.answers = bytes(wire.written).replace(CONTINUE, b"")
    connection.connection_lost(None)
    return reading
