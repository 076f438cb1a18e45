"""The address of a server, as typed and as kept."""

import pytest

from tidegate.cli.errors import CommandError
from tidegate.cli.server_url import is_loopback, normalise_url


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://gw.example", "https://gw.example"),
        ("https://gw.example/", "https://gw.example"),
        (" gw.example ", "https://gw.example"),
        ("GW.Example:8443", "https://gw.example:8443"),
        ("https://gw.example:443/team/", "https://gw.example/team"),
        ("https://gw.example/?x=1#y", "https://gw.example"),
        ("http://localhost:4180", "http://localhost:4180"),
        ("localhost:4180", "http://localhost:4180"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:4180/", "http://[::1]:4180"),
    ],
)
def test_normalise(typed: str, kept: str) -> None:
    assert normalise_url(typed) == kept


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "is not a URL"),
        ("ftp://gw.example", "is not a URL"),
        ("https://", "is not a URL"),
        ("https://gw.example:port", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://gw.exa mple", "is not a URL"),
        ('https://gw.example/"x', "is not a URL"),
        ("https://gw.exämple", "is not a URL"),
        ("https://ada:pw@gw.example", "Leave the user name out"),
        ("http://gw.example", "Use https://, or --insecure"),
        ("http://127.0.0.1.example", "Use https://, or --insecure"),
    ],
)
def test_refused(typed: str, message: str) -> None:
    with pytest.raises(CommandError) as raised:
        normalise_url(typed)
    assert message in str(raised.value)


def test_insecure() -> None:
    assert normalise_url("http://gw.example:80/", insecure=True) == "http://gw.example"


def test_loopback() -> None:
    assert is_loopback("http://[::1]:1")
    assert not is_loopback("https://gw.example")
