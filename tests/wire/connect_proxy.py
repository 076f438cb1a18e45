"""A loopback CONNECT proxy: stands in for the way to the real providers' hosts."""

import asyncio

from tests.wire.authority import OWN_CREDENTIAL_HOSTS
from tests.wire.loop_thread import LoopThread, close, port_of
from tests.wire.tap import pump


class ConnectProxy(LoopThread):
    """Leads the providers' hosts to one local port and refuses every other."""

    def __init__(self, target_port: int, hosts: tuple[str, ...] = OWN_CREDENTIAL_HOSTS) -> None:
        super().__init__()
        self._target_port = target_port
        self._hosts = hosts
        self.asked: list[str] = []  # authorities in the order of the CONNECTs
        self.heads: list[bytes] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = port_of(self._server)

    async def stop(self) -> None:
        self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.track()
        try:
            await self._tunnel(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # one side left
        except asyncio.CancelledError:
            writer.transport.abort()  # the test is over
        finally:
            await close(writer)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, authority, _ = head.decode("latin-1").split("\r\n")[0].split(" ")
        self.heads.append(head)
        self.asked.append(authority)
        host, _, port = authority.rpartition(":")
        if method != "CONNECT" or port != "443" or host not in self._hosts:
            writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        finally:
            await close(far_writer)
