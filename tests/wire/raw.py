"""A client that sends the very bytes it is given, and shows the very bytes it gets."""

import json
import socket
from typing import Any, Self

from tests.wire.http1 import Message, take_response

TIMEOUT_S = 20.0


class RawClient:
    """One TCP connection."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), timeout=TIMEOUT_S)
        self.received = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> Self:
        self.socket.sendall(data)
        return self

    def response(self, method: str = "POST") -> Message:
        """The next response, interim ones included; EOFError if it does not come whole."""
        while (taken := take_response(self.received, method)) is None:
            self._read()
        message, length = taken
        del self.received[:length]
        return message

    def until(self, marker: bytes) -> bytes:
        """All that came up to and with a marker."""
        while (at := self.received.find(marker)) < 0:
            self._read()
        found = bytes(self.received[: at + len(marker)])
        del self.received[: at + len(marker)]
        return found

    def rest(self) -> bytes:
        """All that comes until the other side closes."""
        try:
            while True:
                self._read()
        except (EOFError, ConnectionResetError):
            return bytes(self.received)

    def rest_of_chunked(self) -> bytes:
        """The body of a chunked answer whose head was taken already."""
        while not self.received.endswith(b"\r\n0\r\n\r\n"):
            self._read()
        data, content, at = bytes(self.received), [], 0
        while size := int(data[at : (end := data.index(b"\r\n", at))], 16):
            content.append(data[end + 2 : end + 2 + size])
            at = end + 4 + size
        return b"".join(content)

    def reset(self) -> None:
        """Leave without a word."""
        self.socket.close()

    def _read(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"closed after {bytes(self.received)[-200:]!r}")
        self.received += data


def request(
    path: str,
    body: bytes = b"",
    *lines: str,
    method: str = "POST",
    host: str | None = "tidegate.test",
    length: int | None = None,
) -> bytes:
    """A request with the given header lines; `host=None` and `length=-1` leave these out."""
    head = [f"{method} {path} HTTP/1.1"]
    if host is not None:
        head.append(f"Host: {host}")
    head += lines
    if method == "POST" and length != -1:
        head.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def message_body(stream: bool = True, model: str = "claude-opus-4-8", **more: Any) -> bytes:
    """A request body for Messages, with spaces and fields that nobody knows."""
    content = [{"role": "user", "content": "Grüße, 潮 🌊"}]
    value = {"model": model, "max_tokens": 64, "stream": stream, "messages": content, **more}
    return json.dumps(value, indent=1, ensure_ascii=False).encode()


def responses_body(stream: bool = True, model: str = "gpt-5", **more: Any) -> bytes:
    return json.dumps({"model": model, "stream": stream, "input": "Hello", **more}).encode()


def chat_body(stream: bool = True, model: str = "gpt-5", **more: Any) -> bytes:
    content = [{"role": "user", "content": "Hello"}]
    usage = {"stream_options": {"include_usage": True}} if stream else {}
    value = {"model": model, "stream": stream, "messages": content, **usage, **more}
    return json.dumps(value).encode()
