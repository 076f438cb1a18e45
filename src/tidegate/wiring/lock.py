"""One server per data directory. The lock dies with the process that holds it."""

import os
from pathlib import Path
from types import TracebackType

import msgspec

from tidegate.store.file_locks import take_lock
from tidegate.wiring.orders import StartFailed

FILE_NAME = "supervisor.lock"


class Note(msgspec.Struct, frozen=True):
    """What the lock file says of the server that holds it, or held it last."""

    pid: int
    public_url: str = ""


class DirectoryHeld(StartFailed):
    """Another server is using the data directory."""


class DirectoryLock:
    """Held by the supervisor alone: children do not inherit the descriptor, so that a new server
    can start while they drain."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._descriptor = -1

    def __enter__(self) -> "DirectoryLock":
        path = self._data_dir / FILE_NAME
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not take_lock(descriptor):
            os.close(descriptor)
            raise DirectoryHeld(_refusal(self._data_dir))
        self._descriptor = descriptor
        self.write(Note(os.getpid()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def write(self, note: Note) -> None:
        """Say who we are, for the next one who wants the directory and for `tidegate admin`."""
        content = msgspec.json.encode(note)
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))


def read_note(data_dir: Path) -> Note | None:
    """The note of the server that runs on this directory, or ran last."""
    try:
        return msgspec.json.decode((data_dir / FILE_NAME).read_bytes(), type=Note)
    except (OSError, msgspec.DecodeError):
        return None


def _refusal(data_dir: Path) -> str:
    note = read_note(data_dir)
    who = f" (process {note.pid})" if note else ""
    return (
        f"Another Tidegate server{who} is using the data directory {data_dir}. "
        "Stop it, or choose another directory with --data-dir."
    )
