"""Captures are moved from the workers' files into the store, each once, whatever happens."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.services.world import DAY_US, World

from tidegate.core.capture_records import SealedCapture, capture_frames
from tidegate.core.captures import Capture, Part, pack, unpack
from tidegate.jobs.captures import CaptureImport
from tidegate.services.log import NoLog
from tidegate.services.vault import seal_capture, unseal_capture

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("store"))
    yield made
    made.store.close()


@pytest.fixture
def importing(world: World, tmp_path: Path) -> CaptureImport:
    return importer(world, tmp_path)


def importer(world: World, tmp_path: Path, **options: int) -> CaptureImport:
    return CaptureImport(
        tmp_path, world.store, world.subkeys.capture, NoLog(), clock=world.clock, **options
    )


def captured(event_id: str, body: bytes = b"{}") -> Capture:
    part = Part([("a", "b")], body)
    return Capture(event_id, "POST", "/v1/messages", part, part, 200, Part(body=b"said"))


def frames(world: World, event_id: str, body: bytes = b"{}", *, age_us: int = 0) -> bytes:
    organization_id = world.organization_id
    packed = pack(captured(event_id, body))
    sealed = SealedCapture(
        event_id=event_id,
        organization_id=organization_id,
        key_id="key_1",
        member_id="mem_1",
        at_us=world.clock.now_us - age_us,
        truncated=False,
        ciphertext=seal_capture(world.subkeys.capture, organization_id, event_id, packed),
    )
    return b"".join(capture_frames(sealed))


def read(world: World, event_id: str) -> Capture | None:
    organization_id = world.organization_id
    stored = world.store.usage.captures.capture(organization_id, event_id)
    if stored is None:
        return None
    return unpack(
        unseal_capture(world.subkeys.capture, organization_id, event_id, stored.ciphertext)
    )


def test_an_abandoned_file_is_moved_and_deleted(
    world: World, importing: CaptureImport, tmp_path: Path
) -> None:
    path = tmp_path / "captures-w-1.frames"
    path.write_bytes(frames(world, "req_1") + frames(world, "req_2", b"x" * (3 << 20)))
    assert importing.run_once() == 2
    assert not path.exists()
    assert read(world, "req_1") == captured("req_1")
    assert read(world, "req_2") == captured("req_2", b"x" * (3 << 20))
    stored = world.store.usage.captures.capture(world.organization_id, "req_2")
    assert stored is not None
    assert stored.size_bytes == len(stored.ciphertext) < 100_000  # compressed
    assert stored.expires_us == world.clock.now_us + 3 * DAY_US
    assert importing.run_once() == 0


def test_a_file_in_use_is_read_as_it_grows(
    world: World, importing: CaptureImport, tmp_path: Path
) -> None:
    path = tmp_path / "captures-w-1.frames"
    whole = frames(world, "req_1") + frames(world, "req_2", b"y" * (2 << 20))
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    moved = 0
    for at in range(0, len(whole), 300_001):
        os.write(descriptor, whole[at : at + 300_001])
        moved += importing.run_once()
    assert moved == 2
    assert path.exists()
    os.close(descriptor)
    assert importing.run_once() == 0
    assert not path.exists()
    assert read(world, "req_2") == captured("req_2", b"y" * (2 << 20))


def test_moving_twice_changes_nothing(world: World, tmp_path: Path) -> None:
    path = tmp_path / "captures-w-1.frames"
    for _ in range(2):
        path.write_bytes(frames(world, "req_1"))
        importer(world, tmp_path).run_once()
    assert world.store.usage.captures.captures_count(world.organization_id) == 1


def test_a_torn_tail_and_damage_are_ignored(
    world: World, importing: CaptureImport, tmp_path: Path
) -> None:
    first, second, third = (frames(world, f"req_{n}") for n in (1, 2, 3))
    (tmp_path / "captures-w-1.frames").write_bytes(first + second[:-10])
    (tmp_path / "captures-w-2.frames").write_bytes(second[:30] + b"\0" * 50 + third + b"garbage")
    importing.run_once()
    assert read(world, "req_1") is not None
    assert read(world, "req_2") is None
    assert read(world, "req_3") is not None
    assert list(tmp_path.iterdir()) == []


def test_damage_within_a_capture_is_noticed_though_no_checksum_covers_it(
    world: World, importing: CaptureImport, tmp_path: Path
) -> None:
    first, second = frames(world, "req_1"), frames(world, "req_2")
    at = len(first) - 100
    damaged = first[:at] + bytes([first[at] ^ 1]) + first[at + 1 :]
    (tmp_path / "captures-w-1.frames").write_bytes(damaged + second)
    importing.run_once()
    assert read(world, "req_1") is None
    assert read(world, "req_2") is not None


def test_what_is_too_old_or_of_another_master_key_is_not_kept(
    world: World, importing: CaptureImport, tmp_path: Path
) -> None:
    content = frames(world, "req_old", age_us=4 * DAY_US)
    (tmp_path / "captures-w-1.frames").write_bytes(content + frames(world, "req_new"))
    assert importing.run_once() == 1
    (tmp_path / "captures-w-1.frames").write_bytes(frames(world, "req_2"))
    other = CaptureImport(tmp_path, world.store, b"o" * 32, NoLog(), clock=world.clock)
    assert other.run_once() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_loses_captures(world: World, tmp_path: Path) -> None:
    (tmp_path / "captures-w-1.frames").write_bytes(frames(world, "req_1"))
    assert importer(world, tmp_path, free_bytes=1 << 62).run_once() == 0
    assert list(tmp_path.iterdir()) == []
    assert read(world, "req_1") is None
