"""A request as received, and the checks on its head that the parser does not make.

The parser (llhttp, strict) refuses malformed lines, bare line feeds, a length beside a transfer
coding and repeated lengths. What two parties could read differently is refused here.
"""

from typing import Any, Final

from tidegate.core.headers import Header

_MAX_HEADERS: Final = 256
_VERSIONS: Final = frozenset(("1.0", "1.1"))
_SMALL_BYTES: Final = 4 << 10  # a piece of a body that is not worth an object of its own
_RUN_BYTES: Final = 64 << 10  # how much of small pieces is gathered in one
_JOINED_BYTES: Final = 1 << 20  # joining more takes too long for the loop


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
        "body_limit",
        "chunked",
        "expects_continue",
        "facts",
        "first",
        "headers",
        "http10",
        "keep_alive",
        "length",
        "method",
        "parts",
        "path",
        "refused",
        "shorter",
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
        self.facts: Any = None  # HeadFacts, where the head may come again
        self.parts: list[bytes | bytearray] = []
        self.body_bytes = 0
        self.body_limit = 0
        self.refused = False  # by its head or size; the body was not read
        self.body = b""
        self.shorter: bytes | None = None  # the plain body with shorter tool results, if it was so

    def again(self, length: int) -> "Request":
        """A request with the very same head, and a body of another length."""
        other = Request.__new__(Request)
        other.method = self.method
        other.target = self.target
        other.path = self.path
        other.headers = self.headers
        other.first = self.first
        other.http10 = other.upgrade = other.chunked = other.expects_continue = False
        other.keep_alive = True
        other.length = length
        other.body_bytes = other.body_limit = 0
        other.refused = False
        other.facts = self.facts
        other.parts = []
        other.body = b""
        other.shorter = None
        return other

    @property
    def outgoing(self) -> bytes:
        """The body as it goes to the upstream."""
        return self.body if self.shorter is None else self.shorter

    @property
    def query(self) -> bytes:
        """The target from its question mark on, as received."""
        mark = self.target.find(b"?")
        return self.target[mark:] if mark >= 0 else b""

    def add_header(self, raw: bytes, value: bytes) -> None:
        """Keep a header field. Raises HeadRefused, before the head's end: a read may hold many."""
        if len(self.headers) == _MAX_HEADERS:
            raise HeadRefused(431, "too many header fields")
        name = raw.lower()
        value = value.strip(b" \t")  # the parser leaves what stands after it
        self.headers.append((name, raw, value))
        if name not in self.first:
            self.first[name] = value
        elif name == b"connection":
            self.first[name] += b"," + value

    def add_body(self, piece: bytes) -> None:
        """Keep a piece of the body. Small ones are gathered: each would cost more than it holds."""
        self.body_bytes += len(piece)
        if len(piece) >= _SMALL_BYTES or not self.parts:
            self.parts.append(piece)
            return
        last = self.parts[-1]
        if isinstance(last, bytearray) and len(last) < _RUN_BYTES:
            last += piece
        else:
            self.parts.append(bytearray(piece))

    def check_head(self, version: str) -> None:
        """Refuse what could be read in two ways. Raises HeadRefused."""
        if version not in _VERSIONS:
            raise HeadRefused(505, "the versions of HTTP accepted are 1.0 and 1.1")
        self.http10 = version == "1.0"
        if not self.target.startswith(b"/"):
            raise HeadRefused(400, "the request target must be a path")
        hosts = codings = 0
        for name, _, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding":
                codings += 1
                if value.lower() != b"chunked":
                    raise HeadRefused(400, "the only transfer coding accepted is chunked")
            if b"\n" in value or b"\r" in value or b"\0" in value:
                raise HeadRefused(400, "a header value holds a control character")
        if hosts != 1 or not self.first[b"host"]:
            raise HeadRefused(400, "exactly one Host header is required")
        if codings > 1 or (codings and (self.http10 or b"content-length" in self.first)):
            raise HeadRefused(400, "the body's length is ambiguous")
        self._read_framing(bool(codings))
        if self.upgrade and (codings or self.length):
            # The parser takes an upgrade for the head's end of HTTP and would not read the body.
            raise HeadRefused(400, "a request with a body cannot ask for another protocol")

    def _read_framing(self, chunked: bool) -> None:
        self.chunked = chunked
        length = self.first.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 15:
            raise HeadRefused(400, "Content-Length is not a number")
        self.length = int(length)
        expect = self.first.get(b"expect")
        if expect is not None:
            if expect.lower() != b"100-continue":
                raise HeadRefused(417, "the only expectation accepted is 100-continue")
            self.expects_continue = not self.http10 and bool(self.length or chunked)
        self.path = self.target.partition(b"?")[0].decode("latin-1")

    def end_body(self) -> None:
        """All has arrived. A large body is joined later, by whoever reads it in a thread."""
        if self.body_bytes <= _JOINED_BYTES:
            self.close_body()

    def close_body(self) -> None:
        """Join what arrived; after this `body` is the very bytes received."""
        if not self.parts:
            return
        first = self.parts[0] if self.parts else b""
        whole = len(self.parts) <= 1 and isinstance(first, bytes)
        self.body = bytes(first) if whole else b"".join(self.parts)
        self.parts = []
