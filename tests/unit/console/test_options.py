"""What follows from the public URL."""

import pytest

from tidegate.console.options import ConsoleOptions


@pytest.mark.parametrize(
    ("public_url", "hosts"),
    [
        ("https://tidegate.example", {"tidegate.example", "tidegate.example:443"}),
        ("https://Tidegate.Example/", {"tidegate.example", "tidegate.example:443"}),
        ("http://tidegate.example:8080", {"tidegate.example:8080"}),
        ("http://localhost:4180", {"localhost:4180", "127.0.0.1:4180", "[::1]:4180"}),
        ("http://127.0.0.1:4180", {"localhost:4180", "127.0.0.1:4180", "[::1]:4180"}),
        ("http://[::1]:4180", {"localhost:4180", "127.0.0.1:4180", "[::1]:4180"}),
        ("http://[2001:db8::1]:4180", {"[2001:db8::1]:4180"}),
    ],
)
def test_hosts(public_url: str, hosts: set[str]) -> None:
    options = ConsoleOptions(public_url)
    scheme = public_url.partition(":")[0]
    assert options.hosts == hosts
    assert options.origins == {f"{scheme}://{host}" for host in hosts}
    assert options.secure is (scheme == "https")


@pytest.mark.parametrize("url", ["", "tidegate.example", "ftp://x", "https://", "https://x/path"])
def test_what_is_no_public_url(url: str) -> None:
    with pytest.raises(ValueError, match="public URL"):
        _ = ConsoleOptions(url).hosts
