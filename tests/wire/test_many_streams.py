"""Many streams at once, and for long: each delivered whole, each metered, little memory."""

import asyncio
import resource
from pathlib import Path

import pytest
from tests.wire.serving import RunningServer, enroll, start_server

STREAMS = 2_000
LONG_STREAMS = 200
LONG_S = 600
EVENTS_PER_S = 20
BODY = b'{"model":"claude-sonnet-4-5","max_tokens":9,"stream":true,"messages":[]}'
FIRST = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1",'
    b'"model":"claude-sonnet-4-5","usage":{"input_tokens":7,"output_tokens":1}}}\n\n'
)
DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":" and the tide is rising still"}}\n\n'
)
LAST = (
    b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":5}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Choir:
    """An upstream that starts every answer at once and ends them all together."""

    def __init__(self, voices: int = STREAMS) -> None:
        self.voices = voices
        self.singing = 0
        self.all_sing = asyncio.Event()
        self.finale = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if not request.startswith(b"POST /v1/messages "):
            # The harness asks whether the key is known.
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
            writer.close()
            return
        await reader.readexactly(len(BODY))
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked"
        writer.write(head + b"\r\n\r\n" + chunk(FIRST))
        self.singing += 1
        await self.go_on(writer)
        writer.write(chunk(LAST) + b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def go_on(self, writer: asyncio.StreamWriter) -> None:
        if self.singing == self.voices:
            self.all_sing.set()
        await self.finale.wait()


class Drone(Choir):
    """Answers that go on for minutes, an event at a time; all sing once the last is through."""

    async def go_on(self, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for beat in range(LONG_S * EVENTS_PER_S):
            writer.write(chunk(DELTA))
            await writer.drain()
            await asyncio.sleep(max(0.0, began + (beat + 1) / EVENTS_PER_S - loop.time()))
        self.all_sing.set()
        await self.finale.wait()


async def listen(port: int, key: str, ready: asyncio.Semaphore) -> bytes:
    async with ready:  # not more connections at once than a backlog takes
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"POST /v1/messages HTTP/1.1\r\nhost: h\r\nauthorization: Bearer %b\r\n"
    writer.write(head % key.encode() + b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY))
    answer = await reader.readuntil(b"\r\n\r\n")
    if answer.startswith(b"HTTP/1.1 200 "):
        end = b""
        while not end.endswith(b"\r\n0\r\n\r\n") and (piece := await reader.read(65536)):
            end = (end + piece)[-4096:]
        answer += end
    writer.close()
    return answer


def pss_mb(pid: int) -> float:
    """Proportional set size of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no Pss line")


async def sing(server: RunningServer, choir: Choir, key: str) -> tuple[list[bytes], float]:
    """Every voice's answer (a long one's end), and the workers' memory while all were open."""
    ready = asyncio.Semaphore(100)
    voices = [asyncio.create_task(listen(server.port, key, ready)) for _ in range(choir.voices)]
    silent = asyncio.create_task(choir.all_sing.wait())
    await asyncio.wait([silent, *voices], return_when=asyncio.FIRST_COMPLETED)
    assert silent.done(), [v.result()[:300] for v in voices if v.done()][:1]
    memory = sum(map(pss_mb, server.workers)) / len(server.workers)
    choir.finale.set()
    return await asyncio.gather(*voices), memory


@pytest.mark.timeout(120)
def test_two_thousand_streams_at_once(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with start_server(tmp_path, workers=1) as server:
            answers, memory = asyncio.run(_perform(server, Choir()))
            usage = server.admin("usage")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert all(b"message_stop" in answer for answer in answers)
    assert len({answer.split(b"\r\n\r\n", 1)[1] for answer in answers}) == 1
    assert usage["by_outcome"] == {"ok": STREAMS}
    assert (usage["input_tokens"], usage["output_tokens"]) == (7 * STREAMS, 5 * STREAMS)
    assert memory < 250, f"a worker with {STREAMS} open streams takes {memory:.0f} MB"


@pytest.mark.soak
@pytest.mark.timeout(LONG_S + 300)
def test_ten_minutes_of_two_hundred_streams(tmp_path: Path) -> None:
    with start_server(tmp_path, workers=1) as server:
        answers, memory = asyncio.run(_perform(server, Drone(LONG_STREAMS)))
        usage = server.admin("usage")
    assert all(b"message_stop" in answer for answer in answers)
    assert (usage["requests"], usage["output_tokens"]) == (LONG_STREAMS, 5 * LONG_STREAMS)
    assert memory <= 100, f"a worker takes {memory:.0f} MB"


async def _perform(server: RunningServer, choir: Choir) -> tuple[list[bytes], float]:
    upstream = await asyncio.start_server(choir.serve, "127.0.0.1", 0, backlog=STREAMS)
    port = upstream.sockets[0].getsockname()[1]
    key = await asyncio.to_thread(enroll, server, f"http://127.0.0.1:{port}")
    try:
        answers, memory = await sing(server, choir, key)
    finally:
        upstream.close()
    print(f"{choir.voices} open streams: {memory:.1f} MB PSS a worker")  # noqa: T201
    return answers, memory
