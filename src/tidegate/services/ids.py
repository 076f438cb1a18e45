"""Ids: a prefix that says what it names, then a UUIDv7 in hex, so that ids sort by their time."""

import secrets
import time
from typing import Final

_MS: Final = 1_000_000  # in nanoseconds


def new_id(prefix: str) -> str:
    """A new id such as `key_0190a1b2…`.

    The twelve bits behind the milliseconds hold their fraction, so that what one process does in
    turn sorts in turn: a quarter of a microsecond apart is enough.
    """
    at_ms, rest_ns = divmod(time.time_ns(), _MS)
    fraction = (rest_ns << 12) // _MS
    value = (at_ms & (1 << 48) - 1) << 80 | 7 << 76 | fraction << 64 | 0b10 << 62
    return f"{prefix}_{value | secrets.randbits(62):032x}"
