"""A request as received, and the checks on its head that the parser does not make.

The parser (llhttp, strict) refuses malformed lines, bare line feeds, a length beside a transfer
coding and repeated lengths. What two parties could read differently is refused here.
"""

from typing import Final

from tidegate.core.headers import Header

_MAX_HEADERS: Final = 256


class HeadRefused(Exception):
    """The head cannot be accepted; `status` is the answer's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Request:
    """One request. `first` holds the first value of each header, by lower-case name."""

    __slots__ = (
        "body",
        "body_bytes",
        "chunked",
        "expects_continue",
        "first",
        "headers",
        "http10",
        "keep_alive",
        "length",
        "method",
        "parts",
        "path",
        "target",
        "upgrade",
    )

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.path = ""
        self.headers: list[Header] = []
        self.first: dict[bytes, bytes] = {}
        self.http10 = False
        self.keep_alive = True
        self.upgrade = False
        self.chunked = False
        self.length = 0
        self.expects_continue = False
        self.parts: list[bytes] = []
        self.body_bytes = 0
        self.body = b""

    @property
    def query(self) -> bytes:
        """The target from its question mark on, as received."""
        mark = self.target.find(b"?")
        return self.target[mark:] if mark >= 0 else b""

    def add_header(self, raw: bytes, value: bytes) -> None:
        name = raw.lower()
        self.headers.append((name, raw, value))
        if name not in self.first:
            self.first[name] = value

    def check_head(self) -> None:
        """Refuse what could be read in two ways. Raises HeadRefused."""
        if not self.target.startswith(b"/"):
            raise HeadRefused(400, "the request target must be a path")
        if len(self.headers) > _MAX_HEADERS:
            raise HeadRefused(431, "too many header fields")
        hosts = codings = 0
        for name, _, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding":
                codings += 1
                if value.strip().lower() != b"chunked":
                    raise HeadRefused(400, "the only transfer coding accepted is chunked")
            if b"\n" in value or b"\r" in value or b"\0" in value:
                raise HeadRefused(400, "a header value holds a control character")
        if hosts != 1 or not self.first[b"host"].strip():
            raise HeadRefused(400, "exactly one Host header is required")
        if codings > 1 or (codings and (self.http10 or b"content-length" in self.first)):
            raise HeadRefused(400, "the body's length is ambiguous")
        self._read_framing(bool(codings))

    def _read_framing(self, chunked: bool) -> None:
        self.chunked = chunked
        length = self.first.get(b"content-length", b"0").strip()
        if not length.isdigit() or len(length) > 15:
            raise HeadRefused(400, "Content-Length is not a number")
        self.length = int(length)
        expect = self.first.get(b"expect")
        if expect is not None:
            if expect.strip().lower() != b"100-continue":
                raise HeadRefused(417, "the only expectation accepted is 100-continue")
            self.expects_continue = not self.http10 and bool(self.length or chunked)
        self.path = self.target.partition(b"?")[0].decode("latin-1")

    def close_body(self) -> None:
        """Join what arrived; after this `body` is the very bytes received."""
        self.body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts = []
