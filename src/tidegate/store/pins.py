"""What each session is compressed with: stored once, before the first byte that depends on it."""

from typing import Protocol

import msgspec


class Pin(msgspec.Struct, frozen=True):
    """A level of compression, "off" or "holdout", and the version of the engine."""

    level: str
    version: int = 0


class PinStore(Protocol):
    def pin(
        self, organization_id: str, session_id: str, wanted: Pin, started_us: int
    ) -> tuple[Pin, bool]:
        """What the session is pinned to, and whether only now: as stored, or else as wanted.

        A session of which there are requests of before `started_us`, but no pin, went uncompressed
        until now: it stays so.
        """
        ...

    def give_up(self, organization_id: str, session_id: str, pin: Pin) -> None:
        """Turn a pin that nothing was sent by yet to off."""
        ...
