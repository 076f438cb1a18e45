"""A child's line to its supervisor, on standard input. If it ends, the supervisor is dead."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from typing import NoReturn, TypeVar

import msgspec

from tidegate.wiring.orders import LINE_LIMIT_BYTES, Command

T = TypeVar("T")


class Channel:
    """Orders and commands come in, reports go out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls) -> "Channel":
        """Take the socket on standard input. A terminal's signals are the supervisor's business."""
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        line = socket.socket(fileno=0)
        line.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=line, limit=LINE_LIMIT_BYTES))

    async def orders(self, kind: type[T]) -> T | None:
        """What to do; None if the supervisor is gone before it said so."""
        line = await self._reader.readline()
        return msgspec.json.decode(line, type=kind) if line.endswith(b"\n") else None

    async def commands(self) -> AsyncIterator[Command]:
        """Until the supervisor is gone."""
        try:
            while line := await self._reader.readline():
                yield msgspec.json.decode(line, type=Command)
        except ConnectionError:
            return

    def report(self, message: msgspec.Struct) -> None:
        """Tell the supervisor; it may be dead already."""
        if not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(message) + b"\n")

    async def close(self) -> None:
        """Wait until the last report is out."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return


def leave() -> NoReturn:
    """End the process at once: a thread that waits for a dead database must not hold it up."""
    sys.stderr.flush()
    os._exit(0)
