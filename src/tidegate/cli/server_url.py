"""The address of a server, as people type it and as we keep it."""

from typing import Final
from urllib.parse import urlsplit

from tidegate.cli.errors import CommandError

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def normalise_url(typed: str, *, insecure: bool = False) -> str:
    """Return scheme, host, port and path without a slash at the end.

    Without a scheme it is https, or http on this very machine. Clear text to another machine needs
    `insecure`: keys and prompts would be readable on the way.
    """
    text = typed.strip()
    if "://" not in text:
        text = ("http://" if _host_of("//" + text) in _LOOPBACK else "https://") + text
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise CommandError(
            f"{typed!r} is not a URL. It looks like https://tidegate.example"
        ) from None
    if parts.scheme not in {"http", "https"} or not host or not _is_plain(host + parts.path):
        raise CommandError(f"{typed!r} is not a URL. It looks like https://tidegate.example")
    if parts.username is not None or parts.password is not None:
        raise CommandError("Leave the user name out of the URL; the code says who you are.")
    if parts.scheme == "http" and host not in _LOOPBACK and not insecure:
        raise CommandError(
            f"http:// to {host} would show keys and prompts to everyone on the way. "
            "Use https://, or --insecure if the way is safe."
        )
    default_port = {"http": 80, "https": 443}[parts.scheme]
    shown_host = f"[{host}]" if ":" in host else host
    shown_port = "" if port in {None, default_port} else f":{port}"
    return f"{parts.scheme}://{shown_host}{shown_port}{parts.path.rstrip('/')}"


def is_loopback(base_url: str) -> bool:
    """Whether the server is on this very machine."""
    return _host_of(base_url) in _LOOPBACK


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and not set(text) & set(" \"'\\<>{}|^`")
