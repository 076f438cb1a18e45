"""Comparing compressed sessions with those that were left out by chance.

Sessions differ by far more than compression changes them, so a difference is only told together
with how uncertain it is, and not at all while there are too few sessions.
"""

import math
from typing import Final

import msgspec

LEAST_SESSIONS: Final = 30  # of each kind; of fewer a spread is not known
EFFECT: Final = 0.1  # the difference that enough sessions would show
_SURE: Final = 1.96  # 95 of 100
_FOUND: Final = 0.84  # and found in 80 of 100


class SessionGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions that had one kind of compression, and what their requests add up to."""

    sessions: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    cache_read_tokens: int = 0
    cost_nusd: int = 0
    means: float = 0.0  # sum of each session's mean cost of a request, in nUSD
    squares: float = 0.0  # sum of those squared

    def __add__(self, other: "SessionGroup") -> "SessionGroup":
        return SessionGroup(
            **{name: getattr(self, name) + getattr(other, name) for name in _FIELDS}
        )

    @property
    def mean(self) -> float:
        """A session's mean cost of a request, on the average of all sessions."""
        return self.means / self.sessions if self.sessions else 0.0

    @property
    def variance(self) -> float:
        """How far sessions lie from that, squared."""
        if self.sessions < 2:
            return 0.0
        return max(0.0, (self.squares - self.sessions * self.mean**2) / (self.sessions - 1))


_FIELDS: Final = SessionGroup.__struct_fields__


class Difference(msgspec.Struct, frozen=True):
    """How much less a compressed request costs, as a share; the truth lies within the bounds in
    95 of 100 cases."""

    share: float
    least: float
    most: float


def sessions_needed(compressed: SessionGroup, held_out: SessionGroup) -> int | None:
    """How many held-out sessions show a difference of a tenth; None: nobody can say yet.

    As many compressed ones are supposed to be there.
    """
    both = compressed + held_out
    if both.sessions < LEAST_SESSIONS or not both.mean:
        return None
    steps = (_SURE + _FOUND) * math.sqrt(2 * both.variance) / (EFFECT * both.mean)
    return max(LEAST_SESSIONS, math.ceil(steps**2))


def difference(compressed: SessionGroup, held_out: SessionGroup) -> Difference | None:
    """What compression changed; None while there are too few sessions to say."""
    needed = sessions_needed(compressed, held_out)
    if needed is None or min(compressed.sessions, held_out.sessions) < needed:
        return None
    error = math.sqrt(
        compressed.variance / compressed.sessions + held_out.variance / held_out.sessions
    )
    saved = held_out.mean - compressed.mean
    bounds = (saved, saved - _SURE * error, saved + _SURE * error)
    return Difference(*(each / held_out.mean for each in bounds))
