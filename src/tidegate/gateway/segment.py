"""One file of the spool: allocated ahead, held locked by its writer, filled frame by frame."""

import errno
import os
from pathlib import Path
from typing import Final, Self

from tidegate.core.spool_records import ROOM_BYTES
from tidegate.store.file_locks import make_locked

SUFFIX: Final = ".segment"
_ZEROS: Final = bytes(1 << 16)


class Segment:
    """A request's start and its usage event go to the same segment.

    Room for the event is kept from the start on, so that it can be written whatever happens to the
    disk. The file is the writer's until all its requests have ended and it is closed.
    """

    __slots__ = ("_descriptor", "_position", "_size", "path", "running")

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.running = 0  # requests that were begun here and have not ended
        self._descriptor = descriptor
        self._size = size
        self._position = 0

    @classmethod
    def make(cls, directory: Path, worker: str, size: int) -> Self:
        """A new file with all its blocks. OSError, and no file, if there is no space for it."""
        path, descriptor = make_locked(directory, f"*{SUFFIX}", worker)
        try:
            _allocate(descriptor, size)
        except OSError:
            path.unlink()
            os.close(descriptor)
            raise
        return cls(path, descriptor, size)

    def fits(self, size: int) -> bool:
        """Whether so many bytes fit beside the events that are still to come."""
        return self._position + self.running * ROOM_BYTES + size <= self._size

    def begin(self, content: bytes) -> None:
        """Write a start, for which there is room, and keep room for its event."""
        self.add(content)
        self.running += 1

    def finish(self, content: bytes) -> None:
        """Write the event of a request that was begun here."""
        self.running -= 1
        self.add(content)

    def add(self, content: bytes) -> None:
        """Write with one system call; what was written in part is written over by the next one."""
        if os.pwrite(self._descriptor, content, self._position) < len(content):
            raise OSError(errno.EIO, "the frame was written in part")
        self._position += len(content)

    def sync(self) -> None:
        """Have the disk hold what was written. Takes milliseconds: not on the loop."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let go of the file: the drain may finish and delete it."""
        os.close(self._descriptor)


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    for position in range(0, size, len(_ZEROS)):  # macOS has no such call
        os.pwrite(descriptor, _ZEROS[: size - position], position)
