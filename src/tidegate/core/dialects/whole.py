"""Read the usage of an answer that comes as one JSON body."""

from collections.abc import Callable
from typing import Final

from tidegate.core.dialects.reading import Reported, Tally, Unreadable, UsageReader
from tidegate.core.model import Usage

_BODY_LIMIT_BYTES: Final = 32 << 20
_STREAM_STARTS: Final = (b"event:", b"data:", b":")


class BodyReader:
    """Collect a body, read it when it ends: only then can its counts be told."""

    def __init__(self, tally: Tally, stream_reader: Callable[[], UsageReader]) -> None:
        self.done = False
        self.failed = False
        self.fault: str | None = None
        self._tally = tally
        self._stream_reader = stream_reader
        self._stream: UsageReader | None = None
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def feed_bytes(self) -> int:
        return 0  # it only keeps what it is fed

    @property
    def finish_bytes(self) -> int:
        return self._size if self._parts else 0

    def may_end(self, chunk: bytes) -> bool:
        """A JSON object's end; that it is the body's end only `finish` tells."""
        return chunk[-16:].rstrip().endswith(b"}")

    def passes(self, chunk: bytes) -> bool:
        return False

    def feed(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= _BODY_LIMIT_BYTES:
            self._parts.append(chunk)
        elif self.fault is None:
            self.fault = "the body was too large to be read"
            self._parts = []

    def finish(self) -> None:
        if self.done or self.fault:
            return
        body = b"".join(self._parts)
        self._parts = []
        try:
            self._finish(body)
        except Exception as error:  # noqa: BLE001  an observer must not break an exchange
            self.fault = f"{type(error).__name__}: {error}"

    def reported(self) -> Reported:
        if self._stream is not None:
            return self._stream.reported()
        if self.done:
            return self._tally.reported()
        return Reported(Usage(), False, False, output_bytes=self._size, output_deltas=1)

    def _finish(self, body: bytes) -> None:
        if body.startswith(_STREAM_STARTS):  # events under the name of JSON
            self._stream = self._stream_reader()
            self._stream.feed(body)
            self._stream.finish()
            self.done, self.failed = self._stream.done, self._stream.failed
            self.fault = self._stream.fault
            return
        try:
            self._tally.observe_whole(body)
        except Unreadable as error:
            self.fault = str(error)
            return
        self.done, self.failed = True, self._tally.failed
