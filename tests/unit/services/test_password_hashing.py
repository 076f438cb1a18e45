import contextlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from tests.unit.services.world import CHEAP

from tidegate.services.errors import TooMany
from tidegate.services.password_hashing import STANDARD, PasswordHashing


def test_only_the_password_matches() -> None:
    stored = CHEAP.hash("correct horse")
    assert stored != CHEAP.hash("correct horse")
    assert CHEAP.matches(stored, "correct horse")
    for wrong in ("correct horse ", "Correct horse", "", stored, "no password"):
        assert not CHEAP.matches(stored, wrong)


@pytest.mark.parametrize("stored", ["", "x", "$argon2id$v=19$", "nobody has this password"])
@pytest.mark.parametrize("password", ["", "no password", "nobody has this password", "x" * 257])
def test_nothing_matches_what_is_no_hash(stored: str, password: str) -> None:
    assert not CHEAP.matches(stored, password)


def test_the_costs_are_those_that_are_recommended() -> None:
    assert STANDARD.hash("x").startswith("$argon2id$v=19$m=19456,t=3,p=1$")
    assert STANDARD.is_outdated(CHEAP.hash("x"))
    assert not STANDARD.is_outdated(STANDARD.hash("x"))


def test_the_longest_password_counts_to_its_end() -> None:
    hashing = PasswordHashing(rounds=1, memory_kib=8)
    stored = hashing.hash("é" * 256)
    assert hashing.matches(stored, "é" * 256)
    assert not hashing.matches(stored, "é" * 255 + "e")


def test_a_flood_is_turned_away_and_leaves_nothing_taken() -> None:
    hashing = PasswordHashing(rounds=1, memory_kib=4096)
    stored, barrier = hashing.hash("right"), Barrier(40)

    def attempt(_n: int) -> str:
        barrier.wait()
        try:
            return str(hashing.matches(stored, "right"))
        except TooMany as refused:
            return refused.message

    with ThreadPoolExecutor(40) as pool:
        answers = set(pool.map(attempt, range(40)))
    assert answers <= {"True", "Too many attempts. Wait a minute, then try again."}
    assert "True" in answers
    for _ in range(20):
        assert hashing.matches(stored, "right")


def test_more_than_may_wait_are_turned_away() -> None:
    """Whoever has a turn, here for ever, is waited for by ten only."""
    hashing = PasswordHashing(rounds=1, memory_kib=8)
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(hashing._turn())
        for _ in range(10):
            assert hashing._places.acquire(blocking=False)
        with pytest.raises(TooMany):
            hashing.matches("", "right")
