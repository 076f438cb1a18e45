"""A recording TCP tap between an agent and the gateway: sees what the agent sent and got."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.wire.http1 import Message, split_requests, split_responses
from tests.wire.loop_thread import LoopThread, close, port_of


@dataclass
class Tapped:
    """The bytes of one connection, both ways."""

    upward: bytearray = field(default_factory=bytearray)
    downward: bytearray = field(default_factory=bytearray)

    def exchanges(self) -> list[tuple[Message, Message | None]]:
        """Requests with their responses, if these came."""
        requests = split_requests(bytes(self.upward))
        methods = [request.method for request in requests]
        responses = split_responses(bytes(self.downward), methods)
        missing = [None] * (len(requests) - len(responses))
        return list(zip(requests, [*responses, *missing], strict=False))


class Tap(LoopThread):
    """Listens first and is led to its target later, as the target must know the tap's address."""

    def __init__(self, spoil: Callable[[bytes], bytes] = bytes) -> None:
        super().__init__()
        self._spoil = spoil  # what becomes of the agent's bytes; their number must stay
        self.port = 0
        self.connections: list[Tapped] = []
        self._target: tuple[str, int] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lead_to(self, host: str, port: int) -> None:
        self._target = (host, port)

    def exchanges(self) -> list[tuple[Message, Message | None]]:
        return [pair for tapped in self.connections for pair in tapped.exchanges()]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = port_of(self._server)

    async def stop(self) -> None:
        self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.track()
        tapped = Tapped()
        self.connections.append(tapped)
        try:
            assert self._target is not None, "the tap leads nowhere yet"
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            try:
                await asyncio.gather(
                    pump(reader, far_writer, tapped.upward, self._spoil),
                    pump(far_reader, writer, tapped.downward),
                )
            finally:
                await close(far_writer)
        except OSError:
            pass  # one side left
        except asyncio.CancelledError:
            writer.transport.abort()  # the test is over
        finally:
            await close(writer)


async def pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    record: bytearray | None = None,
    spoil: Callable[[bytes], bytes] = bytes,
) -> None:
    """Carry bytes one way until the end, and pass the end on."""
    try:
        while chunk := await reader.read(65536):
            if record is not None:
                record += chunk
            writer.write(spoil(chunk))
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()
