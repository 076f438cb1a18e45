"""The hand-over of usage events: a worker appends them to a file of its own, the drain reads it.

A file belongs to the one writer that holds its lock. The drain deletes a file only when it could
take the lock, so a lock that is held says "more may come".
"""

import errno
import fcntl
import os
import secrets
import time
from pathlib import Path
from typing import Final

import msgspec

from tidegate.core.frames import MAX_PAYLOAD_BYTES, frame
from tidegate.core.model import UsageEvent

SUFFIX: Final = ".events"
ROTATE_BYTES: Final = 64 << 20
_MAX_TEXT_CHARS: Final = 2000


class SpoolFull(OSError):
    """The event could not be written in full; what was written of it is taken back."""


class SpoolWriter:
    """Appends events to `DIRECTORY/WORKER-START-RANDOM.events`, a new file every 64 MB."""

    def __init__(self, directory: Path, worker: str, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._directory = directory
        self._worker = worker
        self._rotate_bytes = rotate_bytes
        self._encoder = msgspec.msgpack.Encoder()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = self._open()
        self._size = 0

    def append(self, event: UsageEvent) -> None:
        """Write one event with one system call. Raises SpoolFull, with nothing written."""
        content = frame(self._encode(event))
        if self._size >= self._rotate_bytes:
            self._rotate()
        try:
            written = os.write(self._descriptor, content)
        except OSError as fault:
            self._take_back()
            raise SpoolFull(fault.errno, f"spool: {fault.strerror}") from fault
        if written < len(content):
            self._take_back()
            raise SpoolFull(errno.ENOSPC, "spool: no space left for a whole event")
        self._size += written

    def close(self) -> None:
        """Let go of the file: the drain may finish and delete it."""
        os.close(self._descriptor)

    def _encode(self, event: UsageEvent) -> bytes:
        try:
            payload = self._encoder.encode(event)
        except UnicodeEncodeError:  # half a surrogate pair in a client's text
            payload = b""
        if payload and len(payload) <= MAX_PAYLOAD_BYTES:
            return payload
        return self._encoder.encode(_storable(event))

    def _rotate(self) -> None:
        try:
            descriptor = self._open()
        except OSError:  # no room for another file: this one goes on
            return
        os.close(self._descriptor)
        self._descriptor, self._size = descriptor, 0

    def _open(self) -> int:
        """Open a new file and lock it before the drain can take it for an abandoned one."""
        while True:
            name = f"{self._worker}-{time.time_ns() // 1000}-{secrets.token_hex(4)}{SUFFIX}"
            path = self._directory / name
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
            if _lock(descriptor) and _is_there(path, descriptor):
                return descriptor
            os.close(descriptor)

    def _take_back(self) -> None:
        """Cut off a frame written in part; what cannot be cut the drain skips."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            self._size = os.fstat(self._descriptor).st_size


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _storable(event: UsageEvent) -> UsageEvent:
    """The event with texts of a sane length and nothing that UTF-8 cannot say."""
    texts = {
        name: value[:_MAX_TEXT_CHARS].encode("utf-8", "replace").decode()
        for name, value in msgspec.structs.asdict(event).items()
        if isinstance(value, str)
    }
    return msgspec.structs.replace(event, **texts)
