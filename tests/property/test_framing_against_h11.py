"""Our framing beside h11's, another implementation of the same rules, on the same bytes.

Where both accept, both have read the same. What h11 refuses we refuse. We may refuse more, and do:
bare line feeds, two lengths even if equal, a length beside a coding, codings other than one
`chunked`, a target that is no path, HTTP/1.0 with a coding, heads without or with an empty Host.

Tolerated, since no two readers of these can differ in where a message ends:
- bytes above 0x7E in a target or control characters in a reason phrase, which llhttp takes;
- empty lines before a message, which h11 takes for a message without a first line;
- `Connection: keep-alive` of HTTP/1.0, which h11 does not know.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.effort import examples
from tests.fuzz.client_side import Taken, read_as_server, without_length
from tests.fuzz.seeds import inputs
from tests.fuzz.upstream_side import read_as_client


@dataclass
class _Heard:
    """What h11 made of a stream."""

    requests: list[Taken] = field(default_factory=list)
    refused: bool = False


def _h11_requests(stream: bytes) -> _Heard:
    """Read one request after the other, each with a reader of its own."""
    heard = _Heard()
    rest: bytes | None = stream
    while rest is not None:
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(rest.lstrip(b"\r\n"))
        rest = None
        try:
            head, body = _h11_message(connection)
        except h11.RemoteProtocolError:
            heard.refused = True
            return heard
        if head is None:
            return heard
        heard.requests.append(_taken(head, body))
        if connection.their_state is h11.DONE or _kept_by_1_0(head):
            rest = bytes(connection.trailing_data[0])
    return heard


def _h11_message(connection: h11.Connection) -> tuple[h11.Request | None, bytes]:
    head, body = None, b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:  # not all of it is there
            return None, b""
    return head, body


def _kept_by_1_0(head: h11.Request) -> bool:
    return head.http_version == b"1.0" and (b"connection", b"keep-alive") in list(head.headers)


def _taken(head: h11.Request, body: bytes) -> Taken:
    headers = without_length((bytes(n), bytes(v)) for n, v in head.headers)
    return Taken(bytes(head.method), bytes(head.target), headers, body)


def _lowered(request: Taken) -> Taken:
    """h11 writes a coding's name in lower case."""
    headers = tuple(
        (name, value.lower() if name == b"transfer-encoding" else value)
        for name, value in request.headers
    )
    return Taken(request.method, request.target, headers, request.body)


def _compare_requests(stream: bytes) -> None:
    ours, theirs = read_as_server([stream]), _h11_requests(stream)
    read = [_lowered(request) for request in ours.requests]
    if _tolerated_target(read):
        return
    assert read == theirs.requests[: len(read)]
    if theirs.refused and len(read) == len(theirs.requests) and not ours.closed:
        # Refused by h11 at the first sight of it, by us at the end of its head.
        ended = read_as_server([stream + b"\r\n\r\n"])
        assert len(ended.requests) == len(read)


def _tolerated_target(requests: list[Taken]) -> bool:
    return any(byte > 0x7E for request in requests for byte in request.target)


# -- streams -------------------------------------------------------------------

_METHODS = st.sampled_from([b"GET", b"POST", b"HEAD", b"PUT", b"CONNECT", b"get", b"PRI"])
_TARGETS = st.sampled_from([b"/", b"/v1/messages?a=b", b"*", b"http://h/a", b"h:443", b"//a"])
_VERSIONS = st.sampled_from(
    [b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"http/1.1"]
)
_ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n"])
_FIELDS = st.sampled_from(
    [
        b"Content-Length: 5",
        b"Content-Length: +5",
        b"Content-Length: 5, 5",
        b"Content-Length: 0x5",
        b"Content-Length:5 ",
        b"Content-Length: 05",
        b"content-length: 00000000000000000000005",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: CHUNKED",
        b"Transfer-Encoding:\tchunked",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding: chunked\x0b",
        b" Transfer-Encoding: chunked",
        b"Transfer_Encoding: chunked",
        b"Host: h",
        b"Connection: close",
        b"Connection: keep-alive",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Expect: 100-continue",
        b"X: a\0b",
        b"X: a\rb",
        b"X: \xff",
        b"X:",
        b": x",
        b"X",
        b"X: a\r\n folded",
    ]
)
_BODIES = st.sampled_from(
    [
        b"hello",
        b"",
        b"0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"00000000000000000005\r\nhello\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
        b"-1\r\nhello\r\n0\r\n\r\n",
        b"5\rXhello\r\n0\r\n\r\n",
    ]
)


@st.composite
def _message(draw: st.DrawFn, first_line: st.SearchStrategy[bytes], host: bool) -> bytes:
    lines = [draw(first_line)]
    if host and draw(st.integers(0, 9)):
        lines.append(b"Host: h")
    lines += draw(st.lists(_FIELDS, max_size=3))
    head = b"".join(line + draw(_ENDS) for line in lines)
    return head + draw(_ENDS) + draw(_BODIES)


def _changed(draw: st.DrawFn, stream: bytes) -> bytes:
    """The stream with some bytes replaced, put in or left out."""
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(stream)))
        put = draw(st.sampled_from([b"", b"\r\n", b"\n", b" ", b"\0", b":", b"\t", b"0", b"\xff"]))
        stream = stream[:at] + put + stream[at + draw(st.integers(0, 2)) :]
    return stream


_REQUEST_LINE = st.builds(lambda *parts: b" ".join(parts), _METHODS, _TARGETS, _VERSIONS)
_STATUSES = st.sampled_from(
    [b"200 OK", b"204 No", b"304 Not", b"100 Go", b"103 Early", b"101 Sw", b"404", b"500 "]
)
_STATUS_LINE = st.builds(lambda version, status: version + b" " + status, _VERSIONS, _STATUSES)


@st.composite
def request_streams(draw: st.DrawFn) -> bytes:
    messages = draw(st.lists(_message(_REQUEST_LINE, True), min_size=1, max_size=3))
    return _changed(draw, b"".join(messages))


@st.composite
def answer_streams(draw: st.DrawFn) -> bytes:
    messages = draw(st.lists(_message(_STATUS_LINE, False), min_size=1, max_size=2))
    return _changed(draw, b"".join(messages))


@settings(max_examples=examples(500))
@given(request_streams())
def test_requests_are_read_as_h11_reads_them(stream: bytes) -> None:
    _compare_requests(stream)


@pytest.mark.parametrize("path", inputs("request_framing"), ids=lambda path: path.name)
def test_requests_of_the_corpus_are_read_as_h11_reads_them(path: Path) -> None:
    _compare_requests(path.read_bytes()[2:])


# -- answers -------------------------------------------------------------------


def _h11_answer(stream: bytes) -> tuple[int, bytes] | None:
    """Status and body of a complete answer that h11 accepts."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "h")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(stream.lstrip(b"\r\n"))
    connection.receive_data(b"")
    status, body = 0, b""
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except h11.RemoteProtocolError:
        return None
    return status, body


_LONG_SIZE = re.compile(rb"\n0{4,}[0-9A-Fa-f]{5,}")


def _compare_answers(stream: bytes) -> None:
    if _LONG_SIZE.search(stream):  # h11 takes 20 digits of a chunk's size at most, zeros included
        return
    ours, _ = read_as_client([stream])
    theirs = _h11_answer(stream)
    if ours.ends:
        assert theirs == (ours.status, ours.body)


@settings(max_examples=examples(500))
@given(answer_streams())
@example(b"HTTP/1.1 103 Early\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n")
def test_answers_are_read_as_h11_reads_them(stream: bytes) -> None:
    _compare_answers(stream)


@pytest.mark.parametrize("path", inputs("answer_framing"), ids=lambda path: path.name)
def test_answers_of_the_corpus_are_read_as_h11_reads_them(path: Path) -> None:
    _compare_answers(path.read_bytes()[2:])
