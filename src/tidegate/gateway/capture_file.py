"""Files of a worker's own in which captures wait for the drain, each held locked while in use."""

import contextlib
import errno
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tidegate.core.capture_records import FILES, FREE_BYTES
from tidegate.store.file_locks import make_locked

_FILE_BYTES: Final = 16 << 20  # then the next one is begun, so that the drain can delete it
_LOOK_S: Final = 0.5


class CaptureFiles:
    """Appends frames. For one thread; what it does takes time."""

    def __init__(
        self, directory: Path, worker: str, *, limit_bytes: int, free_bytes: int = FREE_BYTES
    ) -> None:
        self._directory = directory
        self._worker = worker
        self._limit_bytes = limit_bytes
        self._free_bytes = free_bytes
        self._descriptor = -1
        self._size = 0
        self._looked = 0.0
        self._fault = ""

    @property
    def is_open(self) -> bool:
        return self._descriptor >= 0

    def append(self, frames: Sequence[bytes]) -> None:
        """Write all of the frames or none. Raises OSError."""
        self._look()
        if self._fault:
            raise OSError(errno.ENOSPC, self._fault)
        if not self.is_open:
            self._open()
        size = sum(map(len, frames))
        if os.writev(self._descriptor, frames) < size:
            self._take_back()
            raise OSError(errno.ENOSPC, "the capture was written in part")
        self._size += size
        if self._size >= _FILE_BYTES:
            self.close()

    def close(self) -> None:
        """Let go of the file: the drain may delete it once it has it all."""
        if self.is_open:
            os.close(self._descriptor)
            self._descriptor, self._size = -1, 0

    def _take_back(self) -> None:
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, self._size)
        self.close()  # the next one begins a file: a torn frame is nobody's any more

    def _look(self) -> None:
        """Now and then see whether there is room, since others use the disk, too."""
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return
        self._looked = now
        waiting = 0
        for path in self._directory.glob(FILES):
            with contextlib.suppress(FileNotFoundError):  # the drain was faster
                waiting += path.stat().st_size
        disk = os.statvfs(self._directory)
        if disk.f_bavail * disk.f_frsize < self._free_bytes:
            self._fault = "the disk is almost full"
        else:
            full = waiting >= self._limit_bytes
            self._fault = "too many captures wait for the drain" if full else ""

    def _open(self) -> None:
        _, self._descriptor = make_locked(self._directory, FILES, self._worker, os.O_APPEND)
        self._size = 0
