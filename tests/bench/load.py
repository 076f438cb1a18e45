"""The load generator: raw protocols on uvloop that send one request after the other."""

import asyncio
import re
import time
from typing import Any, Final, NamedTuple

from tests.bench import replies
from tests.bench.workloads import Workload, request_body

_CLOCK: Final = re.compile(replies.CLOCK.replace(b"%d", rb"(\d+)"))
_LENGTH: Final = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.I)
_TAIL_BYTES: Final = 400
_MOST_FAILURES: Final = 20
_LONGEST_PHASE_S: Final = 180.0


class Address(NamedTuple):
    """Where load goes, and with which key."""

    port: int
    key: str


class Result:
    """What one phase brought to light. Times in ms."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.first_bytes: list[float] = []
        self.delays: list[float] = []  # of each paced event, from its writing to its arrival
        self.failures: list[str] = []
        self.wall_s = 0.0

    @property
    def requests(self) -> int:
        return len(self.latencies) + len(self.failures)


class LoadConnection(asyncio.Protocol):
    """One client. Sends while there is something to send, then closes."""

    def __init__(self, phase: "_Phase", head: bytes) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.broken = False  # closed within an answer
        self._phase = phase
        self._head_out = head
        self._transport: Any = None
        self._began_ns = 0  # of the request under way, 0 between requests
        self._head = b""
        self._status = 0
        self._left = 0  # bytes of a sized body still to come, -1 for a chunked one
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        if not self._phase.take():
            self._began_ns = 0
            self._transport.close()
            return
        self._head, self._status, self._tail = b"", 0, b""
        self._began_ns = time.perf_counter_ns()
        self._transport.writelines([self._head_out, self._phase.body])

    def data_received(self, data: bytes) -> None:
        if not self._status:
            self._head += data
            if (end := self._head.find(b"\r\n\r\n") + 4) < 4:
                return
            self._read_head(self._head[:end])
            data = self._head[end:]
        if self._phase.paced:
            now = time.monotonic_ns()
            delays = self._phase.result.delays
            delays += [(now - int(written)) / 1e6 for written in _CLOCK.findall(data)]
        self._tail = (self._tail + data)[-_TAIL_BYTES:] if len(data) < _TAIL_BYTES else data[-400:]
        if self._left >= 0:
            self._left -= len(data)
            if self._left <= 0:
                self._finish()
        elif self._tail.endswith(b"0\r\n\r\n"):
            self._finish()

    def _read_head(self, head: bytes) -> None:
        taken_ns = time.perf_counter_ns() - self._began_ns
        self._phase.result.first_bytes.append(taken_ns / 1e6)
        self._status = int(head[9:12])
        length = _LENGTH.search(head)
        self._left = int(length[1]) if length else -1

    def _finish(self) -> None:
        taken_ms = (time.perf_counter_ns() - self._began_ns) / 1e6
        whole = self._phase.ending in self._tail
        if self._status == 200 and whole:
            self._phase.result.latencies.append(taken_ms)
        else:
            self._phase.fail(f"status {self._status}, end {self._tail[-120:]!r}")
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._began_ns:
            self.broken = True
            self._phase.fail(f"closed early ({exc}), end {self._tail[-120:]!r}")
        if not self.closed.done():
            self.closed.set_result(None)


class _Phase:
    """What the connections of a phase share."""

    def __init__(self, workload: Workload, least: int, until: float) -> None:
        self.body = request_body(workload)
        self.paced = bool(workload.rate)
        self.ending = b"message_stop" if workload.events else replies.json_body()[-60:]
        self.result = Result()
        self._left = least
        self._until = until

    def take(self) -> bool:
        """Whether to send another request; counts it."""
        self._left -= 1
        if len(self.result.failures) >= _MOST_FAILURES:
            return False
        return self._left >= 0 or time.perf_counter() < self._until

    def fail(self, why: str) -> None:
        self.result.failures.append(why)


async def run_phase(
    address: Address, workload: Workload, *, connections: int, least: int, seconds: float
) -> Result:
    """Send at least `least` requests, and go on for `seconds`, on so many connections."""
    phase = _Phase(workload, least, time.perf_counter() + seconds)
    began = time.perf_counter()
    clients = [_client(address, workload, phase, number) for number in range(connections)]
    try:
        await asyncio.wait_for(asyncio.gather(*clients), _LONGEST_PHASE_S)
    except TimeoutError:
        phase.fail(f"not over after {_LONGEST_PHASE_S:.0f} s")
    phase.result.wall_s = time.perf_counter() - began
    return phase.result


async def _client(address: Address, workload: Workload, phase: _Phase, number: int) -> None:
    head = request_head(address, len(phase.body), f"bench-{workload.name}-{number}")
    loop = asyncio.get_running_loop()
    broken = True
    while broken and len(phase.result.failures) < _MOST_FAILURES:
        _, connection = await loop.create_connection(
            lambda: LoadConnection(phase, head), "127.0.0.1", address.port
        )
        await connection.closed
        broken = connection.broken


def request_head(address: Address, length: int, session: str) -> bytes:
    """A head with the fields that matter of those that Claude Code sends."""
    fields = [
        "POST /v1/messages HTTP/1.1",
        f"host: 127.0.0.1:{address.port}",
        "content-type: application/json",
        "anthropic-version: 2023-06-01",
        "user-agent: claude-cli/2.1.197 (external, cli)",
        "accept: */*",
        f"x-claude-code-session-id: {session}",
        f"x-api-key: {address.key}",
        f"content-length: {length}",
    ]
    return "\r\n".join(fields).encode() + b"\r\n\r\n"


async def fetch(address: Address, workload: Workload) -> bytes:
    """The body of one answer, framing removed. ValueError if it is no 200."""
    body = request_body(workload)
    reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
    writer.write(request_head(address, len(body), "bench-warm-up") + body)
    async with asyncio.timeout(60):
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        content = await (reader.readexactly(int(length[1])) if length else _unchunked(reader))
    writer.close()
    await writer.wait_closed()
    if not head.startswith(b"HTTP/1.1 200"):
        raise ValueError(f"{head[:200]!r} {content[:200]!r}")
    return content


async def _unchunked(reader: asyncio.StreamReader) -> bytes:
    pieces: list[bytes] = []
    while size := int(await reader.readline(), 16):
        pieces.append((await reader.readexactly(size + 2))[:-2])
    return b"".join(pieces)
