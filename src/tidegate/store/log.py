"""What the log may ask of the ledger: its rows by any filter, and what they amount to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from tidegate.core.figures import Figures
from tidegate.core.model import Cost, TokenCounts, UsageEvent

NO_REPOSITORY: Final = "-"
STATUS_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows. What is empty, 0 or None does not matter; of several values any will do."""

    member_ids: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    key_id: str = ""
    models: tuple[str, ...] = ()  # the one served, else the one asked for
    session_id: str = ""
    repository: str = ""  # NO_REPOSITORY: without one
    pull_request: str = ""  # github.com/acme/app#12
    outcomes: tuple[str, ...] = ()
    billing: str = ""
    status_class: str = ""  # one of STATUS_CLASSES
    captured: bool | None = None
    estimated: bool | None = None
    price_unknown: bool | None = None
    start_us: int = 0
    end_us: int = 0  # exclusive
    ids: str = ""  # a whole id: of an event, the upstream's request, a session or a launch


class Place(NamedTuple):
    """Where a row is in the order of the log."""

    started_us: int
    event_id: str


class LogRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the log: a usage event without what only its detail shows."""

    event_id: str
    started_us: int
    member_id: str
    key_id: str
    agent: str
    provider: str
    model_asked: str
    model_served: str
    session_id: str
    subagent_id: str
    is_title: bool
    repository: str
    pull_request: str
    branch: str
    billing: str
    status: int
    outcome: str
    error_code: str
    tokens: TokenCounts
    cost: Cost
    estimated: bool
    price_unknown: bool
    captured: bool
    first_byte_us: int
    duration_us: int
    compression: str
    saved_tokens_new: int
    saved_tokens_again: int
    saved_nano: int

    @property
    def saved_tokens(self) -> int:
        return self.saved_tokens_new + self.saved_tokens_again

    @property
    def model(self) -> str:
        return self.model_served or self.model_asked

    @property
    def cost_nusd(self) -> int:
        return self.cost.total

    @property
    def place(self) -> Place:
        return Place(self.started_us, self.event_id)


class Volume(msgspec.Struct, frozen=True):
    """How many requests there were, and how many did not end well."""

    requests: int = 0
    failed: int = 0  # an outcome other than ok


class Latency(msgspec.Struct, frozen=True):
    """The times of requests from start to end: half of them, and 95 of 100, took no longer."""

    p50_us: int
    p95_us: int


class Kept(msgspec.Struct, frozen=True):
    """From when on the ledger has its rows; before it there are sums only."""

    ledger_from_us: int = 0  # 0: all are there
    other_zone_before_us: int = 0  # sums of before are in days of an earlier time zone; 0: none


class LogReads(Protocol):
    """The newest row is first; rows of one moment are in the order of their ids."""

    def page(
        self,
        organization_id: str,
        only: LogFilter,
        limit: int,
        *,
        before: Place | None = None,
        after: Place | None = None,
    ) -> list[LogRow]:
        """The newest, the next older than a place, or the next newer, which is last then."""
        ...

    def event(self, organization_id: str, event_id: str) -> UsageEvent | None: ...
    def count_after(self, organization_id: str, only: LogFilter, place: Place, most: int) -> int:
        """How many rows are newer than a place, up to a number."""
        ...

    def rows(self, organization_id: str, only: LogFilter) -> Iterator[list[UsageEvent]]:
        """All rows, in parts that memory does not notice; the oldest is last."""
        ...

    def values(
        self, organization_id: str, only: LogFilter, columns: Sequence[str]
    ) -> Iterator[list[tuple[Any, ...]]]:
        """The same rows as values of these columns; `started_us` and `event_id` are among them.

        A flag is 0 or 1, or a bool.
        """
        ...

    def sums(self, organization_id: str, only: LogFilter) -> Figures: ...
    def volumes(
        self, organization_id: str, only: LogFilter, starts: Sequence[int]
    ) -> Mapping[int, Volume]:
        """By index of the bucket; each ends where the next begins, the last with the filter."""
        ...

    def latencies(
        self, organization_id: str, only: LogFilter, starts: Sequence[int]
    ) -> Mapping[int, Latency]:
        """The same of the times taken."""
        ...

    def kept(self, organization_id: str) -> Kept: ...
