"""Requests to GitHub, made as the gateway makes its requests: guard, proxy, TLS and all.

Only loaded where GitHub is asked, as httpx is heavy. Redirects are followed by nobody.
"""

import asyncio
import time
from typing import Final

import httpx

from tidegate.core.routing import Base, parse_base_url
from tidegate.gateway.address_guard import AddressForbidden
from tidegate.gateway.connector import ConnectFailed, Connector
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.upstream import Answer, Pool
from tidegate.services.github_calls import AddressRefused

WHOLE_S: Final = 20.0
BODY_BYTES: Final = 16 << 20
_OURS: Final = frozenset((b"host", b"connection", b"content-length", b"accept-encoding"))


class UpstreamTransport(httpx.BaseTransport):
    """Blocks its thread for a loop of its own: requests are few, and must not wait for others."""

    def __init__(self, options: GatewayOptions, *, whole_s: float = WHOLE_S) -> None:
        self._options = options
        self._whole_s = whole_s

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request and its whole answer; httpx's own exceptions where there is none."""
        base = parse_base_url(f"{request.url.scheme}://{request.url.netloc.decode()}")
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(self._ask(base, request, request.read()))
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time", request=request) from None
        except AddressForbidden as fault:
            raise AddressRefused(str(fault)) from None
        except ConnectFailed as fault:
            cause = fault.__context__ or fault
            if isinstance(cause, TimeoutError):
                raise httpx.ConnectTimeout("no answer in time", request=request) from None
            raise httpx.ConnectError(str(cause), request=request) from None
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()  # without waiting for a name's resolution, which may hang

    async def _ask(self, base: Base, request: httpx.Request, body: bytes) -> httpx.Response:
        pool = Pool(Connector(self._options), 0)
        reading = _Reading()
        until = time.monotonic() + self._whole_s
        try:
            async with asyncio.timeout(until - time.monotonic()):
                connection = await pool.connect(base.origin)
                head = _head(base, request, len(body))
                connection.send(head, body, reading, head_only=request.method == "HEAD")
                await reading.done.wait()
        finally:
            pool.close()
            await asyncio.sleep(0)  # lets the closed connections go
        answer = reading.answer
        if answer is None or not reading.whole:
            raise httpx.RemoteProtocolError("the answer broke off", request=request)
        headers = [(raw, value) for name, raw, value in answer.headers if name not in _FRAMING]
        return httpx.Response(
            answer.status, headers=headers, content=bytes(reading.body), request=request
        )


_FRAMING: Final = frozenset((b"transfer-encoding", b"content-length", b"content-encoding"))


class _Reading:
    """Keeps an answer."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.answer: Answer | None = None
        self.body = bytearray()
        self.whole = False

    def upstream_head(self, answer: Answer) -> None:
        self.answer = answer

    def upstream_flush(self) -> None:
        pass

    def upstream_body(self, chunk: bytes, *, last: bool) -> None:
        del last
        self.body += chunk
        if len(self.body) > BODY_BYTES:
            self.done.set()

    def upstream_end(self) -> None:
        self.whole = len(self.body) <= BODY_BYTES
        self.done.set()

    def upstream_lost(self, *, garbled: bool, untouched: bool) -> None:
        del garbled, untouched
        self.done.set()


def _head(base: Base, request: httpx.Request, length: int) -> bytes:
    fields = [
        (b"host", base.origin.authority.encode()),
        (b"connection", b"close"),
        (b"accept-encoding", b"identity"),
        *((name, value) for name, value in request.headers.raw if name.lower() not in _OURS),
    ]
    if length or request.method in {"POST", "PUT", "PATCH"}:
        fields.append((b"content-length", b"%d" % length))
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (request.method.encode(), request.url.raw_path, lines)
