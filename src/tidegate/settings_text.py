"""How the texts of settings are read. Each parser raises ValueError saying what it expected."""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
_SIZES: Final = {"kb": 1 << 10, "k": 1 << 10, "mb": 1 << 20, "m": 1 << 20, "gb": 1 << 30, "b": 1}
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Address(NamedTuple):
    """Where to listen: an IP address or `localhost`, and a port, 0 for a free one."""

    host: str
    port: int


def plain(text: str) -> str:
    return text


def path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def whole_number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return int(text)

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return text

    return parse


def switch(text: str) -> bool:
    if text.lower() not in {"on", "off", "true", "false"}:
        raise ValueError("expected on or off")
    return text.lower() in {"on", "true"}


def size(text: str) -> int:
    """Bytes: `65536`, `64KB`, `32MB` (1 KB = 1,024 bytes)."""
    number = text.lower().rstrip("bgkm")
    factor = _SIZES.get(text.lower()[len(number) :] or "b")
    if factor is None or not number.isdecimal() or int(number) == 0:
        raise ValueError("expected a size such as 64KB or 32MB")
    return int(number) * factor


def segment_size(text: str) -> int:
    """A segment holds several requests at once, and the drain reads one at once."""
    if not 64 << 10 <= (wanted := size(text)) <= 64 << 20:
        raise ValueError("expected a size from 64KB to 64MB")
    return wanted


def timeout(text: str) -> float:
    """Seconds, more than none."""
    if not (seconds := duration(text)):
        raise ValueError("expected a time such as 30s or 5m, not zero")
    return seconds


def duration(text: str) -> float:
    """Seconds: `300`, `300s`, `5m`, `1.5h`, `250ms`."""
    number = text.rstrip("hms")
    factor = _SECONDS.get(text[len(number) :] or "s")
    if factor is None or not number.replace(".", "", 1).isdecimal():
        raise ValueError("expected a time such as 30s or 5m")
    return float(number) * factor


def address(text: str) -> Address:
    host, port = _host_and_port(text, "expected HOST:PORT such as 127.0.0.1:4180 or [::1]:4180")
    if host != "localhost":
        try:
            ip_address(host)
        except ValueError:
            raise ValueError(f"expected an IP address or localhost, not {host!r}") from None
    return Address(host, int(whole_number(0, 65535)(port)))


def upstream(text: str) -> str:
    """HOST:PORT with a port or `*`, in lower case."""
    host, port = _host_and_port(text, "expected HOST:PORT such as llm.internal:8000 or 10.0.0.5:*")
    if port != "*":
        whole_number(1, 65535)(port)
    return f"[{host}]:{port}".lower() if ":" in host else f"{host}:{port}".lower()


def network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise ValueError("expected a network such as 10.0.0.0/8 or an IP address") from None


def public_url(text: str) -> str:
    """Scheme, host and port only, without a slash at the end.

    Its characters are those of host names, as it goes into commands that people copy.
    """
    expected = "expected a URL such as https://tidegate.example.com, without a path"
    parts = _url(text, {"http", "https"}, expected)
    extra = parts.path.rstrip("/") or parts.query or parts.fragment or "@" in parts.netloc
    host = parts.hostname or ""
    if extra or not _HOST.fullmatch(host):
        raise ValueError(f"{expected}, with a non-Latin host name in its xn-- form")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{parts.port}" if parts.port else "")


def proxy_url(text: str) -> str:
    expected = "expected a proxy such as http://proxy.example.com:3128"
    full = text if "://" in text else f"http://{text}"
    _url(full, {"http"}, expected)
    return full.rstrip("/")


def _is_torn(url: str) -> bool:
    try:
        parts = urlsplit(url)
        signs = parts.netloc.count("@")
        elsewhere = parts.path + parts.fragment + ("" if signs else parts.query)
        return parts.port == 0 or signs > 1 or "@" in elsewhere
    except ValueError:
        return True


def database_url(text: str) -> str:
    """The host may be missing: PostgreSQL is then reached over its Unix socket.

    A password that is not percent-encoded is refused, not taken for a part of the host's name,
    which error messages show.
    """
    scheme, separator, rest = text.partition("://")
    if scheme not in {"postgresql", "postgresql+psycopg"} or not separator or _is_torn(text):
        raise ValueError(
            "expected postgresql+psycopg://USER:PASSWORD@HOST/NAME, with the special characters of"
            " a password percent-encoded"
        )
    return f"postgresql+psycopg://{rest}"


def _url(text: str, schemes: set[str], expected: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        well_formed = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:
        well_formed = False
    if not well_formed or any(c.isspace() for c in text):
        raise ValueError(expected)
    return parts


def _host_and_port(text: str, expected: str) -> tuple[str, str]:
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or not port or (":" in host) != bracketed:
        raise ValueError(expected)
    return host.strip("[]"), port
