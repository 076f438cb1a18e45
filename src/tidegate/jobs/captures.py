"""Moves captures from the workers' files into the store.

A capture is known by its request's id, so that moving one twice changes nothing. A file that nobody
holds locked has no living writer: what is whole in it is moved, then it is deleted.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tidegate.core.capture_records import FILES, FREE_BYTES, Assembly, SealedCapture
from tidegate.core.captures import compressed
from tidegate.core.frames import MAX_FRAME_BYTES, scan_frames
from tidegate.jobs.passes import to_the_end
from tidegate.services.log import Log
from tidegate.services.vault import SealBroken, seal_capture, unseal_capture
from tidegate.store.captures import StoredCapture
from tidegate.store.file_locks import opened
from tidegate.store.ports import Store

POLL_S: Final = 0.5
_READ_BYTES: Final = 4 * MAX_FRAME_BYTES
_BATCH_BYTES: Final = 8 << 20
_DAY_US: Final = 86_400_000_000


def now_us() -> int:
    return time.time_ns() // 1000


class CaptureImport:
    """Imports from every file of a spool directory; one pass at a time in this process."""

    def __init__(
        self,
        spool_dir: Path,
        store: Store,
        subkey: bytes,
        log: Log,
        *,
        clock: Callable[[], int] = now_us,
        free_bytes: int = FREE_BYTES,
    ) -> None:
        self._spool_dir = spool_dir
        self._directory = store.directory
        self._captures = store.usage.captures
        self._subkey = subkey
        self._log = log
        self._clock = clock
        self._free_bytes = free_bytes
        self._one_pass = threading.Lock()
        self._places: dict[str, int] = {}  # of files that are still written to
        self._days_version = -1
        self._days: dict[str, int] = {}

    async def run(self, stop: asyncio.Event, poll_s: float = POLL_S) -> None:
        """Import until told to stop, then once more. While the store is away the files wait."""
        await to_the_end(stop, poll_s, self.run_once, "captures.failed", self._log)

    def run_once(self) -> int:
        """Import all that the workers have written so far: how many were moved."""
        with self._one_pass:
            paths = sorted(self._spool_dir.glob(FILES))
            if paths:
                self._learn_days()
            moved = sum(self._import_file(path) for path in paths)
            self._places = {p.name: self._places[p.name] for p in paths if p.name in self._places}
            return moved

    def _learn_days(self) -> None:
        version = self._directory.version()
        if version != self._days_version:
            with self._directory.reading() as reads:
                self._days = {o.organization_id: o.capture_days for o in reads.organizations()}
            self._days_version = version

    def _import_file(self, path: Path) -> int:
        with opened(path) as found:
            if found is None:
                return 0
            if not self._has_room():
                self._log.error("captures.dropped", file=path.name, why="the disk is almost full")
                path.unlink()
                return 0
            descriptor, is_abandoned = found
            moved = self._move(path, descriptor)
            if is_abandoned:
                path.unlink()
                self._places.pop(path.name, None)
            return moved

    def _has_room(self) -> bool:
        disk = os.statvfs(self._spool_dir)
        return disk.f_bavail * disk.f_frsize >= self._free_bytes

    def _move(self, path: Path, descriptor: int) -> int:
        moved = size = 0
        place = self._places.get(path.name, 0)
        batch: list[StoredCapture] = []
        for capture, place in self._read(path, descriptor):
            if (stored := self._stored(capture)) is not None:
                batch.append(stored)
                size += stored.size_bytes
            if size >= _BATCH_BYTES:
                moved += self._put(batch)
                batch, size = [], 0
                self._places[path.name] = place
        moved += self._put(batch)
        self._places[path.name] = place
        return moved

    def _put(self, batch: list[StoredCapture]) -> int:
        if batch:
            self._captures.put_captures(batch)
        return len(batch)

    def _read(self, path: Path, descriptor: int) -> Iterator[tuple[SealedCapture, int]]:
        """Captures from where the last pass ended, each with the place behind it."""
        place = self._places.get(path.name, 0)
        assembly = Assembly()
        while buffer := os.pread(descriptor, _READ_BYTES, place):
            at = 0
            while (scan := scan_frames(buffer, at, 1)).payloads:
                at = scan.end
                if (capture := assembly.add(scan.payloads[0])) is not None:
                    yield capture, place + at
            if at == 0:  # a frame that is not whole yet, or never will be
                return
            place += at

    def _stored(self, capture: SealedCapture) -> StoredCapture | None:
        """Compressed and sealed anew. None where it must not or cannot be kept."""
        organization_id, event_id = capture.organization_id, capture.event_id
        days = self._days.get(organization_id)
        if days is None:
            return None
        expires_us = capture.at_us + days * _DAY_US
        if expires_us <= self._clock():
            return None
        try:
            packed = unseal_capture(self._subkey, organization_id, event_id, capture.ciphertext)
        except SealBroken as fault:
            self._log.error("captures.unreadable", event_id=event_id, error=str(fault))
            return None
        sealed = seal_capture(self._subkey, organization_id, event_id, compressed(packed))
        return StoredCapture(
            event_id=event_id,
            organization_id=organization_id,
            key_id=capture.key_id,
            member_id=capture.member_id,
            at_us=capture.at_us,
            expires_us=expires_us,
            size_bytes=len(sealed),
            truncated=capture.truncated,
            ciphertext=sealed,
        )
