import fcntl
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.unit.jobs.events import event

from tidegate.core.frames import read_frames
from tidegate.core.model import UsageEvent
from tidegate.gateway.spool import SpoolFull, SpoolWriter


def events_in(path: Path) -> list[UsageEvent]:
    payloads, end = read_frames(path.read_bytes())
    assert end == path.stat().st_size
    return [msgspec.msgpack.decode(payload, type=UsageEvent) for payload in payloads]


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
def file_size_limit(size: int) -> Iterator[None]:
    """What a full disk looks like to one process: a write ends short, the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, previous)


def test_events_are_in_the_file_when_append_returns(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "spool", "w0")
    written = [event(number) for number in range(3)]
    [path] = (tmp_path / "spool").iterdir()
    for count, one in enumerate(written, 1):
        writer.append(one)
        assert events_in(path) == written[:count]
    assert path.name.startswith("w0-")
    assert path.suffix == ".events"
    assert path.stat().st_mode & 0o777 == 0o600
    writer.close()


def test_the_lock_is_held_until_close(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "w0")
    [path] = tmp_path.iterdir()
    assert is_locked(path)
    writer.close()
    assert not is_locked(path)


def test_a_large_file_is_left_for_a_new_one(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "w0", rotate_bytes=400)
    for number in range(6):
        writer.append(event(number))
    files = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert len(files) > 1
    assert [e.event_id for path in files for e in events_in(path)] == [
        event(number).event_id for number in range(6)
    ]
    assert [is_locked(path) for path in files] == [False] * (len(files) - 1) + [True]
    writer.close()


@pytest.mark.parametrize("room", [0, 1, 11, 12, 100])
def test_without_space_for_a_whole_event_nothing_is_written(tmp_path: Path, room: int) -> None:
    writer = SpoolWriter(tmp_path, "w0")
    writer.append(event(1))
    [path] = tmp_path.iterdir()
    with file_size_limit(path.stat().st_size + room), pytest.raises(SpoolFull):
        writer.append(event(2))
    assert events_in(path) == [event(1)]
    writer.append(event(3))
    assert events_in(path) == [event(1), event(3)]
    writer.close()


def test_what_utf8_cannot_say_is_replaced(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "w0")
    writer.append(event(1, model_asked="half \ud83d of a pair"))
    [path] = tmp_path.iterdir()
    assert events_in(path) == [event(1, model_asked="half ? of a pair")]
    writer.close()


def test_an_absurdly_long_text_is_cut_not_lost(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "w0")
    writer.append(event(1, model_asked="m" * (2 << 20), branch="b" * 3000))
    [path] = tmp_path.iterdir()
    assert events_in(path) == [event(1, model_asked="m" * 2000, branch="b" * 2000)]
    writer.close()
