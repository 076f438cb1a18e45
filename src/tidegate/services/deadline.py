"""An end for a connection whose server talks on and on."""

import contextlib
import socket
import threading


class Deadline:
    """Ends a connection after so many seconds; its own timeout sees only a silent server."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def watch(self, connection: socket.socket) -> None:
        """Keep a descriptor of our own: TLS takes over the connection's."""
        with self._lock:
            self._connection = connection.dup()

    def _end(self) -> None:
        with self._lock:
            self.passed = True
            if self._connection is not None:
                with contextlib.suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)
