"""The listening sockets. One per address, shared by all workers and kept by the supervisor.

A socket per worker (SO_REUSEPORT) would balance a little better, but connections queued on the
socket of a worker that dies would be lost. With a shared one they wait for the next worker.
"""

import errno
import ipaddress
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tidegate.settings_text import Address
from tidegate.wiring.orders import StartFailed

BACKLOG: Final = 4096  # the kernel lowers it to its own limit
PATIENCE_S: Final = 3.0  # workers of a server that died close their sockets within moments
_FREE_PORT_ATTEMPTS: Final = 20


def open_listeners(
    addresses: Sequence[Address], patience_s: float = PATIENCE_S
) -> list[socket.socket]:
    """Bind every address, or none; wait a while for one that is in use."""
    opened: list[socket.socket] = []
    try:
        for address in addresses:
            opened += _open_address(address, patience_s)
    except StartFailed:
        close_all(opened)
        raise
    return opened


def listen_for_gateways(path: Path) -> socket.socket:
    """The console's socket. While the console restarts, requests wait in its queue."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def close_all(listeners: Sequence[socket.socket]) -> None:
    for listener in listeners:
        listener.close()


def bound_port(listener: socket.socket) -> int:
    """The port that was really taken."""
    return int(listener.getsockname()[1])


def _open_address(address: Address, patience_s: float) -> list[socket.socket]:
    if address.host not in {"localhost", "127.0.0.1"}:
        return [_bind_patiently(address.host, address.port, patience_s)]
    for _ in range(_FREE_PORT_ATTEMPTS):
        first = _bind_patiently("127.0.0.1", address.port, patience_s)
        try:
            return [first, _bind("::1", bound_port(first))]
        except OSError as fault:
            if fault.errno != errno.EADDRINUSE:
                return [first]  # no IPv6 here
            if address.port:
                first.close()
                raise StartFailed(_in_use("::1", address.port)) from None
            first.close()  # the free port is taken on ::1: draw another
    raise StartFailed("No port is free on both 127.0.0.1 and ::1.")


def _bind_patiently(host: str, port: int, patience_s: float) -> socket.socket:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return _bind(host, port)
        except OSError as fault:
            if fault.errno != errno.EADDRINUSE:
                raise StartFailed(f"Cannot listen on {host}:{port}: {fault.strerror}.") from None
            if time.monotonic() > deadline:
                raise StartFailed(_in_use(host, port)) from None
        time.sleep(0.05)


def _bind(host: str, port: int) -> socket.socket:
    is_v6 = ipaddress.ip_address(host).version == 6
    listener = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_v6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _in_use(host: str, port: int) -> str:
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{shown} is in use by another program. Stop it, or choose another --listen address."
