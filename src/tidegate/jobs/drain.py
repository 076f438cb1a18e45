"""Moves usage events from the workers' spool files into the ledger.

A file's place is committed with the rows read from it, and the ledger knows every event by its
id, so that any number of drains, a crash at any moment and a repeated pass end in the same rows.
"""

import asyncio
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from tidegate.core.frames import MAX_FRAME_BYTES, FrameScan, scan_frames
from tidegate.core.model import UsageEvent
from tidegate.services.log import Log
from tidegate.store.ports import EventRefused, OffsetMoved, SpoolBatch, Store

BATCH_EVENTS: Final = 500
POLL_S: Final = 0.5
_MAX_PAUSE_S: Final = 30.0
_READ_BYTES: Final = 4 * MAX_FRAME_BYTES


class SpoolDrain:
    """Drains every file of a spool directory; one pass at a time in this process."""

    def __init__(self, spool_dir: Path, store: Store, log: Log) -> None:
        self._spool_dir = spool_dir
        self._directory = store.directory
        self._usage = store.usage
        self._log = log
        self._one_pass = threading.Lock()
        self._zones_version = -1
        self._damaged: set[str] = set()  # names of files that are not to be deleted
        self._decoder = msgspec.msgpack.Decoder(UsageEvent)

    async def run(self, stop: asyncio.Event, poll_s: float = POLL_S) -> None:
        """Drain until told to stop, then once more. While the ledger is away the spool grows."""
        pause_s = poll_s
        while True:
            last = stop.is_set()
            try:
                await asyncio.to_thread(self.run_once)
                pause_s = poll_s
            except Exception as fault:  # noqa: BLE001 - the loop outlives whatever ails the ledger
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)
                self._log.error("drain.failed", error=str(fault), retry_s=pause_s)
            if last:
                return
            try:
                await asyncio.wait_for(stop.wait(), pause_s)
            except TimeoutError:
                continue

    def run_once(self) -> int:
        """Move all that the workers have written so far: how many events were new."""
        with self._one_pass:
            self._adopt_zones()
            return sum(self._drain_file(path) for path in sorted(self._spool_dir.glob("*.events")))

    def _adopt_zones(self) -> None:
        """Tell the ledger of organizations' zones before it sums up by them."""
        version = self._directory.version()
        if version != self._zones_version:
            with self._directory.reading() as reads:
                zones = {o.organization_id: o.time_zone for o in reads.organizations()}
            self._usage.adopt_zones(zones)
            self._zones_version = version

    def _drain_file(self, path: Path) -> int:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # another drain was faster
            return 0
        try:
            is_abandoned = _take_lock(descriptor)
            if not _is_there(path, descriptor):
                return 0
            reading = _Reading(path, descriptor)
            moved = self._drain_frames(reading)
            if is_abandoned and not reading.overtaken:
                self._remove(reading)
        finally:
            os.close(descriptor)
        return moved

    def _drain_frames(self, reading: "_Reading") -> int:
        moved = 0
        reading.place = self._usage.offset(reading.path.name)
        for start, scan in reading.parts(BATCH_EVENTS):
            batch = self._batch(reading, start, scan)
            try:
                moved += self._record(reading, batch)
            except OffsetMoved:  # another drain is at this file; the next pass looks again
                reading.overtaken = True
                break
        return moved

    def _batch(self, reading: "_Reading", start: int, scan: FrameScan) -> SpoolBatch:
        events = []
        damaged = scan.damaged
        for payload in scan.payloads:
            try:
                events.append(self._decoder.decode(payload))
            except msgspec.DecodeError:
                damaged += 1
        if damaged:
            self._damaged.add(reading.path.name)
            self._log.error("drain.damaged", file=reading.path.name, at=start, runs=damaged)
        return SpoolBatch(file=reading.path.name, start=start, end=scan.end, events=events)

    def _record(self, reading: "_Reading", batch: SpoolBatch) -> int:
        """Write a batch; an event that the ledger refuses is logged and left out."""
        try:
            return self._usage.record(batch)
        except EventRefused:
            return self._record_singly(reading, batch)

    def _record_singly(self, reading: "_Reading", batch: SpoolBatch) -> int:
        moved = 0
        for index, event in enumerate(batch.events):
            is_last = index == len(batch.events) - 1
            end = batch.end if is_last else batch.start
            single = msgspec.structs.replace(batch, end=end, events=[event])
            try:
                moved += self._usage.record(single)
            except EventRefused as refusal:
                self._damaged.add(reading.path.name)
                self._log.error("drain.refused", event_id=event.event_id, error=str(refusal))
                self._usage.record(msgspec.structs.replace(single, events=[]))
        return moved

    def _remove(self, reading: "_Reading") -> None:
        """Delete a drained file whose writer is gone; a damaged one is kept for inspection."""
        path = reading.path
        if path.name in self._damaged:
            path.rename(path.with_suffix(".damaged"))
        else:
            path.unlink()
        self._damaged.discard(path.name)
        self._usage.forget(path.name)


class _Reading:
    """One pass over one file."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.place = 0
        self.overtaken = False
        self._descriptor = descriptor

    def parts(self, limit: int) -> Iterator[tuple[int, FrameScan]]:
        """Runs of at most `limit` frames, each with its place in the file."""
        while buffer := os.pread(self._descriptor, _READ_BYTES, self.place):
            base, at = self.place, 0
            while (scan := scan_frames(buffer, at, limit)).end > at:
                whole = FrameScan(scan.payloads, base + scan.end, scan.damaged)
                yield base + at, whole
                at = scan.end
            if at == 0:  # a frame that is not whole yet, or never will be
                return
            self.place = base + at


def _take_lock(descriptor: int) -> bool:
    """Whether the file's writer is gone; holds the lock until the descriptor is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_there(path: Path, descriptor: int) -> bool:
    """Whether the file still has its name; another drain may have removed it meanwhile."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
