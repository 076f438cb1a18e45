"""The data directory, its lock, and the runtime directory."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.wiring import runtime_dir
from tidegate.wiring.data_dir import open_data_dir
from tidegate.wiring.lock import FILE_NAME, DirectoryLock, Note, read_note
from tidegate.wiring.orders import StartFailed
from tidegate.wiring.runtime_dir import RuntimeDirectory, remove_stale


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_data_dir_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "deep/data"
    open_data_dir(path)
    assert mode_of(path) == 0o700
    assert mode_of(path / "spool") == 0o700


def test_an_empty_or_own_directory_is_tightened(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.mkdir(mode=0o755)
    path.chmod(0o755)
    open_data_dir(path)
    assert mode_of(path) == 0o700
    (path / FILE_NAME).touch()
    path.chmod(0o750)
    open_data_dir(path)
    assert mode_of(path) == 0o700


def test_somebody_elses_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(StartFailed, match="chmod 700"):
        open_data_dir(tmp_path)
    assert mode_of(tmp_path) == 0o755
    with pytest.raises(StartFailed, match="File exists"):
        open_data_dir(tmp_path / "precious")


def test_the_lock_refuses_a_second_holder_naming_directory_and_process(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path) as lock:
        lock.write(Note(os.getpid(), "http://127.0.0.1:4180"))
        with pytest.raises(StartFailed) as caught, DirectoryLock(tmp_path):
            pass
        assert str(tmp_path) in str(caught.value)
        assert f"process {os.getpid()}" in str(caught.value)
        assert mode_of(tmp_path / FILE_NAME) == 0o600
    with DirectoryLock(tmp_path):
        assert read_note(tmp_path) == Note(os.getpid())


def test_the_note_outlives_the_lock(tmp_path: Path) -> None:
    assert read_note(tmp_path) is None
    with DirectoryLock(tmp_path) as lock:
        lock.write(Note(1234567, "https://a-rather-long-name.example"))
        lock.write(Note(7, "http://b"))
    assert read_note(tmp_path) == Note(7, "http://b")
    (tmp_path / FILE_NAME).write_text("{")
    assert read_note(tmp_path) is None


def test_a_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with DirectoryLock(tmp_path):
        assert child.poll() is None
    child.communicate(b"\n")


@pytest.fixture
def base() -> Iterator[Path]:
    """A directory whose path is short enough for Unix sockets in it."""
    path = Path(tempfile.mkdtemp(prefix="tg-"))
    yield path
    shutil.rmtree(path)


def test_runtime_dir_is_private_and_removed(base: Path) -> None:
    runtime = RuntimeDirectory(base)
    assert mode_of(runtime.path) == 0o700
    assert runtime.console_socket.parent == runtime.path
    runtime.close()
    assert list(base.iterdir()) == []


def test_stale_directories_are_removed_and_used_ones_kept(base: Path) -> None:
    prefix = f"tidegate-{os.geteuid()}-"
    stale, used = (Path(tempfile.mkdtemp(prefix=prefix, dir=base)) for _ in range(2))
    foreign = base / "tidegate-other"
    foreign.mkdir()
    os.close(runtime_dir.hold(stale))
    held = runtime_dir.hold(used)
    remove_stale(base, prefix)
    assert set(base.iterdir()) == {used, foreign}
    os.close(held)
    RuntimeDirectory(base).close()
    assert list(base.iterdir()) == [foreign]


def test_a_base_too_long_for_a_socket_is_not_used(tmp_path: Path) -> None:
    runtime = RuntimeDirectory(tmp_path / ("x" * 80))
    try:
        assert runtime.path.parent == Path("/tmp")
    finally:
        runtime.close()
        shutil.rmtree(runtime.path, ignore_errors=True)
