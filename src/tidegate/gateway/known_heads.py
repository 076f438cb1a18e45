"""The heads that a connection sent last, and what follows from them alone.

An agent repeats its head byte for byte from request to request of a session; only the length of the
body differs. A head that was parsed and accepted once needs neither again: the same bytes mean the
same. Whatever is not exactly such a head takes the usual way through the parser.
"""

import re
from typing import Final

from tidegate.core.identity import ClientFacts
from tidegate.gateway.request import Request

_KEPT: Final = 4  # main conversation, sub-agents and titles differ
_LONGEST_BYTES: Final = 16 << 10
_LENGTH: Final = re.compile(rb"\r\ncontent-length: ?([0-9]{1,15})\r\n", re.I)


class HeadFacts:
    """What was worked out of one head. Shared by all requests that repeat it."""

    __slots__ = ("client", "credential", "header_lines")

    def __init__(self) -> None:
        self.client: ClientFacts | None = None
        # The header lines towards the upstream, for the credential they were written for.
        self.credential: tuple[bytes, tuple[bytes, bytes] | None] | None = None
        self.header_lines = b""


class KnownHeads:
    """A few heads, the newest first."""

    __slots__ = ("_heads",)

    def __init__(self) -> None:
        self._heads: list[tuple[bytes, bytes, Request]] = []

    def learn(self, data: bytes, request: Request) -> None:
        """Remember the head of a request, if `data` begins with the whole of it."""
        end = data.find(b"\r\n\r\n") + 4
        if not 4 <= end <= _LONGEST_BYTES or not data.startswith(request.method + b" "):
            return
        plain = request.keep_alive and not (
            request.http10 or request.upgrade or request.chunked or b"expect" in request.first
        )
        found = _LENGTH.findall(data, 0, end)
        if not plain or len(found) != 1 or int(found[0]) != request.length:
            return
        digits = _LENGTH.search(data, 0, end)
        assert digits is not None
        head = request.again(0)  # without the body
        self._heads.insert(0, (data[: digits.start(1)], data[digits.end(1) : end], head))
        del self._heads[_KEPT:]

    def recall(self, data: bytes) -> tuple[Request, int, int] | None:
        """The request whose head `data` repeats, its new length, and where its body begins."""
        for before, after, request in self._heads:
            if data.startswith(before):
                begin = len(before)
                end = data.find(b"\r", begin, begin + 16)
                digits = data[begin:end]
                if end > 0 and digits.isdigit() and data.startswith(after, end):
                    return request, int(digits), end + len(after)
        return None
