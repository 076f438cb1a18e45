"""However a client's bytes are cut into reads, they are the same requests."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples
from tests.unit.gateway.test_client import FakeHost

from tidegate.core.headers import Header
from tidegate.gateway.request import Request

Seen = list[tuple[bytes, bytes, list[Header], bytes]]

BODIES = st.sampled_from([b"", b"x", b"{}" * 40, b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", b"\r\n\r\n"])
NAMES = st.sampled_from([b"content-length", b"Content-Length", b"CONTENT-LENGTH"])
EXTRAS = st.sampled_from(
    [b"", b"x: y\r\n", b"x-content-length: 5\r\n", b"connection: close\r\n", b"a:\r\nA: 1\r\n"]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request: sized, chunked, without a body, or malformed."""
    extra, body = draw(EXTRAS), draw(BODIES)
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.1", b"1.0"]))
    head = b" /v1/messages HTTP/%b\r\nhost: h\r\n%b" % (version, extra)
    match draw(st.integers(0, 9)):
        case 0:
            return b"GET" + head + b"\r\n"
        case 1:
            chunks = b"%x;e=1\r\n%b\r\n" % (len(body), body) if body else b""
            tail = b"0\r\n" + draw(st.sampled_from([b"", b"x-trailer: 1\r\n"])) + b"\r\n"
            return b"POST" + head + b"transfer-encoding: chunked\r\n\r\n" + chunks + tail
        case 2:
            return draw(
                st.sampled_from(
                    [
                        b"POST" + head + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
                        b"POST" + head + b"content-length: +1\r\n\r\na",
                        b"POST" + head + b"content-length:  7 \r\n\r\n1234567",
                        b"POST" + head + b"content-length: 99999999999\r\n\r\n",
                        b"NONSENSE\r\n\r\n",
                        b"\r\n",
                    ]
                )
            )
        case _:
            line = draw(NAMES) + draw(st.sampled_from([b": ", b":"])) + b"%d\r\n" % len(body)
            after = draw(st.sampled_from([b"", b"y: z\r\n"]))
            return b"POST" + head + line + after + b"\r\n" + body


def play(reads: list[bytes]) -> tuple[Seen, bytes]:
    host = FakeHost(body_limit_bytes=1000)
    for read in reads:
        if not host.transport.is_closing():
            host.connection.data_received(read)
    seen = [(r.method, r.target, _headers(r), r.body) for r in host.served]
    return seen, host.transport.written


def _headers(request: Request) -> list[Header]:
    """All but the length, which is written anew for everybody."""
    return [header for header in request.headers if header[0] != b"content-length"]


@settings(max_examples=examples(600), deadline=None)
@given(st.lists(requests(), min_size=1, max_size=8), st.data())
def test_the_same_bytes_are_the_same_requests(sent: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(sent)
    at_once = play([whole])
    one_by_one = play([whole[at : at + 1] for at in range(len(whole))])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    somehow = play([whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)])
    each_alone = play(sent)
    assert at_once == one_by_one == somehow == each_alone
