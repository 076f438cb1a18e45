"""The directory of a server's Unix sockets: mode 0700, one per supervisor."""

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

from tidegate.store.file_locks import take_lock

_PREFIX: Final = "tidegate-"
_ALIVE: Final = "alive"
CONSOLE_SOCKET: Final = "console.sock"
COUNTER_SOCKET: Final = "tokens.sock"
RATES: Final = "rates"
_LONGEST_BASE_BYTES: Final = 60  # the kernel takes 107 for the socket's whole path


class RuntimeDirectory:
    """Made at the start, removed at the end.

    Every process that uses it holds a shared lock on a file in it: what a server left that was
    killed is removed by the next one, once its last worker is gone.
    """

    def __init__(self, base: Path) -> None:
        if len(os.fsencode(base)) > _LONGEST_BASE_BYTES:
            base = Path("/tmp")  # noqa: S108 - mkdtemp makes it private
        prefix = f"{_PREFIX}{os.geteuid()}-"
        remove_stale(base, prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
        self._alive = hold(self.path)

    @property
    def console_socket(self) -> Path:
        return self.path / CONSOLE_SOCKET

    def close(self) -> None:
        os.close(self._alive)
        shutil.rmtree(self.path, ignore_errors=True)


def hold(path: Path) -> int:
    """Mark the directory as used until the descriptor is closed or the process ends."""
    descriptor = os.open(path / _ALIVE, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def remove_stale(base: Path, prefix: str) -> None:
    """Remove the directories of our own user that no process uses any more."""
    for path in base.glob(f"{prefix}*"):
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not _in_use(path):
            shutil.rmtree(path, ignore_errors=True)


def _in_use(path: Path) -> bool:
    try:
        descriptor = os.open(path / _ALIVE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True  # just being made, or removed
    try:
        return not take_lock(descriptor)
    finally:
        os.close(descriptor)
