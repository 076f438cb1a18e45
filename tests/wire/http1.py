"""Take HTTP/1.1 messages apart, byte-exactly. Small on purpose: it judges what others wrote."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NO_BODY_STATUSES = {204, 304}


@dataclass(frozen=True)
class Message:
    """One request or response: its raw head, and its body without framing."""

    start: str
    headers: tuple[tuple[str, str], ...]  # names in lower case, in the order of the wire
    body: bytes
    raw: bytes  # head and framed body as they were on the wire
    complete: bool = True

    @property
    def method(self) -> str:
        return self.start.split(" ")[0]

    @property
    def target(self) -> str:
        return self.start.split(" ")[1]

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])

    def header(self, name: str) -> str | None:
        """The value of the first header of that name."""
        return next((value for key, value in self.headers if key == name), None)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


def parse_head(head: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Split a head, which ends before its empty line, into start line and headers."""
    start, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return start, tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)


def take_request(buffer: bytes | bytearray) -> tuple[Message, int] | None:
    """The first request in the buffer and its length, or None if it is not all there."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    start, headers = parse_head(bytes(buffer[:end]))
    body = _framed_body(buffer, end + 4, headers)
    if body is None:
        return None
    content, length = body
    return Message(start, headers, content, bytes(buffer[:length])), length


def split_requests(data: bytes) -> list[Message]:
    """All whole requests that a client sent on one connection."""
    found = []
    while (taken := take_request(data)) is not None:
        message, length = taken
        found.append(message)
        data = data[length:]
    return found


def take_response(buffer: bytes | bytearray, method: str) -> tuple[Message, int] | None:
    """The first whole response in the buffer and its length; its end must be announced."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    start, headers = parse_head(bytes(buffer[:end]))
    status = int(start.split(" ")[1])
    if method == "HEAD" or status < 200 or status in NO_BODY_STATUSES:
        return Message(start, headers, b"", bytes(buffer[: end + 4])), end + 4
    if not {name for name, _ in headers} & {"content-length", "transfer-encoding"}:
        return None
    body = _framed_body(buffer, end + 4, headers)
    if body is None:
        return None
    content, length = body
    return Message(start, headers, content, bytes(buffer[:length])), length


def split_responses(data: bytes, methods: Sequence[str]) -> list[Message]:
    """All responses that a closed connection received; interim ones are left out."""
    return list(_responses(data, methods))


def _responses(data: bytes, methods: Sequence[str]) -> Iterator[Message]:
    remaining = list(methods)
    while (end := data.find(b"\r\n\r\n")) >= 0:
        start, headers = parse_head(data[:end])
        status = int(start.split(" ")[1])
        if 100 <= status < 200 and status != 101:
            data = data[end + 4 :]
            continue
        method = remaining.pop(0) if remaining else "GET"
        message = _response(data, end + 4, start, headers, bodiless=method == "HEAD")
        yield message
        data = data[len(message.raw) :]


def _response(
    data: bytes, at: int, start: str, headers: tuple[tuple[str, str], ...], *, bodiless: bool
) -> Message:
    if bodiless or int(start.split(" ")[1]) in NO_BODY_STATUSES:
        return Message(start, headers, b"", data[:at])
    names = {name for name, _ in headers}
    if not names & {"content-length", "transfer-encoding"}:  # delimited by the close
        return Message(start, headers, data[at:], data)
    body = _framed_body(data, at, headers)
    if body is None:
        return Message(start, headers, _partial_body(data[at:], names), data, complete=False)
    content, length = body
    return Message(start, headers, content, data[:length])


def _framed_body(
    data: bytes | bytearray, at: int, headers: tuple[tuple[str, str], ...]
) -> tuple[bytes, int] | None:
    """Body and end offset, or None if it is not all there."""
    found = dict(headers)
    if "chunked" in found.get("transfer-encoding", ""):
        return _chunked(data, at)
    length = int(found.get("content-length", "0"))
    if len(data) < at + length:
        return None
    return bytes(data[at : at + length]), at + length


def _chunked(data: bytes | bytearray, at: int) -> tuple[bytes, int] | None:
    content = bytearray()
    while (line_end := data.find(b"\r\n", at)) >= 0:
        size = int(bytes(data[at:line_end]).split(b";")[0], 16)
        if size == 0:
            end = data.find(b"\r\n\r\n", line_end - 0)
            return (bytes(content), end + 4) if end >= 0 else None
        if len(data) < line_end + 2 + size + 2:
            return None
        content += data[line_end + 2 : line_end + 2 + size]
        at = line_end + 2 + size + 2
    return None


def _partial_body(data: bytes, names: set[str]) -> bytes:
    """What arrived of a body that was cut."""
    if "content-length" in names:
        return data
    content, at = bytearray(), 0
    while (line_end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line_end].split(b";")[0] or b"0", 16)
        content += data[line_end + 2 : line_end + 2 + size]
        at = line_end + 2 + size + 2
    return bytes(content)
