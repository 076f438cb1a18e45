"""Passwords at rest: Argon2id, a few at a time."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from tidegate.services.errors import TooMany

_AT_ONCE: Final = 2
_WAITING: Final = 10
_BUSY_S: Final = 10
_MAX_CHARS: Final = 256
_NOBODY: Final = "nobody has this password"


class PasswordHashing:
    """Hashes and compares. By default a comparison costs about 50 ms and 19 MiB.

    At most two run at once and ten wait, so that a flood of attempts takes neither the cores, nor
    the memory, nor the threads that serve everyone else. Beyond that it is TooMany.
    """

    def __init__(self, *, rounds: int = 3, memory_kib: int = 19_456) -> None:
        self._hasher = PasswordHasher(
            time_cost=rounds, memory_cost=memory_kib, parallelism=1, type=Type.ID
        )
        self._places = BoundedSemaphore(_AT_ONCE + _WAITING)
        self._turns = BoundedSemaphore(_AT_ONCE)
        self._nobodys = self._hasher.hash(_NOBODY)

    def hash(self, password: str) -> str:
        """What is stored of a password."""
        with self._turn():
            return self._hasher.hash(_encoded(password))

    def matches(self, password_hash: str, password: str) -> bool:
        """Whether it is the password; the same work is done when there is none."""
        possible = bool(password_hash) and 0 < len(password) <= _MAX_CHARS
        with self._turn():
            try:
                self._hasher.verify(
                    password_hash if possible else self._nobodys,
                    _encoded(password if possible else "no password"),
                )
            except (VerificationError, InvalidHashError):
                return False
        return possible

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made by another release with other costs."""
        return self._hasher.check_needs_rehash(password_hash)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise TooMany(_BUSY_S)
        try:
            with self._turns:
                yield
        finally:
            self._places.release()


STANDARD: Final = PasswordHashing()


def _encoded(password: str) -> bytes:
    """The same bytes from every keyboard."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
