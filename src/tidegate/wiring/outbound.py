"""Blocking connections of the console to servers that an admin named, under the upstreams' rules.

As in the gateway, the connection goes to the very address that was checked.
"""

import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final

from tidegate.gateway.address_guard import AddressForbidden, AddressGuard, parse_address
from tidegate.services.mail import Unreachable

_LEAST_TRY_S: Final = 2.0  # for one of several addresses
_ADDRESSES: Final = 8


class Outbound:
    """Connects to checked addresses; `authorities` is a PEM file beside the system's, or empty."""

    def __init__(
        self,
        allowed: Sequence[str] = (),
        authorities: str = "",
        resolve: Callable[[str, int], Sequence[str]] | None = None,
    ) -> None:
        self._guard = AddressGuard(allowed)
        self._authorities = authorities
        self._resolve = resolve or _resolved

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """A connection, or Unreachable with a sentence."""
        try:
            return self._first_of(self._addresses(host, port), port, timeout_s)
        except AddressForbidden as fault:
            raise Unreachable(
                f"{fault}. Whoever runs this server can allow it with"
                f" --allow-upstream {_authority(host, port)}."
            ) from None
        except TimeoutError:
            raise Unreachable(
                f"{host} did not answer on port {port}. Check server name, port and firewall."
            ) from None
        except ConnectionRefusedError:
            raise Unreachable(
                f"{host} takes no connection on port {port}. Check server name and port."
            ) from None
        except (OSError, UnicodeError):
            raise Unreachable(
                f"{host} could not be reached on port {port}. Check server name and port."
            ) from None

    def tls(self) -> ssl.SSLContext:
        """For a client: certificates are checked, the operator's authorities among them."""
        context = ssl.create_default_context()
        if self._authorities:
            context.load_verify_locations(cafile=self._authorities)
        return context

    def _addresses(self, host: str, port: int) -> list[str]:
        self._guard.check_name(host, port)
        try:
            addresses = list(dict.fromkeys(self._resolve(host, port)))[:_ADDRESSES]
        except (socket.gaierror, UnicodeError):
            raise Unreachable(f"There is no server named {host}. Check the name.") from None
        for address in addresses:
            parsed = parse_address(address)
            if parsed is None:
                raise AddressForbidden(f"{host} resolves to {address!r}")
            self._guard.check(parsed, host, port)
        return addresses

    def _first_of(self, addresses: list[str], port: int, timeout_s: float) -> socket.socket:
        until = time.monotonic() + timeout_s
        share_s = max(_LEAST_TRY_S, timeout_s / max(1, len(addresses)))
        failure: OSError = TimeoutError()
        for address in addresses:
            left_s = until - time.monotonic()
            if left_s <= 0:
                break
            try:
                return socket.create_connection((address, port), min(share_s, left_s))
            except OSError as fault:
                failure = fault
        raise failure


def _resolved(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
