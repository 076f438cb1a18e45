"""The spool's writer: what is in its files when, whose they are, and what a full disk changes."""

import asyncio
import fcntl
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.jobs.events import event

from tidegate.core.frames import scan_frames
from tidegate.core.model import RequestStart, UsageEvent
from tidegate.core.spool_records import ROOM_BYTES, is_start, read_event, read_start
from tidegate.gateway.spool import SpoolFull, SpoolOptions, SpoolWriter

SMALL = SpoolOptions(segment_bytes=4 * ROOM_BYTES)


def start(number: int, **fields: object) -> RequestStart:
    return RequestStart(event(number, **fields), 4000)


def records_in(path: Path) -> list[RequestStart | UsageEvent]:
    scan = scan_frames(path.read_bytes(), allocated=True)
    assert scan.damaged == 0
    return [read_start(p) if is_start(p) else read_event(p) for p in scan.payloads]


def segments(directory: Path) -> list[Path]:
    """Oldest first."""
    found = directory.glob("*.segment")
    return sorted(found, key=lambda path: (path.stat().st_ctime_ns, path.name))


def is_locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def no_space_for(size: int) -> Iterator[None]:
    """What a full disk looks like to one process: no file of so many bytes can be made."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, previous)


def fill(writer: SpoolWriter, first: int = 0) -> int:
    """Begin requests until there is no room: how many there were."""
    for number in range(first, first + 10_000):
        try:
            writer.begin(start(number))
        except SpoolFull:
            return number - first
    raise AssertionError("it never gets full")


def test_starts_and_events_are_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "spool", "w0")
    [path] = (tmp_path / "spool").iterdir()
    writer.begin(start(1))
    assert records_in(path) == [start(1)]
    writer.begin(start(2))
    writer.append(event(1))
    assert records_in(path) == [start(1), start(2), event(1)]
    writer.append(event(3))  # a refusal: it never began
    assert records_in(path) == [start(1), start(2), event(1), event(3)]
    assert path.name.startswith("w0-")
    assert path.suffix == ".segment"
    assert path.stat().st_mode & 0o777 == 0o600
    writer.close()


def test_a_file_has_all_its_blocks_before_it_is_used(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "w0")
    [path] = tmp_path.iterdir()
    assert path.stat().st_size == SpoolOptions().segment_bytes
    assert path.stat().st_blocks * 512 >= SpoolOptions().segment_bytes
    writer.close()


def test_the_lock_is_held_until_close(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "w0")
    [path] = tmp_path.iterdir()
    assert is_locked(path)
    writer.close()
    assert not is_locked(path)


def test_a_file_is_the_writers_until_its_last_request_has_ended(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "w0", SMALL)
    writer.begin(start(0))
    writer.begin(start(1))
    [first] = segments(tmp_path)
    number = 1
    while len(segments(tmp_path)) < 3:
        number += 1
        writer.begin(start(number))
        writer.append(event(number))
    _, second, third = segments(tmp_path)
    assert [is_locked(path) for path in (first, second, third)] == [True, False, True]
    writer.append(event(1))
    assert is_locked(first)
    writer.append(event(0))
    assert not is_locked(first)
    assert records_in(first)[-2:] == [event(1), event(0)]  # beside their starts
    writer.close()


def test_the_next_file_is_made_ahead(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "w0", SMALL)
    writer.tend()
    assert len(segments(tmp_path)) == 2
    writer.tend()
    assert len(segments(tmp_path)) == 2
    with no_space_for(SMALL.segment_bytes):
        assert fill(writer) >= 4  # two files' worth of them
    writer.close()


class Watched(SpoolWriter):
    """Tells its loop when it was tended."""

    def watch(self) -> asyncio.Event:
        self._loop, self.tended = asyncio.get_running_loop(), asyncio.Event()
        return self.tended

    def tend(self) -> None:
        super().tend()
        self._loop.call_soon_threadsafe(self.tended.set)


def test_a_tended_writer_has_the_next_file_as_soon_as_it_took_the_last(tmp_path: Path) -> None:
    async def scenario() -> None:
        writer = Watched(tmp_path, "w0", SMALL)
        tended = writer.watch()
        tending = asyncio.create_task(writer.run())
        number = 0
        for files in range(2, 5):
            await tended.wait()
            tended.clear()
            assert len(segments(tmp_path)) == files
            taken = writer._spare
            while writer._current is not taken:
                number += 1
                writer.begin(start(number))
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)
        writer.close()

    asyncio.run(scenario())


def test_what_has_begun_can_always_end(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "w0", SMALL)
    with no_space_for(SMALL.segment_bytes):
        begun = fill(writer)
        assert begun >= 2
        for number in range(begun):
            longest = {
                name: "ä" * 3000 for name in ("branch", "repository", "commit", "model_asked")
            }
            writer.append(event(number, **longest))
        [path] = segments(tmp_path)
        events = [r for r in records_in(path) if isinstance(r, UsageEvent)]
        assert [e.event_id for e in events] == [event(n).event_id for n in range(begun)]
        assert writer.health().fault
        more = fill(writer, 1000)  # of the room that was kept, and not needed in full
    for number in range(1000, 1000 + more):
        writer.append(event(number))
    writer.tend()
    assert writer.health().fault == ""
    writer.close()


def test_a_writer_that_starts_on_a_full_disk_waits_for_room(tmp_path: Path) -> None:
    with no_space_for(SMALL.segment_bytes):
        writer = SpoolWriter(tmp_path, "w0", SMALL)
        writer.tend()
        with pytest.raises(SpoolFull):
            writer.begin(start(1))
        with pytest.raises(SpoolFull):
            writer.append(event(1))
        assert segments(tmp_path) == []  # a file without blocks is not left behind
    writer.tend()
    writer.begin(start(2))
    writer.close()


def test_the_spool_does_not_grow_beyond_its_limit(tmp_path: Path) -> None:
    limit = 3 * SMALL.segment_bytes
    writer = SpoolWriter(
        tmp_path, "w0", SpoolOptions(segment_bytes=SMALL.segment_bytes, limit_bytes=limit)
    )
    number = 0
    while not (full := "limit" in writer.health().fault) or writer._spare is not None:
        number += 1
        writer.begin(start(number))
        writer.append(event(number))
        writer.tend()
    fill(writer, number)
    assert full
    assert sum(path.stat().st_size for path in segments(tmp_path)) == limit
    assert "limit" in writer.health().fault
    assert writer.health().size_bytes == limit
    segments(tmp_path)[0].unlink()  # as a drain does once the ledger is back
    writer.tend()
    assert fill(writer, 20_000) > 0
    writer.close()


def test_usage_that_waits_for_too_long(tmp_path: Path) -> None:
    now = 1_000.0
    writer = SpoolWriter(tmp_path, "w0", SpoolOptions(limit_age_s=50), clock=lambda: now)
    now = 2_000.0
    writer.tend()
    assert writer.health().age_s == 0  # nothing waits
    writer.begin(start(1))
    now = 2_050.0
    writer.tend()
    assert writer.health().age_s == 50
    writer.begin(start(2))
    now = 2_051.0
    writer.tend()
    with pytest.raises(SpoolFull, match="too long"):
        writer.begin(start(3))
    writer.append(event(1))
    mark = tmp_path / "drained"
    mark.touch()
    os.utime(mark, (2_000.5, 2_000.5))  # before the last write: something may still wait
    writer.tend()
    assert writer.health().age_s == 50.5
    os.utime(mark, (2_052, 2_052))
    writer.tend()
    assert writer.health().age_s == 0
    writer.begin(start(3))
    writer.close()


def test_unmetered_requests_are_counted_without_a_block(tmp_path: Path) -> None:
    with no_space_for(SMALL.segment_bytes):
        writer = SpoolWriter(tmp_path, "w0", SMALL)
        for _ in range(3):
            writer.count_unmetered()
    [path] = tmp_path.glob("*.unmetered")
    assert (path.stat().st_size, path.stat().st_blocks) == (3, 0)
    other = SpoolWriter(tmp_path, "w1", SMALL)
    other.count_unmetered()
    other.tend()
    assert other.health().unmetered == 4
    writer.close()
    other.close()


def test_a_sync_reaches_all_that_was_written_and_closes_what_has_ended(tmp_path: Path) -> None:
    options = SpoolOptions(segment_bytes=SMALL.segment_bytes, sync=True)
    writer = SpoolWriter(tmp_path, "w0", options)
    number = 0
    while len(segments(tmp_path)) < 2:
        number += 1
        writer.begin(start(number))
        writer.append(event(number))
    first, second = segments(tmp_path)
    assert is_locked(first)  # until it is synced
    sync = writer.syncing()
    writer.begin(start(0))
    sync()
    assert [is_locked(first), is_locked(second)] == [False, True]
    writer.close()


def test_what_utf8_cannot_say_is_replaced(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "w0")
    writer.append(event(1, model_asked="half \ud83d of a pair"))
    [path] = tmp_path.iterdir()
    assert records_in(path) == [event(1, model_asked="half ? of a pair")]
    writer.close()


def test_an_absurdly_long_text_is_cut_not_lost(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "w0")
    writer.append(event(1, model_asked="m" * (2 << 20), branch="b" * 3000))
    [path] = tmp_path.iterdir()
    assert records_in(path) == [event(1, model_asked="m" * 2000, branch="b" * 2000)]
    writer.close()
