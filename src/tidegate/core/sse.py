"""Incremental framing of server-sent events: bytes in, runs of whole events out.

Nothing here decodes text or JSON. A run ends with the blank line of its last event, lines end with
LF whatever the sender used, and what has not ended yet waits, in bounded memory.
"""

from typing import Final

EVENT_LIMIT_BYTES: Final = 8 << 20
_HEAD_BYTES: Final = 256  # kept of an event that is too large: its name, or the JSON's type
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class EventRuns:
    """Cut a stream into runs of whole events.

    `tail` is how the event begins whose end has not come yet, empty between events; `clean` tells
    that the next read begins a new line and a new event, so that it may be looked at as it is;
    `held` is how many bytes of the unfinished event have come.
    """

    __slots__ = (
        "_after_cr",
        "_limit",
        "_parts",
        "_skipping",
        "clean",
        "held",
        "oversized",
        "tail",
    )

    def __init__(self, limit_bytes: int = EVENT_LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._parts: list[bytes] = []
        self.held = 0
        self._after_cr = False
        self._skipping = False
        self.clean = True
        self.tail = b""
        self.oversized: bytes | None = None  # how the last event began that had to be dropped

    def push(self, chunk: bytes) -> bytes:
        """Take one read; return the events that it completes, empty when there is none."""
        if self._after_cr or b"\r" in chunk:
            chunk = self._unify_line_ends(chunk)
        run = self._complete(chunk) if self._parts else self._cut(chunk)
        self.clean = not self._parts and not self._after_cr
        return run

    def rest(self) -> bytes:
        """Take out what came after the last whole event."""
        rest = b"".join(self._parts)
        self._clear()
        return rest

    def _cut(self, chunk: bytes) -> bytes:
        end = chunk.rfind(b"\n\n") + 2
        if end == 1:
            end = 0
        if end < len(chunk):
            self._hold(chunk[end:])
        return chunk[:end]

    def _complete(self, chunk: bytes) -> bytes:
        ends_across = self._parts[-1].endswith(b"\n") and chunk.startswith(b"\n")
        if not ends_across and b"\n\n" not in chunk:
            self._hold(chunk)
            return b""
        if self._skipping:
            joined = self._parts[-1] + chunk
            chunk = joined[joined.index(b"\n\n") :]
            whole = self.tail.rstrip(b"\n") + chunk
        else:
            whole = b"".join(self._parts) + chunk
        self._clear()
        return self._cut(whole)

    def _hold(self, part: bytes) -> None:
        if not self._parts:
            part = part.lstrip(b"\n")
            self.tail = part[:_HEAD_BYTES]
        elif len(self.tail) < _HEAD_BYTES:
            self.tail = (self.tail + part)[:_HEAD_BYTES]
        if not part:
            return
        self.held += len(part)
        if self.held <= self._limit:
            self._parts.append(part)
            return
        if not self._skipping:
            self._skipping = True
            self.oversized = self.tail
        self._parts = [self.tail, part[-1:]]

    def _clear(self) -> None:
        self._parts = []
        self.held = 0
        self._skipping = False
        self.tail = b""

    def _unify_line_ends(self, chunk: bytes) -> bytes:
        """CRLF and CR become LF; a CR at the end counts at once, an LF after it then does not."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def fields(event: bytes) -> tuple[bytes, bytes]:
    """Return the name and the joined data of one event; either may be empty."""
    name, values = b"", []
    for line in event.lstrip(b"\n").removeprefix(_BYTE_ORDER_MARK).split(b"\n"):
        if line.startswith(b"data:"):
            values.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line.startswith(b"event:"):
            name = line[6:].strip()
    return name, b"\n".join(values)
