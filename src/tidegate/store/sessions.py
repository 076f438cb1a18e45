"""What sessions worked on, and what may be asked of them.

A session here is a root: a sub-agent with a session of its own belongs to the session that began
it, and its id stands for the root's everywhere. Which repository and pull request a request counts
for follows from the session's links, see core/attribution.py.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

import msgspec

from tidegate.core.attribution import TimedLink
from tidegate.core.model import Cost, Link, TokenCounts, ToolSaving
from tidegate.store.log import LogRow, Place

MOST_MARKS: Final = 2000
"""Of a timeline, however many requests there were."""


class PendingCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of one of our tools whose session is not known yet.

    It is resolved by the first request of the key that shows the call: by its id, else by the
    tool and the arguments. One that names its session waits for that session's first request.
    """

    pending_id: str
    organization_id: str
    key_id: str
    launch_id: str = ""
    session_id: str = ""
    call_id: str = ""
    tool: str
    digest: str
    at_us: int
    links: tuple[Link, ...] = ()
    name: str = ""  # what to call the session


class LinkStore(Protocol):
    """Every change moves what it must of the ledger and its sums in its own transaction."""

    def add(self, organization_id: str, session_id: str, links: Sequence[TimedLink]) -> int:
        """Note what a session worked on: how many links said something new."""
        ...

    def correct(
        self,
        organization_id: str,
        session_id: str,
        kind: str,
        value: str,
        *,
        at_us: int,
        member_id: str,
    ) -> bool:
        """Put a person's word in place of what was found; "" says that there is none.

        False: there is no such session.
        """
        ...

    def withdraw(self, organization_id: str, session_id: str, kind: str) -> bool:
        """Take a person's correction back. False: there was none."""
        ...

    def of(self, organization_id: str, session_id: str) -> list[TimedLink]:
        """All links of a session, the earliest first."""
        ...

    def set_name(self, organization_id: str, session_id: str, name: str, *, method: str) -> bool:
        """Name a session; an agent does not rename what a person named. False: not renamed."""
        ...

    def pend(self, call: PendingCall) -> None:
        """Keep a call until a request shows whose it was."""
        ...

    def expire_calls(self, now_us: int) -> int:
        """Give calls that waited a day to their launch's newest session of then, or drop them:
        how many are gone."""
        ...

    def newest_sessions(self, organization_id: str, key_id: str, launch_id: str) -> list[str]:
        """Sessions of a launch, the last used first; a few are enough."""
        ...


class SessionSort(StrEnum):
    """By what a list is ordered, the greatest first."""

    LAST = "last"
    BEGUN = "begun"
    COST = "cost"
    TOKENS = "tokens"
    REQUESTS = "requests"
    DURATION = "duration"


class SessionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions. What is empty, 0 or None does not matter; of several values any will do."""

    member_ids: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    model: str = ""
    repository: str = ""  # store/log.py NO_REPOSITORY: worked at least partly without one
    branch: str = ""
    pull_request: str = ""  # github.com/acme/app#12
    has_errors: bool | None = None
    least_cost_nusd: int = 0
    start_us: int = 0  # those that were in use at or after it
    end_us: int = 0  # and before it
    search: str = ""  # part of a name, a branch or a repository, or the beginning of an id


class SessionPlace(NamedTuple):
    """Where a session is in the order of a list."""

    value: int  # of what the list is sorted by
    session_id: str


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session with all that its sub-agents used."""

    session_id: str
    name: str
    name_method: str  # "person", "mcp" or "": it has none
    client_session: str
    agent: str
    client_version: str
    member_id: str
    key_id: str
    first_us: int
    last_us: int  # when its last request ended
    requests: int
    errors: int
    tokens: TokenCounts
    cost_nusd: int
    subscription_cost_nusd: int
    saved_tokens: int
    saved_nusd: int
    repository: str  # the current one
    branch: str
    compression: str
    models: tuple[str, ...] = ()  # the costliest first
    repositories: tuple[str, ...] = ()  # where requests count, the last used first
    pull_requests: tuple[str, ...] = ()  # github.com/acme/app#12, the last used first
    subagents: int = 0

    @property
    def duration_us(self) -> int:
        return max(0, self.last_us - self.first_us)

    def place(self, sort: SessionSort) -> SessionPlace:
        """Where it is in a list."""
        value = {
            SessionSort.LAST: self.last_us,
            SessionSort.BEGUN: self.first_us,
            SessionSort.COST: self.cost_nusd,
            SessionSort.TOKENS: self.tokens.total,
            SessionSort.REQUESTS: self.requests,
            SessionSort.DURATION: self.duration_us,
        }[sort]
        return SessionPlace(value, self.session_id)


class ModelSums(msgspec.Struct, frozen=True, kw_only=True):
    """What one model did for an agent of a session."""

    model: str
    requests: int
    errors: int
    tokens: TokenCounts
    cost: Cost
    subscription_cost_nusd: int
    saved_tokens: int
    saved_nusd: int


class AgentSums(msgspec.Struct, frozen=True, kw_only=True):
    """The main agent of a session or one of its sub-agents, by what it began with.

    The main agent's `subagent_id` is empty and its `session_id` the root's. A sub-agent's parent
    is the agent of `parent_session_id` with `parent_agent_id` as its id.
    """

    session_id: str
    subagent_id: str
    parent_session_id: str
    parent_agent_id: str
    first_us: int
    last_us: int
    models: tuple[ModelSums, ...]  # the costliest first


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A request on a timeline, or several that are too close to tell apart."""

    start_us: int
    end_us: int
    requests: int
    errors: int
    subagent_requests: int
    tokens: int
    cost_nusd: int
    event_id: str  # of the first; where there is one only, it is the one


class Timeline(msgspec.Struct, frozen=True):
    """Requests in the order they began in; titles are left out where there is anything else."""

    marks: tuple[Mark, ...]
    is_exact: bool  # every mark is one request
    kept_from_us: int = 0  # what was before it is not in the ledger any more; 0: all is there


class SessionReads(Protocol):
    def page(
        self,
        organization_id: str,
        only: SessionFilter,
        sort: SessionSort,
        limit: int,
        *,
        after: SessionPlace | None = None,
        before: SessionPlace | None = None,
    ) -> list[SessionRow]:
        """The first ones, those after a place, or those just before one."""
        ...

    def one(self, organization_id: str, session_id: str) -> SessionRow | None: ...
    def agents(self, organization_id: str, session_id: str) -> list[AgentSums]: ...
    def requests(
        self, organization_id: str, session_id: str, limit: int, *, after: Place | None = None
    ) -> list[LogRow]:
        """Requests with its sub-agents', the oldest first."""
        ...

    def timeline(
        self, organization_id: str, session_id: str, most: int = MOST_MARKS
    ) -> Timeline: ...
    def tool_savings(self, organization_id: str, session_id: str) -> tuple[ToolSaving, ...]:
        """What compression made of its tool results, by class."""
        ...

    def branches(self, organization_id: str, limit: int) -> list[str]:
        """Branches that sessions worked on, for a filter's choices; the last used first."""
        ...
