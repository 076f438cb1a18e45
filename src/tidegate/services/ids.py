"""Ids: a prefix that says what it names, then a UUIDv7 in hex, so that ids sort by their time."""

import secrets
import time


def new_id(prefix: str) -> str:
    """A new id such as `key_0190a1b2…`."""
    at_ms = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    value = (at_ms & (1 << 48) - 1) << 80 | 7 << 76 | (random >> 62) << 64 | 0b10 << 62
    return f"{prefix}_{value | random & (1 << 62) - 1:032x}"
