"""Open a connection to an origin: resolve, check the address, proxy, TLS. No request is sent here.

Names are resolved in a thread, answers kept for a few seconds. The connection goes to the very
address that was checked, so a name that resolves differently a moment later gains nothing.
"""

import asyncio
import base64
import ipaddress
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tidegate.core.routing import Origin
from tidegate.gateway.address_guard import AddressForbidden, AddressGuard, parse_address
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.sockets import keep_alive

_RESOLVED_S: Final = 10.0
_RESOLVED_MAX: Final = 256
_PROXY_HEAD_BYTES: Final = 16 << 10
_LEAST_TRY_S: Final = 2.0  # for one of several addresses

Factory = Callable[[], asyncio.Protocol]


class ConnectFailed(Exception):
    """No connection could be made."""


class Proxy:
    """The operator's HTTP proxy for https origins, and the hosts that go around it."""

    def __init__(self, url: str, no_proxy: str) -> None:
        parts = urlsplit(url if "//" in url else f"//{url}")
        if not parts.hostname or parts.scheme not in {"", "http"}:
            raise ValueError(f"HTTPS_PROXY={url!r}: expected http://HOST:PORT")
        self.host = parts.hostname
        self.port = parts.port or 8080
        self.authorization = b""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self.authorization = b"Basic " + base64.b64encode(pair.encode())
        self._direct = [e.strip().lower() for e in no_proxy.split(",") if e.strip()]

    def covers(self, origin: Origin) -> bool:
        """Whether `origin` is reached through the proxy."""
        return origin.secure and not any(_matches(origin, entry) for entry in self._direct)


def _matches(origin: Origin, entry: str) -> bool:
    if entry == "*":
        return True
    host = origin.host.lower()
    name, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and ":" not in name:
        if int(port) != origin.port:
            return False
        entry = name
    if (address := parse_address(host)) is not None and "/" in entry:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    bare = entry.removeprefix("*").lstrip(".")
    return host == bare or host.endswith("." + bare)


class Connector:
    """Makes checked connections for one worker."""

    def __init__(self, options: GatewayOptions) -> None:
        self._options = options
        self._guard = AddressGuard(options.allow_upstreams)
        self._proxy = Proxy(options.https_proxy, options.no_proxy) if options.https_proxy else None
        self._tls = _client_context(options.upstream_ca)
        self._resolved: dict[tuple[str, int], tuple[float, list[str]]] = {}

    async def connect(self, origin: Origin, factory: Factory) -> Any:
        """Return the protocol of a new connection. Raises ConnectFailed or AddressForbidden."""
        try:
            async with asyncio.timeout(self._options.connect_timeout_s):
                if self._proxy is not None and self._proxy.covers(origin):
                    self._guard.check_name(origin.host, origin.port)
                    return await self._through_proxy(self._proxy, origin, factory)
                return await self._direct(origin, factory)
        except (OSError, TimeoutError, ValueError, RuntimeError) as exc:
            # ValueError: a name that IDNA or TLS cannot take; RuntimeError: uvloop, when the other
            # side closed between two steps.
            raise ConnectFailed(f"{origin.authority}: {exc or type(exc).__name__}") from None

    async def _direct(self, origin: Origin, factory: Factory) -> Any:
        addresses = await self._addresses(origin)
        failure: Exception = ConnectFailed(f"{origin.host} has no address")
        share_s = max(_LEAST_TRY_S, self._options.connect_timeout_s / max(1, len(addresses)))
        for address in addresses:
            try:
                async with asyncio.timeout(share_s):  # one that drops packets must not use it all
                    return await self._to_address(address, origin, factory)
            except (OSError, TimeoutError) as exc:
                failure = exc
        raise failure

    async def _to_address(self, address: str, origin: Origin, factory: Factory) -> Any:
        transport, protocol = await asyncio.get_running_loop().create_connection(
            factory,
            address,
            origin.port,
            ssl=self._tls if origin.secure else None,
            server_hostname=origin.host if origin.secure else None,
        )
        self._check_peer(transport, origin)
        return protocol

    async def _addresses(self, origin: Origin) -> list[str]:
        """The checked addresses of an origin's host."""
        self._guard.check_name(origin.host, origin.port)
        if parse_address(origin.host) is not None:
            return [origin.host]
        loop = asyncio.get_running_loop()
        name = (origin.host, origin.port)
        known = self._resolved.get(name)
        if known is not None and known[0] > loop.time():
            return known[1]
        found = await loop.getaddrinfo(*name, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            parsed = parse_address(address)
            if parsed is None:
                raise AddressForbidden(f"{origin.host} resolves to {address!r}")
            self._guard.check(parsed, origin.host, origin.port)
        if len(self._resolved) >= _RESOLVED_MAX:
            self._resolved.clear()
        self._resolved[name] = (loop.time() + _RESOLVED_S, addresses)
        return addresses

    def _check_peer(self, transport: asyncio.Transport, origin: Origin) -> None:
        peer = transport.get_extra_info("peername")
        address = parse_address(str(peer[0])) if isinstance(peer, tuple) else None
        try:
            if address is not None:
                self._guard.check(address, origin.host, origin.port)
        except AddressForbidden:
            transport.abort()
            raise
        keep_alive(transport.get_extra_info("socket"))

    async def _through_proxy(self, proxy: Proxy, origin: Origin, factory: Factory) -> Any:
        loop = asyncio.get_running_loop()
        transport, tunnel = await loop.create_connection(
            lambda: _Tunnel(loop.create_future()), proxy.host, proxy.port
        )
        try:
            keep_alive(transport.get_extra_info("socket"))
            host = f"[{origin.host}]" if ":" in origin.host else origin.host
            target = f"{host}:{origin.port}".encode("idna" if not host.isascii() else "ascii")
            head = b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n" % (target, target)
            if proxy.authorization:
                head += b"proxy-authorization: %b\r\n" % proxy.authorization
            if not tunnel.opened.done():  # else it failed already, and waiting tells why
                transport.write(head + b"\r\n")
            await tunnel.opened
            if transport.is_closing():
                raise ConnectionError("the proxy closed the tunnel")
            protocol = factory()
            secured = await loop.start_tls(
                transport, protocol, self._tls, server_hostname=origin.host
            )
        except BaseException:
            transport.abort()
            raise
        if secured is None:
            raise ConnectFailed(f"{origin.host}: the proxy closed during the TLS handshake")
        protocol.connection_made(secured)
        return protocol


class _Tunnel(asyncio.Protocol):
    """Reads the proxy's answer to CONNECT."""

    def __init__(self, opened: "asyncio.Future[None]") -> None:
        self.opened = opened
        self._head = b""

    def data_received(self, data: bytes) -> None:
        if self.opened.done():
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            status = self._head.split(b"\r\n", 1)[0].split(b" ")
            if len(status) >= 2 and len(status[1]) == 3 and status[1].startswith(b"2"):
                self.opened.set_result(None)
            else:
                said = b" ".join(status[1:]).decode("latin-1")[:80]
                self.opened.set_exception(ConnectionError(f"the proxy answered {said}"))
        elif len(self._head) > _PROXY_HEAD_BYTES:
            self.opened.set_exception(ConnectionError("the proxy's answer is no HTTP head"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("the proxy closed the connection"))


def _client_context(extra_authorities: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if extra_authorities:
        context.load_verify_locations(cafile=extra_authorities)
    return context
