"""The listening sockets."""

import socket

import pytest

from tidegate.settings_text import Address
from tidegate.wiring.listening import bound_port, close_all, open_listeners
from tidegate.wiring.orders import StartFailed


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_has_both_families_on_one_port(host: str) -> None:
    listeners = open_listeners([Address(host, 0)])
    try:
        assert [listener.getsockname()[0] for listener in listeners] == ["127.0.0.1", "::1"]
        assert len({bound_port(listener) for listener in listeners}) == 1
        for listener in listeners:
            with socket.create_connection(listener.getsockname()[:2]):
                pass
    finally:
        close_all(listeners)


def test_other_addresses_are_taken_as_they_are() -> None:
    listeners = open_listeners([Address("127.0.0.2", 0), Address("::1", 0)])
    try:
        assert [listener.getsockname()[0] for listener in listeners] == ["127.0.0.2", "::1"]
    finally:
        close_all(listeners)


def test_listeners_are_not_inherited() -> None:
    listeners = open_listeners([Address("127.0.0.1", 0)])
    try:
        assert not any(listener.get_inheritable() for listener in listeners)
    finally:
        close_all(listeners)


def test_a_port_in_use_is_told_and_nothing_stays_open() -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartFailed, match=rf"127.0.0.2:{port} is in use"):
            open_listeners([Address("127.0.0.3", port), Address("127.0.0.2", port)], patience_s=0)
        with socket.create_server(("127.0.0.3", port)):
            pass


def test_a_foreign_address_is_told() -> None:
    with pytest.raises(StartFailed, match=r"Cannot listen on 192.0.2.1:0"):
        open_listeners([Address("192.0.2.1", 0)])


def test_the_port_taken_on_the_other_family_is_told() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartFailed, match=rf"\[::1\]:{port} is in use"):
            open_listeners([Address("127.0.0.1", port)])
