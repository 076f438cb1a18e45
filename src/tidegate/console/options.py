"""What the console is told at start, and what follows from the public URL."""

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class ConsoleOptions:
    """`public_url` is an origin: every link, step and check is built from it, never from Host."""

    public_url: str
    version: str = ""
    admin_command: tuple[str, ...] = ("tidegate", "admin")  # on the server's machine
    max_body_bytes: int = 64 * 1024
    load_ahead: bool = False  # of a launched agent's first call of a tool
    tool_calls: int = 1_000  # of one key in a row: hundreds of build machines may share it
    attempts: int = 10  # failed codes and tokens that a peer may send in a row …
    attempts_per_minute: int = 10  # … and how fast it gets them back

    @cached_property
    def secure(self) -> bool:
        return self._parts[0] == "https"

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The Host values answered; bound to loopback, its three names are one."""
        scheme, host, port = self._parts
        names = _LOOPBACK if host in _LOOPBACK else {host}
        explicit = {f"{name}:{port}" for name in names}
        return frozenset(explicit | names if port == _DEFAULT_PORTS[scheme] else explicit)

    @cached_property
    def origins(self) -> frozenset[str]:
        """The Origin values a form may come from."""
        return frozenset(f"{self._parts[0]}://{host}" for host in self.hosts)

    @cached_property
    def _parts(self) -> tuple[str, str, int]:
        url = urlsplit(self.public_url)
        if url.scheme not in _DEFAULT_PORTS or not url.hostname or url.path not in {"", "/"}:
            raise ValueError(
                f"{self.public_url!r} is not a public URL. Use one like https://tidegate.example."
            )
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        return url.scheme, host, url.port or _DEFAULT_PORTS[url.scheme]
