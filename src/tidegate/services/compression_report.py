"""What compression changes, measured: compressed sessions beside those left out by chance."""

from typing import Final

import msgspec

from tidegate.core.comparison import Difference, SessionGroup, difference, sessions_needed
from tidegate.services.compression_settings import LEVELS
from tidegate.store.ports import Store

DAYS: Final = 90
_DAY_US: Final = 86_400_000_000


class Comparison(msgspec.Struct, frozen=True):
    """Sessions of the last ninety days. Those of keys with compression off are in neither."""

    compressed: SessionGroup
    held_out: SessionGroup
    needed: int | None  # held-out sessions to say anything; None: not even that is known
    difference: Difference | None  # None: too few sessions


class CompressionReports:
    """Reads only."""

    def __init__(self, store: Store) -> None:
        self._team = store.usage.team

    def comparison(self, organization_id: str, now_us: int) -> Comparison:
        """Compare; costs are at list price, whoever pays."""
        found = self._team.session_groups(organization_id, now_us - DAYS * _DAY_US, now_us + 1)
        compressed = sum((found[name] for name in LEVELS if name in found), SessionGroup())
        held_out = found.get("holdout", SessionGroup())
        return Comparison(
            compressed,
            held_out,
            sessions_needed(compressed, held_out),
            difference(compressed, held_out),
        )
