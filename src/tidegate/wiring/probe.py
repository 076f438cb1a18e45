"""One GET with a credential, made as the gateway makes its requests: guard, proxy, TLS and all."""

import asyncio
import socket
import ssl
import time
from typing import Final

from tidegate.core.routing import Base
from tidegate.gateway.address_guard import AddressForbidden
from tidegate.gateway.connector import ConnectFailed, Connector
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.upstream import Answer, Pool
from tidegate.services.credential_test import Probed, Trouble

WHOLE_S: Final = 10.0
BODY_BYTES: Final = 1 << 20


class UpstreamProbe:
    """Blocks its thread for a loop of its own: tests are few, and must not wait for others."""

    def __init__(self, options: GatewayOptions, *, whole_s: float = WHOLE_S) -> None:
        self._options = options
        self._whole_s = whole_s

    def get(self, base: Base, path: str, headers: list[tuple[bytes, bytes]]) -> Probed:
        """What the GET comes to; nothing is raised."""
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(self._get(base, path, headers))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()  # without waiting for a name's resolution, which may hang

    async def _get(self, base: Base, path: str, headers: list[tuple[bytes, bytes]]) -> Probed:
        began = time.monotonic()
        pool = Pool(Connector(self._options), 0)
        reading = _Reading()
        try:
            async with asyncio.timeout(self._whole_s):
                connection = await pool.connect(base.origin)
                head = _head(base, path, headers)
                connection.send(head, b"", reading, head_only=False)
                await reading.done.wait()
        except TimeoutError:
            return Probed(trouble=Trouble.SLOW)
        except AddressForbidden as fault:
            return Probed(trouble=Trouble.FORBIDDEN, detail=str(fault))
        except ConnectFailed as fault:
            return _failed(fault)
        finally:
            pool.close()
            await asyncio.sleep(0)  # lets the closed connections go
        return reading.probed(int((time.monotonic() - began) * 1000))


class _Reading:
    """Keeps an answer's status and the beginning of its body."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self._answer: Answer | None = None
        self._body = bytearray()
        self._whole = False
        self._garbled = False

    def probed(self, milliseconds: int) -> Probed:
        if self._answer is None:
            if self._garbled:
                return Probed(trouble=Trouble.GARBLED)
            return Probed(trouble=Trouble.UNREACHED, detail="it closed the connection")
        return Probed(
            status=self._answer.status,
            body=bytes(self._body),
            whole=self._whole,
            milliseconds=milliseconds,
        )

    def upstream_head(self, answer: Answer) -> None:
        self._answer = answer
        if answer.status != 200:
            self.done.set()

    def upstream_flush(self) -> None:
        pass

    def upstream_body(self, chunk: bytes, *, last: bool) -> None:
        del last
        self._body += chunk[: BODY_BYTES - len(self._body)]
        if len(self._body) >= BODY_BYTES:
            self.done.set()

    def upstream_end(self) -> None:
        self._whole = len(self._body) < BODY_BYTES
        self.done.set()

    def upstream_lost(self, *, garbled: bool, untouched: bool) -> None:
        del untouched
        self._garbled = garbled
        self.done.set()


def _head(base: Base, path: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    fields = [
        (b"host", base.origin.authority.encode()),
        (b"accept", b"application/json"),
        (b"accept-encoding", b"identity"),
        (b"user-agent", b"tidegate"),
        (b"connection", b"close"),
        *headers,
    ]
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode(), lines)


def _failed(fault: ConnectFailed) -> Probed:
    """The trouble behind a connection that could not be made."""
    cause = fault.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Probed(trouble=Trouble.CERTIFICATE, detail=cause.verify_message.rstrip("."))
    if isinstance(cause, ssl.SSLError):
        return Probed(trouble=Trouble.TLS)
    if isinstance(cause, TimeoutError):
        return Probed(trouble=Trouble.SLOW)
    if isinstance(cause, (socket.gaierror, UnicodeError)):
        return Probed(trouble=Trouble.UNKNOWN)
    if isinstance(cause, ConnectionRefusedError):
        return Probed(trouble=Trouble.UNREACHED, detail="it takes no connection")
    detail = str(cause) if type(cause) is ConnectionError else "the connection failed"
    return Probed(trouble=Trouble.UNREACHED, detail=detail)
