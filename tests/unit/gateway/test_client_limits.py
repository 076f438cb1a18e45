"""What a hostile client can make its connection hold, and for how long."""

import sys

import pytest
from tests.unit.gateway.test_client import GET, FakeHost

POST = b"POST /a HTTP/1.1\r\nhost: h\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"


def test_nothing_is_served_to_a_client_that_does_not_read_its_answers() -> None:
    host = FakeHost()
    host.feed(GET)
    host.connection.pause_writing()
    for _ in range(20_000):
        if host.transport.reading_paused:
            break
        host.connection.data_received(GET * 10)
    assert host.transport.reading_paused
    assert len(host.served) == 1
    assert host.connection.deadline == host.clock + host.connection._host.options.write_timeout_s
    host.connection.resume_writing()
    assert not host.transport.reading_paused
    assert len(host.served) > 900


def test_a_client_that_stops_reading_amid_pipelined_requests_is_waited_for() -> None:
    host = FakeHost()

    def stop(connection: object, request: object) -> None:
        host.connection.pause_writing()
        host.echo(host.connection, host.served[-1])

    host.answer = stop
    assert host.feed(GET * 3).count(b"HTTP/1.1 200") == 1
    host.answer = host.echo
    host.connection.resume_writing()
    assert host.transport.written.count(b"HTTP/1.1 200") == 2
    assert host.connection.idle


def test_thousands_of_equal_requests_in_one_read_do_not_nest() -> None:
    host = FakeHost()
    request = POST + b"content-length: 1\r\n\r\nx"
    assert host.feed(request).count(b"HTTP/1.1 200") == 1
    assert host.feed(request * 5000).count(b"HTTP/1.1 200") == 5000


def test_requests_that_wait_in_small_pieces_cost_no_more_than_their_bytes() -> None:
    """Counting what waits anew for every read would take minutes here."""
    host = FakeHost()
    host.answer = host.wait
    host.feed(GET)
    for _ in range(250_000):
        host.connection.data_received(b"G")
    assert not host.transport.reading_paused
    for _ in range(20_000):
        host.connection.data_received(b"G")
    assert host.transport.reading_paused


def test_trailers_are_not_taken_for_headers() -> None:
    host = FakeHost()
    host.feed(CHUNKED + b"1\r\nx\r\n0\r\nx-api-key: later\r\nx-tidegate-key: tg_later\r\n\r\n")
    [request] = host.served
    assert b"x-api-key" not in request.first
    assert [name for name, _, _ in request.headers] == [b"host", b"transfer-encoding"]


def test_endless_trailers_are_refused() -> None:
    host = FakeHost()
    answer = host.feed(CHUNKED + b"1\r\nx\r\n0\r\n")
    for _ in range(80):
        answer += host.feed(b"x: " + b"a" * 1000 + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_a_body_in_tiny_chunks_does_not_grow_in_memory() -> None:
    host = FakeHost()
    host.feed(CHUNKED)
    for _ in range(100):
        host.feed(b"2\r\nab\r\n" * 1000)
    request = host.connection._request
    assert request is not None
    assert sum(map(sys.getsizeof, request.parts)) < 3 * request.body_bytes
    host.feed(b"0\r\n\r\n")
    assert host.served[0].body == b"ab" * 100_000
    assert type(host.served[0].body) is bytes


def test_a_sized_body_in_tiny_pieces_does_not_grow_in_memory() -> None:
    host = FakeHost()
    head = POST + b"content-length: 200000\r\n\r\n"
    for _ in range(2):  # the same head again must not take a dearer way
        host.feed(head)
        for _ in range(60_000):
            host.feed(b"ab")
        request = host.connection._request
        assert request is not None
        assert sum(map(sys.getsizeof, request.parts)) < 3 * request.body_bytes
        host.feed(b"ab" * 40_000)
    assert [r.body for r in host.served] == [b"ab" * 100_000] * 2


def test_a_body_that_had_to_wait_for_the_answer_before_has_its_whole_time() -> None:
    host = FakeHost(body_timeout_s=30)
    host.answer = host.wait
    host.feed(GET + POST + b"content-length: 9\r\n\r\nabc")
    host.clock += 500
    host.connection.reply(200, b"text/plain", b"")
    assert host.connection.deadline >= host.clock + 30


@pytest.mark.parametrize("again", [False, True])
def test_a_strangers_large_body_is_not_waited_for(again: bool) -> None:
    host = FakeHost()
    host.stranger = True
    if again:  # a small body with the same head opens no door
        assert host.feed(POST + b"content-length: 1\r\n\r\nx").startswith(b"HTTP/1.1 200 ")
    answer = host.feed(POST + b"content-length: %d\r\n\r\n" % (2 << 20))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert host.too_large == 1


def test_a_strangers_chunked_body_is_given_up_when_it_is_large() -> None:
    host = FakeHost()
    host.stranger = True
    answer = host.feed(CHUNKED)
    for _ in range(20):
        answer += host.feed(b"20000\r\n" + b"x" * 0x20000 + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert host.connection._request is None
    assert host.served == []


def test_thousands_of_header_fields_in_one_read_are_not_looked_at() -> None:
    host = FakeHost()
    flood = b"connection: " + b"x" * 30 + b"\r\n"
    answer = host.feed(b"GET /a HTTP/1.1\r\nhost: h\r\n" + flood * 5_000 + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert host.connection._request is not None
    assert len(host.connection._request.headers) <= 256


@pytest.mark.parametrize("head", [b"content-length: 2097152\r\n\r\n", b"chunked"])
def test_a_known_agents_large_body_is_taken(head: bytes) -> None:
    host = FakeHost()
    if head == b"chunked":
        host.feed(CHUNKED + b"200000\r\n" + b"x" * (2 << 20) + b"\r\n0\r\n\r\n")
    else:
        host.feed(POST + head + b"x" * (2 << 20))
    request = host.served[0]
    request.close_body()  # a large body is joined by whoever reads it
    assert request.body == b"x" * (2 << 20)


def test_a_client_that_closed_its_side_and_reads_nothing_is_given_up() -> None:
    host = FakeHost(write_timeout_s=60)
    host.answer = host.wait
    host.feed(GET)
    host.connection.eof_received()
    host.transport.close()
    assert host.connection.deadline == host.clock + 60
    host.connection.expired()
    assert host.transport.aborted


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /a HTTP/2.0\r\nhost: h\r\n\r\n", 505),
        (b"GET /a HTTP/0.9\r\nhost: h\r\n\r\n", 505),
        (POST + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\nabc", 400),
        (b"GET /\xff HTTP/1.1\r\nhost: h\r\n\r\n", 400),
        (b"GET /a?\xc3\xa4 HTTP/1.1\r\nhost: h\r\n\r\n", 400),
    ],
)
def test_what_is_refused_by_its_head(data: bytes, status: int) -> None:
    host = FakeHost()
    assert host.feed(data).startswith(b"HTTP/1.1 %d " % status)
    assert host.served == []


def test_an_answer_to_an_upgrade_says_that_the_connection_closes() -> None:
    host = FakeHost()
    answer = host.feed(
        b"GET /a HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    )
    assert b"connection: close\r\n" in answer


def test_white_space_around_a_value_is_none_of_it() -> None:
    host = FakeHost()
    host.feed(b"GET /a HTTP/1.1\r\nhost: h \r\nx-tidegate-key:\t tg_1 \t\r\nx:  \xff \r\n\r\n")
    first = host.served[0].first
    assert (first[b"host"], first[b"x-tidegate-key"], first[b"x"]) == (b"h", b"tg_1", b"\xff")


def test_a_fault_within_trailers_closes() -> None:
    host = FakeHost()
    answer = host.feed(CHUNKED + b"1\r\nx\r\n0\r\ncontent-length: 5\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert host.served == []
