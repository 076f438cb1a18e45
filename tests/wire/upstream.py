"""The scripted upstream: a small HTTP/1.1 server that answers as told and keeps a book."""

import asyncio
import socket
import struct
from typing import Literal

from tests.wire.answers import Answer, Gate
from tests.wire.authority import Authority
from tests.wire.book import Book, Exchange
from tests.wire.http1 import Message, take_request
from tests.wire.loop_thread import LoopThread, close, port_of
from tests.wire.scripts import Script, converse

READ_BYTES = 65536


class Upstream(LoopThread):
    """Listens on loopback, in clear text and, as told, with TLS and on a Unix socket as well."""

    def __init__(
        self,
        script: Script = converse,
        authority: Authority | None = None,
        unix_path: str = "",
    ) -> None:
        super().__init__()
        self.script = script
        self.book = Book()
        self.port = 0
        self.tls_port = 0
        self._authority = authority
        self._unix_path = unix_path
        self._servers: list[asyncio.Server] = []
        self._connection_count = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        plain = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._servers.append(plain)
        self.port = port_of(plain)
        if self._authority:
            context = self._authority.server_context()
            server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=context)
            self._servers.append(server)
            self.tls_port = port_of(server)
        if self._unix_path:
            self._servers.append(await asyncio.start_unix_server(self._connected, self._unix_path))

    async def stop(self) -> None:
        for server in self._servers:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.track()
        self._connection_count += 1
        connection = _Connection(self, self._connection_count, reader, writer)
        try:
            await connection.serve()
        except OSError:
            pass  # the client left
        except asyncio.CancelledError:
            writer.transport.abort()  # the test is over
        finally:
            await close(writer)


class _Connection:
    def __init__(
        self,
        upstream: Upstream,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._upstream = upstream
        self._number = number
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self._client_left = False

    async def serve(self) -> None:
        while (request := await self._next_request()) is not None:
            exchange = self._open(request)
            ended: Literal["whole", "cut", "client_left"] = "client_left"
            try:
                ended = await self._answer(exchange, self._upstream.script(exchange))
            except OSError:
                ended = "client_left"
            finally:
                self._upstream.book.end(exchange, ended)
            if ended != "whole" or self._writer.is_closing():
                return

    async def _next_request(self) -> Message | None:
        while (taken := take_request(self._buffer)) is None:
            data = await self._reader.read(READ_BYTES)
            if not data:
                return None
            self._buffer += data
        request, length = taken
        del self._buffer[:length]
        return request

    def _open(self, request: Message) -> Exchange:
        book = self._upstream.book
        tls = self._writer.get_extra_info("ssl_object")
        exchange = Exchange(
            number=len(book.exchanges) + 1,
            connection=self._number,
            tls=tls is not None,
            alpn=(tls.selected_alpn_protocol() or "") if tls else "",
            request=request,
        )
        book.add(exchange)
        return exchange

    async def _answer(
        self, exchange: Exchange, answer: Answer
    ) -> Literal["whole", "cut", "client_left"]:
        if answer.raw is not None:
            await self._write(exchange, answer.raw)
            return "cut"
        for head in answer.interim:
            await self._write(exchange, head)
        if answer.cut_before_head:
            return self._cut(answer)
        if not await self._pass(answer.hold_before.get(-1)):
            return "client_left"
        await self._write(exchange, _head(answer))
        if exchange.request.method != "HEAD":
            for index, piece in enumerate(answer.pieces):
                if answer.cut_after == index:
                    return self._cut(answer)
                if not await self._pass(answer.hold_before.get(index)):
                    return "client_left"
                if answer.pause_s:
                    await asyncio.sleep(answer.pause_s)
                await self._write(exchange, _framed(answer, piece.content), piece.content)
                exchange.bill = piece.reports or exchange.bill
            if answer.cut_after is not None and answer.cut_after >= len(answer.pieces):
                return self._cut(answer)
            if answer.framing == "chunked":
                await self._write(exchange, b"0\r\n\r\n")
        if answer.framing == "close" or answer.close or answer.declared_length is not None:
            self._writer.close()
        return "whole"

    async def _write(self, exchange: Exchange, framed: bytes, content: bytes = b"") -> None:
        exchange.sent += framed
        exchange.sent_body += content
        self._writer.write(framed)
        await self._writer.drain()

    def _cut(self, answer: Answer) -> Literal["cut"]:
        if answer.cut_by == "rst":
            raw = self._writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        return "cut"

    async def _pass(self, gate: Gate | None) -> bool:
        """Wait for a gate, if there is one. False if the client leaves meanwhile."""
        if gate is None:
            return True
        gate.reached.set()
        opening = asyncio.ensure_future(asyncio.shield(asyncio.wrap_future(gate.opening)))
        leaving = asyncio.ensure_future(self._left())
        try:
            await asyncio.wait({opening, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return opening.done()
        finally:
            opening.cancel()
            leaving.cancel()
            await asyncio.gather(opening, leaving, return_exceptions=True)

    async def _left(self) -> None:
        try:
            while data := await self._reader.read(READ_BYTES):
                self._buffer += data
        except OSError:
            return


def _head(answer: Answer) -> bytes:
    headers = list(answer.headers)
    if answer.framing == "chunked":
        headers.append(("transfer-encoding", "chunked"))
    elif answer.framing == "length":
        length = answer.declared_length
        headers.append(("content-length", str(len(answer.body) if length is None else length)))
    if answer.close:
        headers.append(("connection", "close"))
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{k}: {v}" for k, v in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _framed(answer: Answer, content: bytes) -> bytes:
    if answer.framing != "chunked":
        return content
    return b"%x\r\n%s\r\n" % (len(content), content) if content else b""
