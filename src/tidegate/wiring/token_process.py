"""The process that counts tokens: `python -m tidegate.wiring.token_process SOCKET`.

It answers on a Unix socket and ends with its last connection, or when nobody ever came.
"""

import contextlib
import os
import socket
import sys
import threading
from typing import Final

import bpe_openai
import msgspec

from tidegate.gateway.token_counter import LENGTH, received_message

VOCABULARY: Final = "o200k_base"
_NOBODY_CAME_S: Final = 30.0
_TEXTS: Final = msgspec.msgpack.Decoder(list[str])
_COUNTS: Final = msgspec.msgpack.Encoder()


class TokenServer:
    """Answers everyone who connects, until nobody is connected any more."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._vocabulary = bpe_openai.get_encoding(VOCABULARY)
        self._lock = threading.Lock()
        self._connections = 0

    def serve(self) -> None:
        self._listener.settimeout(_NOBODY_CAME_S)
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # nobody came, or all have left
                return
            self._listener.settimeout(None)
            connection.settimeout(None)
            with self._lock:
                self._connections += 1
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError):
            while True:
                connection.sendall(self._answer(received_message(connection)))
        with self._lock:
            self._connections -= 1
            if not self._connections:
                self._listener.shutdown(socket.SHUT_RDWR)

    def _answer(self, question: bytes) -> bytes:
        texts = _TEXTS.decode(question)
        counts = _COUNTS.encode([len(self._vocabulary.encode_ordinary(text)) for text in texts])
        return LENGTH.pack(len(counts)) + counts


def _listen(path: str) -> socket.socket | None:
    """A listener, or None if there is another process that answers here."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
    except OSError:
        try:
            with socket.socket(socket.AF_UNIX) as there:
                there.connect(path)
        except OSError:
            os.unlink(path)  # of one that ended without ado
            listener.bind(path)
        else:
            return None
    listener.listen()
    return listener


if __name__ == "__main__":
    here = _listen(sys.argv[1])
    if here is not None:
        TokenServer(here).serve()
        with contextlib.suppress(OSError):
            os.unlink(sys.argv[1])
