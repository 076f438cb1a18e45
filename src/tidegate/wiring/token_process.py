"""The process that counts tokens: `python -m tidegate.wiring.token_process SOCKET`.

It answers on a Unix socket and ends with its last connection, or when nobody ever came.
"""

import contextlib
import os
import socket
import sys
import threading
from importlib import import_module
from typing import Final

import msgspec

from tidegate.gateway.token_counter import LENGTH, received_message
from tidegate.store.file_locks import take_lock

VOCABULARY: Final = "o200k_base"
_NOBODY_CAME_S: Final = 10.0
_TEXTS: Final = msgspec.msgpack.Decoder(list[str])
_COUNTS: Final = msgspec.msgpack.Encoder()


class TokenServer:
    """Answers everyone who connects, until nobody is connected any more."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        # It takes seconds to load: not for one who finds that another serves already.
        self._vocabulary = import_module("bpe_openai").get_encoding(VOCABULARY)
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


def serve(path: str) -> None:
    """Answer on a socket, unless another process does that already."""
    with open(f"{path}.lock", "w") as lock:
        if not take_lock(lock.fileno()):
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # of one that was killed
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            TokenServer(listener).serve()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


if __name__ == "__main__":
    serve(sys.argv[1])
