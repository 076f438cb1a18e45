"""Which addresses an upstream may have: never a metadata service, private ones only by name.

A base URL is set by an organization's admin, and the gateway stands inside the operator's network.
Checked on what a name resolves to, and the connection is made to that very address.
"""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA_NAMES: Final = frozenset(
    ("metadata", "metadata.google.internal", "metadata.goog", "instance-data")
)
_METADATA: Final = frozenset(
    ipaddress.ip_address(a)
    for a in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)
_LOOPBACK: Final = ipaddress.ip_address("127.0.0.1")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class AddressForbidden(Exception):
    """The upstream's address is not one that requests may go to."""


class AddressGuard:
    """Judges addresses; `allowed` holds HOST:PORT entries that may be private, port `*` any."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed = frozenset(_split_entry(entry) for entry in allowed)

    def check_name(self, host: str, port: int) -> None:
        """Refuse metadata names, and literal addresses that may not be. Raises AddressForbidden."""
        name = host.rstrip(".").lower()
        if name in _METADATA_NAMES:
            raise AddressForbidden(f"{host} is a metadata service")
        if (address := _named_address(name)) is not None:
            self.check(address, host, port)

    def check(self, address: IPAddress, host: str, port: int) -> None:
        """Refuse `address`, which `host` resolved to, unless it may be. Raises AddressForbidden."""
        inner = _unwrap(address)
        if inner in _METADATA:
            raise AddressForbidden(f"{host} leads to a metadata service")
        if inner.is_global and not inner.is_multicast:
            return
        name = host.rstrip(".").lower()
        if (name, port) not in self._allowed and (name, 0) not in self._allowed:
            raise AddressForbidden(f"{host} leads to {inner}, which is not a public address")


def parse_address(text: str) -> IPAddress | None:
    """The address that a literal names, or None for a name."""
    try:
        return ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _named_address(name: str) -> IPAddress | None:
    """The address that a name stands for whoever resolves it, a proxy too; None for most."""
    if name == "localhost" or name.endswith(".localhost"):
        return _LOOPBACK
    return parse_address(name) or _parse_old_form(name)


def _parse_old_form(text: str) -> IPAddress | None:
    """The address that C libraries read from forms such as 127.1, 0x7f000001 or 2130706433."""
    if not text[:1].isdigit():
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(text))
    except OSError:
        return None


def _unwrap(address: IPAddress) -> IPAddress:
    """The IPv4 address within an IPv6 one that carries it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _split_entry(entry: str) -> tuple[str, int]:
    host, colon, port = entry.strip().rpartition(":")
    if not colon or not host or not (port == "*" or port.isdigit()):
        raise ValueError(f"{entry!r}: expected HOST:PORT, with * for every port")
    return host.strip("[]").rstrip(".").lower(), 0 if port == "*" else int(port)
