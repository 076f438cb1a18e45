import fcntl
import os
import threading
from pathlib import Path

from tidegate.store.file_locks import is_there, make_locked, opened, take_lock


def test_a_lock_is_held_until_its_descriptor_is_closed(tmp_path: Path) -> None:
    path, writer = make_locked(tmp_path, "some-*.part", "w1")
    reader = os.open(path, os.O_RDONLY)

    assert not take_lock(reader)
    os.close(writer)
    assert take_lock(reader)
    os.close(reader)


def test_a_new_file_is_named_after_its_writer_and_opened_as_told(tmp_path: Path) -> None:
    first, appending = make_locked(tmp_path, "some-*.part", "w1", os.O_APPEND)
    second, plain = make_locked(tmp_path, "some-*.part", "w1")

    assert {*tmp_path.glob("some-w1-*.part")} == {first, second}
    assert first.stat().st_mode & 0o777 == 0o600
    assert fcntl.fcntl(appending, fcntl.F_GETFL) & os.O_APPEND
    assert not fcntl.fcntl(plain, fcntl.F_GETFL) & os.O_APPEND
    for descriptor in (appending, plain):
        os.close(descriptor)


def test_a_file_that_was_removed_or_replaced_is_not_there(tmp_path: Path) -> None:
    path, descriptor = make_locked(tmp_path, "*.part", "w1")
    assert is_there(path, descriptor)

    path.unlink()
    assert not is_there(path, descriptor)
    path.touch()
    assert not is_there(path, descriptor)
    os.close(descriptor)


def test_a_file_is_opened_with_whether_its_writer_is_gone(tmp_path: Path) -> None:
    path, writer = make_locked(tmp_path, "*.part", "w1")
    with opened(path) as found:
        assert found
        assert not found[1]
    os.close(writer)
    with opened(path) as found, opened(path) as another:
        assert found
        assert found[1]
        assert another
        assert not another[1]
    path.unlink()
    with opened(path) as found:
        assert found is None


def test_a_new_file_outlives_a_reader_that_deletes_what_nobody_holds(tmp_path: Path) -> None:
    done = threading.Event()

    def delete_abandoned() -> None:
        while not done.is_set():
            for path in tmp_path.glob("*.part"):
                with opened(path) as found:
                    if found and found[1]:
                        path.unlink()

    reader = threading.Thread(target=delete_abandoned)
    reader.start()
    made = [make_locked(tmp_path, "*.part", "w1") for _ in range(200)]
    done.set()
    reader.join()

    assert all(is_there(path, descriptor) for path, descriptor in made)
    for _, descriptor in made:
        os.close(descriptor)
