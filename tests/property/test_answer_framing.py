"""However an upstream's bytes are cut into reads, they are the same answers."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples
from tests.unit.gateway.test_upstream import Rig

BODY = b"data: {}\n\n" * 30
HEADS = st.sampled_from(
    [
        b"",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"NONSENSE\r\n",
    ]
)
ANSWERS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 300\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\ncontent-length: 290\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\ncontent-length: 310\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 300\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n12c\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nd\r\n12b\r\n"
        + BODY[1:]
        + b"\r\n0\r\nx-trailer: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n12c\r\n" + BODY + b"!\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nx: \0\r\n\r\n",
    ]
)


async def play(reads: list[bytes]) -> tuple[list[str], bytes, bool]:
    rig = Rig()
    for read in reads:
        if read and not rig.transport.closed:
            rig.connection.data_received(read)
    if not rig.transport.closed and rig.receiver.notes[-1:] != ["end"]:
        rig.connection.connection_lost(None)
    return rig.receiver.notes, rig.receiver.body, rig.kept


async def play_all(*ways: list[bytes]) -> list[tuple[list[str], bytes, bool]]:
    return [await play(reads) for reads in ways]


@settings(max_examples=examples(300), deadline=None)
@given(HEADS, ANSWERS, st.data())
def test_the_same_bytes_are_the_same_answer(
    head: bytes, answer: bytes, data: st.DataObject
) -> None:
    whole = head + answer
    bytewise = [whole[at : at + 1] for at in range(len(whole))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    reads = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    at_once, one_by_one, somehow = asyncio.run(play_all([whole], bytewise, reads))
    # What follows an answer spoils its connection; whether that is noticed at once may differ.
    assert at_once[:2] == one_by_one[:2] == somehow[:2]
    if b"content-length: 290" in answer:
        assert not at_once[2]
