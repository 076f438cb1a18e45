"""The hand-over of usage: a worker writes starts and events to files of its own, the drain reads.

A start is in its file before the request's first byte goes out, the event before the answer's last
one does. A file belongs to the one writer that holds its lock. The drain finishes a file only when
it could take the lock: what was begun there and not ended is `crashed`.
"""

import asyncio
import contextlib
import errno
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tidegate.core.model import RequestStart, UsageEvent
from tidegate.core.spool_records import ROOM_BYTES, event_frame, start_frame
from tidegate.gateway.segment import SUFFIX, Segment

DRAINED: Final = "drained"  # a file whose time says up to when the ledger has it all
UNMETERED_SUFFIX: Final = ".unmetered"
_COUNTED: Final = (SUFFIX, ".events")
_TEND_S: Final = 1.0


class SpoolFull(OSError):
    """There is no room for another request's usage; nothing of it was written."""


class SpoolOptions(msgspec.Struct, frozen=True, kw_only=True):
    """See `tidegate.config` for what each is for."""

    segment_bytes: int = 4 << 20
    limit_bytes: int = 1 << 30
    limit_age_s: float = 86_400.0
    sync: bool = False


class SpoolHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the spool of all workers stands."""

    size_bytes: int
    limit_bytes: int
    age_s: float  # for how long usage has been waiting for the ledger
    unmetered: int  # requests that went on unrecorded, of which the spool directory knows
    fault: str  # why there is no room, "" if there is


_DEFAULTS: Final = SpoolOptions()


class SpoolWriter:
    """Writes to `DIRECTORY/WORKER-START-RANDOM.segment`, one file after the other.

    `tend` does what takes time; call it off the loop, or let `run` do so.
    """

    def __init__(
        self,
        directory: Path,
        worker: str,
        options: SpoolOptions = _DEFAULTS,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._worker = worker
        self._options = options
        self._clock = clock
        self._current: Segment | None = None
        self._spare: Segment | None = None
        self._begun: dict[str, Segment] = {}
        self._unsynced: set[Segment] = set()
        self._ended: list[Segment] = []  # to be closed once they are synced
        self._directory_unsynced = False
        self._size = 0
        self._fault = ""
        self._too_old = False
        self._waiting_since = 0.0
        self._last_write = 0.0
        self._unmetered = 0
        self._unmetered_everywhere = 0
        self._unmetered_file = -1
        self._wanted: asyncio.Event | None = None
        self._closed = False
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._look()
        with contextlib.suppress(SpoolFull):  # room may be made later
            self._current = self._make()

    # -- for the loop --------------------------------------------------------

    def begin(self, start: RequestStart) -> None:
        """Write a request's start and keep room for its event. Raises SpoolFull, or OSError."""
        content = start_frame(start)
        if self._too_old:
            raise SpoolFull(errno.ENOSPC, "the ledger has not taken usage for too long")
        segment = self._with_room(len(content) + ROOM_BYTES)
        segment.begin(content)
        self._begun[start.event.event_id] = segment
        self._written(segment)

    def append(self, event: UsageEvent) -> None:
        """Write the event of a request. One that was begun always has room; else as `begin`."""
        content = event_frame(event)
        segment = self._begun.pop(event.event_id, None)
        if segment is None:
            segment = self._with_room(len(content))
            segment.add(content)
            self._written(segment)
            return
        try:
            segment.finish(content)
            self._written(segment)
        finally:
            if segment is not self._current and not segment.running:
                self._let_go(segment)

    def count_unmetered(self) -> None:
        """Note that a request went on without its usage being recorded.

        The number is a file's size, which takes no block of the disk.
        """
        self._unmetered += 1
        with contextlib.suppress(OSError):
            if self._unmetered_file < 0:
                name = f"{self._worker}-{time.time_ns() // 1000}-{secrets.token_hex(4)}"
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                path = self._directory / f"{name}{UNMETERED_SUFFIX}"
                self._unmetered_file = os.open(path, flags, 0o600)
            os.ftruncate(self._unmetered_file, self._unmetered)

    def syncing(self) -> Callable[[], None]:
        """What has the disk hold all that was written so far; to be called in a thread."""
        unsynced, self._unsynced = self._unsynced, set()
        ended, self._ended = self._ended, []
        made, self._directory_unsynced = self._directory_unsynced, False

        def sync() -> None:
            if made:
                _sync_directory(self._directory)
            for segment in unsynced:
                segment.sync()
            for segment in ended:
                segment.close()

        return sync

    def health(self) -> SpoolHealth:
        fault = "the ledger has not taken usage for too long" if self._too_old else self._fault
        return SpoolHealth(
            size_bytes=self._size,
            limit_bytes=self._options.limit_bytes,
            age_s=self._age_s(),
            unmetered=max(self._unmetered, self._unmetered_everywhere),
            fault=fault,
        )

    def close(self) -> None:
        """Let go of all files; what has not ended by now counts as crashed."""
        self._closed = True
        begun = set(self._begun.values())
        self._begun.clear()
        for segment in {*begun, *self._ended, self._current, self._spare} - {None}:
            assert segment is not None
            segment.close()
        self._ended, self._current, self._spare = [], None, None
        if self._unmetered_file >= 0:
            os.close(self._unmetered_file)

    # -- for a thread --------------------------------------------------------

    async def run(self) -> None:
        """Tend the spool until cancelled."""
        self._wanted = asyncio.Event()
        while True:
            await asyncio.to_thread(self.tend)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), _TEND_S)
            self._wanted.clear()

    def tend(self) -> None:
        """Look how much is waiting, and have the next file ready."""
        self._look()
        if self._spare is None and not self._closed:
            with contextlib.suppress(SpoolFull):  # it is noted, and tried again
                self._spare = self._make()

    # -- inside --------------------------------------------------------------

    def _written(self, segment: Segment) -> None:
        self._last_write = self._clock()
        if not self._waiting_since:
            self._waiting_since = self._last_write
        if self._options.sync:
            self._unsynced.add(segment)

    def _with_room(self, size: int) -> Segment:
        current = self._current
        if current is not None and current.fits(size):
            return current
        spare, self._spare = self._spare, None
        if spare is None:
            if self._fault:  # `tend` tries again, off the loop
                raise SpoolFull(errno.ENOSPC, self._fault)
            spare = self._make()
        self._current = spare
        if self._wanted is not None:
            self._wanted.set()
        if current is not None and not current.running:
            self._let_go(current)
        return spare

    def _let_go(self, segment: Segment) -> None:
        if self._options.sync:
            self._ended.append(segment)
        else:
            segment.close()

    def _make(self) -> Segment:
        try:
            if self._size + self._options.segment_bytes > self._options.limit_bytes:
                raise OSError(errno.EDQUOT, "the spool has reached its limit")
            made = Segment.make(self._directory, self._worker, self._options.segment_bytes)
        except OSError as fault:
            self._fault = f"spool: {fault.strerror}"
            raise SpoolFull(fault.errno, self._fault) from fault
        self._size += self._options.segment_bytes
        self._fault = ""
        self._directory_unsynced = self._options.sync
        return made

    def _look(self) -> None:
        size = unmetered = 0
        drained = 0.0
        with os.scandir(self._directory) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat()
                    if entry.name.endswith(_COUNTED):
                        size += status.st_size
                    elif entry.name.endswith(UNMETERED_SUFFIX):
                        unmetered += status.st_size
                    elif entry.name == DRAINED:
                        drained = status.st_mtime
        self._size, self._unmetered_everywhere = size, unmetered
        if self._waiting_since and drained > self._waiting_since:
            self._waiting_since = drained if self._last_write > drained else 0.0
        self._too_old = self._age_s() > self._options.limit_age_s

    def _age_s(self) -> float:
        return max(0.0, self._clock() - self._waiting_since) if self._waiting_since else 0.0


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
