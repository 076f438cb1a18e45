"""The console's own connections: to allowed addresses only, and a sentence for each failure."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.wire.authority import Authority

from tidegate.services.mail import Unreachable
from tidegate.wiring.outbound import Outbound

LOOPBACK = ("127.0.0.1:*", "localhost:*")


@pytest.fixture
def listener() -> "socket.socket":
    made = socket.create_server(("127.0.0.1", 0))
    return made


def test_it_connects_where_it_may(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with listener, Outbound(LOOPBACK).connect("localhost", port, 5) as made:
        assert made.getpeername() == ("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("127.0.0.1", "127.0.0.1 leads to 127.0.0.1, which is not a public address"),
        ("localhost", "localhost leads to 127.0.0.1, which is not a public address"),
        ("127.1", "127.1 leads to 127.0.0.1"),
        ("2130706433", "leads to 127.0.0.1"),
        ("10.1.2.3", "10.1.2.3 leads to 10.1.2.3"),
        ("::1", "::1 leads to ::1"),
        ("::ffff:10.0.0.1", "leads to 10.0.0.1"),
        ("169.254.169.254", "leads to a metadata service"),
        ("metadata.google.internal", "is a metadata service"),
    ],
)
def test_private_addresses_are_for_the_operator_to_allow(host: str, told: str) -> None:
    with pytest.raises(Unreachable) as refusal:
        Outbound(("other.example:*",)).connect(host, 25, 5)
    assert told in str(refusal.value)
    shown = f"[{host}]:25" if ":" in host else f"{host}:25"
    assert str(refusal.value).endswith(f"can allow it with --allow-upstream {shown}.")


@pytest.mark.parametrize("address", ["10.0.0.7", "169.254.169.254", "::1", "fd00::1", "nonsense"])
def test_every_address_of_a_name_must_be_allowed(address: str) -> None:
    outbound = Outbound(LOOPBACK, resolve=lambda _host, _port: ["203.0.113.7", address])
    with pytest.raises(Unreachable, match=r"mail\.example (leads|resolves) to"):
        outbound.connect("mail.example", 25, 5)


def test_the_next_address_is_tried(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    outbound = Outbound(
        ("mail.example:*",), resolve=lambda _host, _port: ["127.0.0.2", "127.0.0.1"]
    )
    with listener, outbound.connect("mail.example", port, 5) as made:
        assert made.getpeername() == ("127.0.0.1", port)


def test_nothing_is_sent_to_a_forbidden_address(listener: socket.socket) -> None:
    with listener:
        listener.settimeout(0)
        with pytest.raises(Unreachable):
            Outbound().connect("localhost", listener.getsockname()[1], 5)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_nobody_listens(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(Unreachable, match=f"takes no connection on port {port}"):
        Outbound(LOOPBACK).connect("127.0.0.1", port, 5)


def test_a_server_that_does_not_answer() -> None:
    with ExitStack() as waiting:
        full = waiting.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = full.getsockname()[1]

        def fill() -> None:
            while True:  # the queue of a listener that accepts nobody
                waiting.enter_context(Outbound(LOOPBACK).connect("127.0.0.1", port, 0.2))

        with pytest.raises(Unreachable, match=f"did not answer on port {port}"):
            fill()


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 70 + ".example", "..", ""])
def test_a_name_that_leads_nowhere(host: str) -> None:
    with pytest.raises(Unreachable):
        Outbound(LOOPBACK).connect(host, 25, 5)


def test_the_operators_authorities_count_beside_the_systems(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    plain, more = Outbound().tls(), Outbound((), str(authority.ca_file)).tls()
    assert more.check_hostname
    assert len(more.get_ca_certs()) == len(plain.get_ca_certs()) + 1
