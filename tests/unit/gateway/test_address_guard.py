"""Upstream addresses: public ones, allowed ones by name, metadata services never."""

import ipaddress

import pytest

from tidegate.core.routing import Origin
from tidegate.gateway.address_guard import AddressForbidden, AddressGuard
from tidegate.gateway.connector import Proxy


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.1.1",
        "0.0.0.0",
        "224.0.0.1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
    ],
)
def test_private_addresses_are_refused_unless_allowed_by_name(address: str) -> None:
    parsed = ipaddress.ip_address(address)
    with pytest.raises(AddressForbidden):
        AddressGuard().check(parsed, "host.example", 443)
    with pytest.raises(AddressForbidden):
        AddressGuard(["host.example:444", "other.example:*"]).check(parsed, "host.example", 443)
    AddressGuard(["host.example:443"]).check(parsed, "host.example", 443)
    AddressGuard(["HOST.example.:*"]).check(parsed, "host.example", 443)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "100.100.100.200",
    ],
)
def test_metadata_services_are_refused_whatever_is_allowed(address: str) -> None:
    guard = AddressGuard(["host.example:*", f"[{address}]:*", f"{address}:*"])
    with pytest.raises(AddressForbidden):
        guard.check(ipaddress.ip_address(address), "host.example", 80)


@pytest.mark.parametrize(
    "name", ["metadata.google.internal", "METADATA", "metadata.google.internal."]
)
def test_metadata_names_are_refused_before_they_are_resolved(name: str) -> None:
    with pytest.raises(AddressForbidden):
        AddressGuard([f"{name}:*"]).check_name(name, 80)


def test_literal_addresses_are_judged_by_name_too() -> None:
    with pytest.raises(AddressForbidden):
        AddressGuard().check_name("127.0.0.1", 80)
    AddressGuard(["127.0.0.1:80"]).check_name("127.0.0.1", 80)
    AddressGuard(["[::1]:*"]).check_name("::1", 80)
    AddressGuard().check_name("example.com", 80)


def test_public_addresses_pass() -> None:
    for address in ("8.8.8.8", "2606:4700::1111"):
        AddressGuard().check(ipaddress.ip_address(address), "dns.example", 443)


@pytest.mark.parametrize("entry", ["", "host", "host:", ":80", "host:http"])
def test_a_malformed_entry_is_refused_with_its_form(entry: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        AddressGuard([entry])


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "through"),
    [
        ("", "api.example.com", 443, True),
        ("*", "api.example.com", 443, False),
        ("example.com", "api.example.com", 443, False),
        (".example.com", "api.example.com", 443, False),
        ("*.example.com", "api.example.com", 443, False),
        ("ample.com", "api.example.com", 443, True),
        ("api.example.com:8443", "api.example.com", 443, True),
        ("api.example.com:443", "api.example.com", 443, False),
        ("a, 10.0.0.0/8", "10.2.3.4", 443, False),
        ("nonsense/8", "10.2.3.4", 443, True),
    ],
)
def test_no_proxy(no_proxy: str, host: str, port: int, through: bool) -> None:
    proxy = Proxy("http://proxy.example:3128", no_proxy)
    assert proxy.covers(Origin(True, host, port)) is through
    assert not proxy.covers(Origin(False, host, port))


def test_a_proxys_credentials_are_sent_as_basic() -> None:
    proxy = Proxy("http://us%40er:p%3Aw@proxy.example:3128", "")
    assert (proxy.host, proxy.port) == ("proxy.example", 3128)
    assert proxy.authorization == b"Basic dXNAZXI6cDp3"
    with pytest.raises(ValueError, match="HTTPS_PROXY"):
        Proxy("http://", "")
