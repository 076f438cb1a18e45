"""The requests of a session as they are drawn: agent by agent, along the time."""

from typing import NamedTuple, Protocol

import msgspec


class Lane(NamedTuple):
    """An agent of a session: the main one has no sub-agent's id, and the root's session."""

    session_id: str
    subagent_id: str


class LaneMark(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of an agent that began in one slot of the time."""

    lane: Lane
    slot: int
    start_us: int  # of the first
    end_us: int  # of the last to end
    requests: int
    failed: int
    compressed: int  # requests with results that compression made shorter
    tokens: int
    cost_nusd: int
    event_id: str  # the first


class SessionLanes(msgspec.Struct, frozen=True, kw_only=True):
    """However many requests there were, a lane has a mark per slot at most."""

    start_us: int = 0
    end_us: int = 0
    slot_us: int = 1
    waiting_us: int = 0  # the time that all requests took together
    marks: tuple[LaneMark, ...] = ()  # by lane and time


class LaneReads(Protocol):
    def lanes(self, organization_id: str, session_id: str, slots: int) -> SessionLanes:
        """Of a session and its sub-agents, without requests for titles."""
        ...
