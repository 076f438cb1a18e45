"""Tokens are counted by another process; when it is not there, nobody waits or fails."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tidegate.gateway.token_counter import LENGTH, TokenCounter, received_message

pytestmark = pytest.mark.slow

PROCESS = (sys.executable, "-P", "-m", "tidegate.wiring.token_process")
TEXTS = ["", "hello world", "    1→x = “tide”\n" * 500, "\0\u202e🌊"]
COUNTS = [0, 2, 5000, 4]


@pytest.fixture(autouse=True)
def all_have_ended() -> Iterator[None]:
    """No process of a test outlives it."""
    yield
    join_started()


def join_started() -> None:
    """Wait for the end of all that counters started."""
    for thread in threading.enumerate():
        if thread.name == "reap":
            thread.join(20)
            assert not thread.is_alive()


def test_workers_share_a_process_that_ends_with_the_last_of_them(tmp_path: Path) -> None:
    path = tmp_path / "tokens.sock"
    running = subprocess.Popen([*PROCESS, str(path)])
    one, two = TokenCounter(path, PROCESS), TokenCounter(path, PROCESS)
    found: list[list[int] | None] = []
    threads = [
        threading.Thread(target=lambda counter=counter: found.append(counter(TEXTS)))
        for counter in (one, two, one, two)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [COUNTS] * 4
    one.close()
    assert two(TEXTS) == COUNTS
    two.close()
    assert running.wait(20) == 0
    join_started()  # one of theirs may have been the first to listen
    assert not path.exists()


def test_the_first_who_asks_starts_it_and_a_socket_left_over_is_no_hindrance(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tokens.sock"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    counter = TokenCounter(path, PROCESS)
    assert counter(["hello world"]) == [2]
    counter.close()
    assert counter(["hello world"]) is None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.sock"


Answer = Callable[[bytes], bytes]


@pytest.fixture
def odd_process(path: Path, request: pytest.FixtureRequest) -> Iterator[list[bytes]]:
    """Answers one question in a way of its own, and hangs up."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    asked: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        listener.close()
        with connection:
            asked.append(received_message(connection))
            connection.sendall(request.param)

    thread = threading.Thread(target=serve)
    thread.start()
    yield asked
    thread.join()


def framed(value: object) -> bytes:
    content = msgspec.msgpack.encode(value)
    return LENGTH.pack(len(content)) + content


@pytest.mark.parametrize(
    "odd_process",
    [b"", b"\0\0\0\5ab", framed([1]), framed(["a", "b"]), framed({"a": 1}), b"\0\0\0\1\xc1"],
    indirect=True,
)
def test_after_an_odd_answer_it_is_left_alone_for_a_while(
    odd_process: list[bytes], path: Path
) -> None:
    counter = TokenCounter(path, ("/nonexistent",))
    assert counter(["a", "b"]) is None
    assert counter(["a", "b"]) is None
    assert odd_process == [msgspec.msgpack.encode(["a", "b"])]
    counter.close()


def test_a_program_that_cannot_be_started_is_not_waited_for(path: Path) -> None:
    counter = TokenCounter(path, ("/nonexistent",))
    assert counter(["a"]) is None
    counter.close()
