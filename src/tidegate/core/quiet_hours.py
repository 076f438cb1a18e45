"""Hours in which only what is critical is sent. They follow the clock on the wall, so that a
change of it needs no thought: an hour that comes twice is quiet twice, one that is left out never.
"""

from datetime import tzinfo

import msgspec

from tidegate.core.calendar import local_time


class QuietHours(msgspec.Struct, frozen=True):
    """From and to in minutes since midnight; to may be the next day. Equal: there are none."""

    from_minute: int = 0
    to_minute: int = 0

    def has(self, at_us: int, zone: tzinfo) -> bool:
        """Whether a moment falls into them."""
        local = local_time(at_us, zone)
        minute = local.hour * 60 + local.minute
        if self.from_minute <= self.to_minute:
            return self.from_minute <= minute < self.to_minute
        return minute >= self.from_minute or minute < self.to_minute
