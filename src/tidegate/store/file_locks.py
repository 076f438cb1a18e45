"""Locks of files. A lock dies with the process that holds it: a file that nobody holds locked has
no living writer."""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def take_lock(descriptor: int) -> bool:
    """Lock the file until the descriptor is closed. False: another holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_there(path: Path, descriptor: int) -> bool:
    """Whether the file still has its name; another process may have removed it meanwhile."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


@contextmanager
def opened(path: Path) -> Iterator[tuple[int, bool] | None]:
    """A file to read, and whether its writer is gone: nobody else takes it then meanwhile.

    None: it is not there any more, since another process was faster.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        is_abandoned = take_lock(descriptor)
        yield (descriptor, is_abandoned) if is_there(path, descriptor) else None
    finally:
        os.close(descriptor)


def make_locked(directory: Path, pattern: str, writer: str, flags: int = 0) -> tuple[Path, int]:
    """A new file of that writer, locked before a reader can take it for an abandoned one.

    `pattern` is how its readers find it; the writer, the time and a random part stand for its `*`.
    """
    while True:
        moment = f"{time.time_ns() // 1000}-{secrets.token_hex(4)}"
        path = directory / pattern.replace("*", f"{writer}-{moment}")
        descriptor = os.open(path, _NEW | flags, 0o600)
        if take_lock(descriptor) and is_there(path, descriptor):
            return path, descriptor
        os.close(descriptor)
