"""Moves usage events from the workers' spool files into the ledger.

A file's place is committed with the rows read from it, and the ledger knows every event by its
id, so that any number of drains, a crash at any moment and a repeated pass end in the same rows.

A file that nobody holds locked has no living writer. What was begun in it and did not end is
recorded as crashed; the same start always makes the same event, so this may be repeated too.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from tidegate.core.crash import crashed_event
from tidegate.core.frames import MAX_FRAME_BYTES, FrameScan, scan_frames
from tidegate.core.pricing import PriceBook
from tidegate.core.spool_records import is_start, read_event, read_start, unfinished
from tidegate.jobs.passes import to_the_end
from tidegate.jobs.releases import Releases
from tidegate.services.log import Log
from tidegate.store.file_locks import opened
from tidegate.store.ports import EventRefused, OffsetMoved, SpoolBatch, Store

BATCH_EVENTS: Final = 500
POLL_S: Final = 0.5
_READ_BYTES: Final = 4 * MAX_FRAME_BYTES
_READ_LIVE_BYTES: Final = 256 << 10  # of a file that is allocated ahead: most of it is zeros
_TOLD_IDS: Final = 20
_SEGMENT: Final = ".segment"
_SUFFIXES: Final = (_SEGMENT, ".events")  # the latter is how 0.1.0 wrote: events only, no zeros
_DRAINED: Final = "drained"  # its time says up to when the ledger has it all


PRead = Callable[[int, int, int], bytes]  # descriptor, size, place


def unmetered_in(spool_dir: Path) -> int:
    """How many requests went on unrecorded: the sizes of the files that count them."""
    return sum(path.stat().st_size for path in spool_dir.glob("*.unmetered"))


class SpoolDrain:
    """Drains every file of a spool directory; one pass at a time in this process."""

    _pread: PRead = staticmethod(os.pread)

    def __init__(
        self, spool_dir: Path, store: Store, log: Log, prices: Callable[[], PriceBook]
    ) -> None:
        self._spool_dir = spool_dir
        self._prices = prices  # asked for only when something has crashed
        self._directory = store.directory
        self._usage = store.usage
        self._releases = Releases(spool_dir, store.holds, log)
        self._log = log
        self._one_pass = threading.Lock()
        self._began_us = time.time_ns() // 1000
        self._zones_version = -1
        self._overtaken = False
        self._damaged: set[str] = set()  # names of files that are not to be deleted

    async def run(self, stop: asyncio.Event, poll_s: float = POLL_S) -> None:
        """Drain until told to stop, then once more. While the ledger is away the spool grows."""
        await to_the_end(stop, poll_s, self.run_once, "drain.failed", self._log)

    def run_once(self) -> int:
        """Move all that the workers have written so far: how many events were new."""
        with self._one_pass:
            began = time.time()
            self._overtaken = False
            self._adopt_zones()
            with self._releases.one_pass() as sweep:
                paths = [p for p in self._spool_dir.iterdir() if p.suffix in _SUFFIXES]
                moved = sum(self._drain_file(path) for path in sorted(paths))
                if not self._overtaken:
                    self._mark_drained(began)
                    sweep()
            return moved

    def behind_us(self, now_us: int) -> int:
        """How long ago it was that the ledger had all that was written until then; of the time
        before there was a drain nothing is said."""
        marked_us = 0
        with contextlib.suppress(FileNotFoundError):  # nothing was ever drained here
            marked_us = (self._spool_dir / _DRAINED).stat().st_mtime_ns // 1000
        return max(0, now_us - max(marked_us, self._began_us))

    def _mark_drained(self, at: float) -> None:
        """Tell the writers that what they wrote before `at` is in the ledger."""
        with contextlib.suppress(OSError):  # a disk without room for a file's name
            mark = self._spool_dir / _DRAINED
            mark.touch(mode=0o600)
            os.utime(mark, (at, at))

    def _adopt_zones(self) -> None:
        """Tell the ledger of organizations' zones before it sums up by them."""
        version = self._directory.version()
        if version != self._zones_version:
            with self._directory.reading() as reads:
                zones = {o.organization_id: o.time_zone for o in reads.organizations()}
            self._usage.adopt_zones(zones)
            self._zones_version = version

    def _drain_file(self, path: Path) -> int:
        with opened(path) as found:
            if found is None:
                return 0
            descriptor, is_abandoned = found
            reading = _Reading(path, descriptor, self._pread, is_live=not is_abandoned)
            moved = self._drain_frames(reading)
            if is_abandoned and not reading.overtaken:
                moved += self._record_crashed(reading)
            if is_abandoned and not reading.overtaken:
                self._remove(reading)
            self._overtaken |= reading.overtaken
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

    def _record_crashed(self, reading: "_Reading") -> int:
        """Record what was begun in an abandoned file and did not end."""
        if reading.path.suffix != _SEGMENT or not (starts := unfinished(reading.payloads())):
            return 0
        book = self._prices()
        events = []
        for payload in starts:
            try:
                events.append(crashed_event(read_start(payload), book))
            except (msgspec.DecodeError, ValueError) as fault:
                self._damaged.add(reading.path.name)
                self._log.error("drain.damaged", file=reading.path.name, error=str(fault))
        self._log.warning(
            "drain.crashed",
            file=reading.path.name,
            requests=len(events),
            request_ids=[event.event_id for event in events[:_TOLD_IDS]],
        )
        place, moved = reading.place, 0
        for at in range(0, len(events), BATCH_EVENTS):
            some = events[at : at + BATCH_EVENTS]
            batch = SpoolBatch(file=reading.path.name, start=place, end=place, events=some)
            try:
                moved += self._record(reading, batch)
            except OffsetMoved:
                reading.overtaken = True
                break
        return moved

    def _batch(self, reading: "_Reading", start: int, scan: FrameScan) -> SpoolBatch:
        events = []
        damaged = scan.damaged
        for payload in scan.payloads:
            try:
                if not is_start(payload):
                    events.append(read_event(payload))
            except msgspec.DecodeError:
                damaged += 1
        if damaged:
            self._damaged.add(reading.path.name)
            self._log.error("drain.damaged", file=reading.path.name, at=start, runs=damaged)
        return SpoolBatch(file=reading.path.name, start=start, end=scan.end, events=events)

    def _record(self, reading: "_Reading", batch: SpoolBatch) -> int:
        """Write a batch; an event that the ledger refuses is logged and left out."""
        try:
            return self._recorded(batch)
        except EventRefused:
            return self._record_singly(reading, batch)

    def _recorded(self, batch: SpoolBatch) -> int:
        moved = self._usage.record(batch)
        self._releases.recorded(batch.events)
        for event in batch.events:
            self._log.debug("drain.recorded", request_id=event.event_id)
        return moved

    def _record_singly(self, reading: "_Reading", batch: SpoolBatch) -> int:
        moved = 0
        for index, event in enumerate(batch.events):
            is_last = index == len(batch.events) - 1
            end = batch.end if is_last else batch.start
            single = msgspec.structs.replace(batch, end=end, events=[event])
            try:
                moved += self._recorded(single)
            except EventRefused as refusal:
                self._damaged.add(reading.path.name)
                self._log.error("drain.refused", request_id=event.event_id, error=str(refusal))
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

    def __init__(self, path: Path, descriptor: int, pread: PRead, *, is_live: bool) -> None:
        self.path = path
        self._pread = pread
        self.place = 0
        self.overtaken = False
        self._descriptor = descriptor
        self._allocated = path.suffix == _SEGMENT
        self._is_live = is_live

    def parts(self, limit: int) -> Iterator[tuple[int, FrameScan]]:
        """Runs of at most `limit` frames, each with its place in the file."""
        while buffer := self._read(self.place):
            base, at = self.place, 0
            while (scan := self._scan(buffer, base, at, limit)).end > at:
                whole = FrameScan(scan.payloads, base + scan.end, scan.damaged)
                yield base + at, whole
                at = scan.end
            if at == 0:  # a frame that is not whole yet, or never will be
                return
            self.place = base + at

    def payloads(self) -> list[bytes]:
        """All that is in the file, from its beginning."""
        return scan_frames(self._read(0), allocated=True).payloads

    def _scan(self, buffer: bytes, base: int, at: int, limit: int) -> FrameScan:
        scan = scan_frames(buffer, at, limit, allocated=self._allocated)
        if scan.damaged and self._allocated and self._is_live:
            # A read may see a later write and not an earlier one; the second read sees both.
            again = self._pread(self._descriptor, len(buffer), base)
            scan = scan_frames(again, at, limit, allocated=True)
        return scan

    def _read(self, place: int) -> bytes:
        """From `place` on: as much as is worth it, of a dead writer's segment all."""
        if not self._allocated:
            return self._pread(self._descriptor, _READ_BYTES, place)
        if self._is_live:
            return self._pread(self._descriptor, _READ_LIVE_BYTES, place)
        size = os.fstat(self._descriptor).st_size
        return self._pread(self._descriptor, size - place, place)
