"""The client's connection: what is refused by its head, order, limits and deadlines."""

from collections.abc import Callable

import pytest

from tidegate.gateway.client import ClientConnection
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.request import Request


class FakeTransport:
    """Collects what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = self.aborted = self.ended = self.reading_paused = False

    def get_extra_info(self, name: str) -> object:
        return ("192.0.2.7", 5000) if name == "peername" else None

    def write(self, chunk: bytes) -> None:
        self.written += chunk

    def writelines(self, chunks: list[bytes]) -> None:
        self.written += b"".join(chunks)

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        self.reading_paused = True

    def resume_reading(self) -> None:
        self.reading_paused = False


class FakeTurn:
    """A turn that only notes what happens to its client."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def client_paused(self) -> None:
        self.notes.append("paused")

    def client_resumed(self) -> None:
        self.notes.append("resumed")

    def client_gone(self) -> None:
        self.notes.append("gone")


class FakeHost:
    """Serves requests as the test says: at once by default, else by hand."""

    def __init__(self, **options: int | float) -> None:
        self.options = GatewayOptions(console_socket="", **options)  # type: ignore[arg-type]
        self.draining = False
        self.clock = 100.0
        self.served: list[Request] = []
        self.refused: list[int] = []
        self.too_large = 0
        self.stranger = False
        self.turn: FakeTurn | None = None
        self.answer: Callable[[ClientConnection, Request], None] = self.echo
        self.transport = FakeTransport()
        self.connection = ClientConnection(self)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    def now(self) -> float:
        return self.clock

    def joined(self, connection: ClientConnection) -> None:
        pass

    def left(self, connection: ClientConnection) -> None:
        pass

    def refused_head(self, status: int) -> None:
        self.refused.append(status)

    def serve(self, connection: ClientConnection, request: Request) -> None:
        self.served.append(request)
        self.answer(connection, request)

    def welcomes(self, request: Request) -> bool:
        return not self.stranger

    def refuse_body(self, connection: ClientConnection, request: Request) -> None:
        self.too_large += 1
        connection.reply(413, b"text/plain", b"large")

    def echo(self, connection: ClientConnection, request: Request) -> None:
        connection.reply(200, b"text/plain", request.target)

    def wait(self, connection: ClientConnection, request: Request) -> None:
        self.turn = FakeTurn()
        connection.take_turn(self.turn)

    def stream(self, connection: ClientConnection, request: Request) -> None:
        connection.write_head(200, [], -1)
        connection.write_body(b"abc")
        connection.end()

    def cut(self, connection: ClientConnection, request: Request) -> None:
        connection.write_head(200, [], -1)
        connection.write_body(b"abc")
        connection.abort()

    def feed(self, data: bytes) -> bytes:
        self.connection.data_received(data)
        written, self.transport.written = self.transport.written, b""
        return written


GET = b"GET /a HTTP/1.1\r\nhost: h\r\n\r\n"


def test_a_request_is_served_and_the_connection_kept() -> None:
    host = FakeHost()
    answer = host.feed(GET)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"content-length: 2\r\n\r\n/a")
    assert not host.transport.closed
    assert host.feed(GET).endswith(b"/a")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /a HTTP/1.1\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nhost:\r\n\r\n", 400),
        (b"GET http://h/a HTTP/1.1\r\nhost: h\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n", 400),
        (b"CONNECT h:443 HTTP/1.1\r\nhost: h\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: identity\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: xchunked\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding : chunked\r\n\r\n", 400),
        (
            b"POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n"
            b"transfer-encoding: chunked\r\n\r\n",
            400,
        ),
        (b"POST /a HTTP/1.0\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (
            b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n"
            b"transfer-encoding: chunked\r\n\r\n",
            400,
        ),
        (b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 3, 3\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: +1\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nhost: h\r\nx: a\x00b\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nhost: h\r\n folded: x\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\nhost: h\n\n", 400),
        (b"GET /a HTTP/1.1\r\nhost: h\r\nbad name: x\r\n\r\n", 400),
        (b"GET /a HTTP/9.9\r\nhost: h\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"POST /a HTTP/1.1\r\nhost: h\r\nexpect: 200-ok\r\n\r\n", 417),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: h\r\n\r\n", 431),
        (b"GET /a HTTP/1.1\r\nhost: h\r\nx: " + b"a" * 70_000, 431),
        (b"GET /a HTTP/1.1\r\nhost: h\r\n" + b"x: a\r\n" * 300 + b"\r\n", 431),
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(head: bytes, status: int) -> None:
    host = FakeHost()
    answer = host.feed(head)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:80]
    assert b"connection: close\r\n" in answer
    assert host.served == []
    assert host.transport.ended


def test_a_head_that_comes_in_pieces_has_the_same_limit() -> None:
    host = FakeHost()
    answer = host.feed(b"GET /a HTTP/1.1\r\nhost: h\r\n")
    for _ in range(70):
        answer += host.feed(b"x: " + b"a" * 1000 + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_pipelined_requests_are_answered_in_order() -> None:
    host = FakeHost()
    host.answer = host.wait
    requests = [b"GET /%d HTTP/1.1\r\nhost: h\r\n\r\n" % n for n in range(50)]
    assert host.feed(b"".join(requests[:30])) == b""
    assert host.feed(b"".join(requests[30:])) == b""
    assert len(host.served) == 1
    host.answer = host.echo
    host.connection.reply(200, b"text/plain", b"first")
    assert [r.target for r in host.served] == [b"/%d" % n for n in range(50)]
    bodies = host.transport.written.split(b"\r\n\r\n")[1:]
    assert [b.split(b"HTTP/")[0] for b in bodies] == [b"first"] + [b"/%d" % n for n in range(1, 50)]


def test_a_thousand_pipelined_requests_do_not_nest() -> None:
    host = FakeHost()
    assert host.feed(GET * 5000).count(b"HTTP/1.1 200") == 5000


def test_reading_stops_while_too_much_waits() -> None:
    host = FakeHost()
    host.answer = host.wait
    host.feed(GET)
    host.feed(b"POST /b HTTP/1.1\r\nhost: h\r\ncontent-length: 300000\r\n\r\n" + b"b" * 270_000)
    assert host.transport.reading_paused
    host.connection.reply(200, b"text/plain", b"")
    assert not host.transport.reading_paused


def test_a_malformed_request_after_a_good_one_does_not_eat_its_answer() -> None:
    host = FakeHost()
    answer = host.feed(GET + b"NONSENSE\r\n\r\n")
    assert answer.index(b"HTTP/1.1 200") < answer.index(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "pieces",
    [
        [b"content-length: 5\r\n\r\n", b"he", b"llo"],
        [b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n", b"3\r\nllo\r\n0\r\n\r\n"],
    ],
)
def test_bodies_are_joined_as_received(pieces: list[bytes]) -> None:
    host = FakeHost()
    host.feed(b"POST /a HTTP/1.1\r\nhost: h\r\n")
    for piece in pieces:
        host.feed(piece)
    assert host.served[0].body == b"hello"


def test_a_body_over_the_limit_is_refused_unread_and_the_answer_is_heard() -> None:
    host = FakeHost(body_limit_bytes=10)
    answer = host.feed(b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 11\r\n\r\n12345")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert (host.too_large, host.served) == (1, [])
    assert host.transport.ended
    assert not host.transport.aborted
    assert host.feed(b"x" * 1000) == b""
    host.connection.expired()
    assert host.transport.aborted


def test_a_chunked_body_over_the_limit_is_refused_when_it_passes_it() -> None:
    host = FakeHost(body_limit_bytes=10)
    answer = host.feed(b"POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n")
    assert answer == b""
    assert host.feed(b"6\r\n123456\r\n6\r\n123456\r\n").startswith(b"HTTP/1.1 413 ")


def test_continue_is_sent_when_the_body_is_wanted() -> None:
    host = FakeHost(body_limit_bytes=10)
    head = b"POST /a HTTP/1.1\r\nhost: h\r\nexpect: 100-Continue\r\ncontent-length: %d\r\n\r\n"
    assert host.feed(head % 2) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert host.feed(b"ab").startswith(b"HTTP/1.1 200")
    assert host.feed(head % 11).startswith(b"HTTP/1.1 413 ")


def test_continue_waits_for_the_answer_before() -> None:
    host = FakeHost()
    host.answer = host.wait
    head = b"POST /a HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    assert host.feed(GET + head) == b""
    host.connection.reply(200, b"text/plain", b"one")
    assert host.transport.written.endswith(b"oneHTTP/1.1 100 Continue\r\n\r\n")


def test_an_http10_client_gets_a_body_that_ends_with_the_connection() -> None:
    host = FakeHost()
    host.answer = host.stream
    answer = host.feed(b"GET /a HTTP/1.0\r\nhost: h\r\n\r\n")
    assert b"transfer-encoding" not in answer
    assert answer.endswith(b"connection: close\r\n\r\nabc")
    assert host.transport.closed


def test_an_unsized_body_is_chunked() -> None:
    host = FakeHost()
    host.answer = host.stream
    assert host.feed(GET).endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")


def test_head_has_no_body() -> None:
    host = FakeHost()
    answer = host.feed(b"HEAD /abc HTTP/1.1\r\nhost: h\r\n\r\n")
    assert answer.endswith(b"content-length: 4\r\n\r\n")


def test_an_upgrade_is_answered_as_a_request_and_the_connection_closed() -> None:
    host = FakeHost()
    answer = host.feed(
        b"GET /a HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\x81\x05"
    )
    assert answer.startswith(b"HTTP/1.1 200")
    assert host.served[0].upgrade
    assert host.transport.closed


def test_a_client_that_leaves_is_told_to_its_turn_once() -> None:
    host = FakeHost()
    host.answer = host.wait
    host.feed(GET)
    host.connection.eof_received()
    host.connection.connection_lost(None)
    assert host.turn is not None
    assert host.turn.notes == ["gone"]


def test_a_slow_reader_pauses_its_turn_and_is_given_up_in_the_end() -> None:
    host = FakeHost(write_timeout_s=60)
    host.answer = host.wait
    host.feed(GET)
    host.connection.pause_writing()
    assert host.connection.deadline == host.clock + 60
    host.connection.resume_writing()
    assert host.connection.deadline == 0
    host.connection.pause_writing()
    host.connection.expired()
    assert host.transport.aborted
    assert host.turn is not None
    assert host.turn.notes == ["paused", "resumed", "paused"]


def test_a_head_that_does_not_arrive_is_answered_408() -> None:
    host = FakeHost(head_timeout_s=5)
    host.feed(b"GET /a HTTP/1.1\r\n")
    assert host.connection.deadline == host.clock + 5
    host.clock += 4
    host.feed(b"host: h\r\n")
    assert host.connection.deadline == host.clock + 1
    host.connection.expired()
    assert host.transport.written.startswith(b"HTTP/1.1 408 ")


def test_a_body_of_one_byte_a_second_does_not_last_for_ever() -> None:
    host = FakeHost(body_timeout_s=30)
    host.feed(b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 100000\r\n\r\n")
    for _ in range(40):
        host.clock += 1
        host.feed(b"x")
    assert host.connection.deadline < host.clock
    host.connection.expired()
    assert host.transport.written.startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_closed_without_a_word() -> None:
    host = FakeHost(idle_timeout_s=7)
    host.feed(GET)
    assert host.connection.idle
    assert host.connection.deadline == host.clock + 7
    host.connection.expired()
    assert host.transport.closed
    assert host.transport.written == b""


def test_while_draining_an_answer_closes_its_connection() -> None:
    host = FakeHost()
    host.draining = True
    assert b"connection: close\r\n" in host.feed(GET)
    assert host.transport.closed


def test_an_aborted_answer_has_no_end() -> None:
    host = FakeHost()
    host.answer = host.cut
    assert host.feed(GET).endswith(b"3\r\nabc\r\n")
    assert host.transport.closed
