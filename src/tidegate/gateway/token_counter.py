"""Counts tokens in a process of their own, which all workers of a server share.

A vocabulary takes a hundred megabytes and seconds to load, and counting would hold up the loop: so
it is done elsewhere, behind a Unix socket beside the console's. The first worker that finds nobody
there starts it; it ends with its last connection. Counts are for reports: when it is not there, or
slow, sizes do.
"""

import socket
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

LENGTH: Final = struct.Struct(">I")
"""Goes before each message: a list of texts, or a list of counts."""

_START_S: Final = 10.0
_TRIES: Final = 2
_POLL_S: Final = 0.05
_ANSWER_S: Final = 5.0
_AGAIN_S: Final = 60.0  # after a failure
_TEXTS: Final = msgspec.msgpack.Encoder()
_COUNTS: Final = msgspec.msgpack.Decoder(list[int])


class TokenCounter:
    """This worker's connection. Blocks; for one thread at a time."""

    def __init__(self, path: Path, command: Sequence[str]) -> None:
        self._path = path
        self._command = [*command, str(path)]
        self._connection: socket.socket | None = None
        self._not_before = float("-inf")
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> list[int] | None:
        """The tokens of each text; None when they cannot be counted now."""
        with self._lock:
            if time.monotonic() < self._not_before:
                return None
            for _ in range(_TRIES):  # it may just have ended
                try:
                    if self._connection is None:
                        self._connection = self._connect()
                    return _asked(self._connection, texts)
                except (OSError, ValueError):
                    self._drop()
            self._not_before = time.monotonic() + _AGAIN_S
            return None

    def close(self) -> None:
        """Hang up: after the last of us it ends."""
        with self._lock:
            self._not_before = float("inf")
            self._drop()

    def _connect(self) -> socket.socket:
        until = time.monotonic() + _START_S
        is_started = False
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(_ANSWER_S)
            try:
                connection.connect(str(self._path))
            except OSError:
                connection.close()
                if time.monotonic() > until:
                    raise
            else:
                return connection
            if not is_started:
                is_started = True
                self._start()
            time.sleep(_POLL_S)

    def _start(self) -> None:
        quiet = subprocess.DEVNULL
        started = subprocess.Popen(  # noqa: S603  our own module, as the wiring names it
            self._command, stdin=quiet, stdout=quiet, stderr=quiet
        )
        threading.Thread(target=started.wait, name="reap", daemon=True).start()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _asked(connection: socket.socket, texts: Sequence[str]) -> list[int]:
    question = _TEXTS.encode(texts)
    connection.sendall(LENGTH.pack(len(question)) + question)
    counts = _COUNTS.decode(received_message(connection))
    if len(counts) != len(texts):
        raise ValueError("not every text was counted")
    return counts


def received_message(connection: socket.socket) -> bytes:
    """The next message."""
    return _received(connection, LENGTH.unpack(_received(connection, LENGTH.size))[0])


def _received(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise ConnectionError("the other side is gone")
        data += piece
    return bytes(data)
