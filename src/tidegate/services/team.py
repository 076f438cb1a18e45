"""What the Team page and My usage show of a time range, read from rollups alone."""

from datetime import date
from enum import StrEnum

import msgspec

from tidegate.core.periods import Period
from tidegate.store.people import MemberRecord
from tidegate.store.ports import Store


class Metric(StrEnum):
    """What members, repositories and charts are ranked and drawn by."""

    COST = "cost"
    TOKENS = "tokens"
    REQUESTS = "requests"


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a set of requests amounts to. The cost is what is billed; what subscriptions would
    have cost at list price is apart."""

    cost_nusd: int = 0
    subscription_nusd: int = 0
    tokens: int = 0
    requests: int = 0

    def of(self, metric: Metric) -> int:
        """The figure of a metric."""
        match metric:
            case Metric.COST:
                return self.cost_nusd
            case Metric.TOKENS:
                return self.tokens
            case Metric.REQUESTS:
                return self.requests


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """An organization or a member in a period, the period before, and each of its buckets."""

    totals: Figures
    before: Figures
    series: list[Figures]


class MemberUse(msgspec.Struct, frozen=True, kw_only=True):
    """A member in a period. A removed one is there only for what was used in it."""

    member: MemberRecord
    figures: Figures
    rank: int  # from 1; equal figures share one, 0: nothing of the metric
    last_us: int  # the last use ever, 0: never
    ever: bool
    series: list[int]  # the chosen metric of each bucket


class MemberPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the ranking."""

    uses: list[MemberUse]
    total: int  # how many there are in all, or that fit what was looked for
    active_now: int  # used something in the last hour


class RepositoryUse(msgspec.Struct, frozen=True, kw_only=True):
    repository: str
    sessions: int
    figures: Figures
    last_us: int


class PullRequestUse(msgspec.Struct, frozen=True, kw_only=True):
    repository: str
    pull_request: str  # its number
    sessions: int
    figures: Figures
    last_us: int


class Unattributed(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to none of the rows, so that the sums equal the total."""

    sessions: int = 0
    figures: Figures = Figures()


class RankedRepositories(msgspec.Struct, frozen=True, kw_only=True):
    rows: list[RepositoryUse]
    total: int
    unattributed: Unattributed


class RankedPullRequests(msgspec.Struct, frozen=True, kw_only=True):
    rows: list[PullRequestUse]
    total: int
    unattributed: Unattributed


class ModelUse(msgspec.Struct, frozen=True, kw_only=True):
    agent: str  # Agent
    model: str
    figures: Figures
    last_us: int


class TeamReports:
    """Reads only."""

    def __init__(self, store: Store) -> None:
        self._directory = store.directory
        self._usage = store.usage

    def period(
        self,
        organization_id: str,
        name: str,
        now_us: int,
        first: date | None = None,
        last: date | None = None,
    ) -> Period:
        """A range in the zone of the organization's rollups. InvalidField if there is none."""
        raise NotImplementedError

    def overview(self, organization_id: str, period: Period, member_id: str = "") -> Overview:
        raise NotImplementedError

    def members(
        self,
        organization_id: str,
        period: Period,
        metric: Metric,
        *,
        offset: int = 0,
        limit: int = 50,
        find: str = "",
    ) -> MemberPage:
        """Everyone, most of the metric first; `find` is part of a name or an email."""
        raise NotImplementedError

    def top_repositories(
        self, organization_id: str, period: Period, limit: int = 7
    ) -> RankedRepositories:
        """By sessions, most first."""
        raise NotImplementedError

    def repositories(
        self, organization_id: str, period: Period, metric: Metric, limit: int, offset: int = 0
    ) -> RankedRepositories:
        raise NotImplementedError

    def pull_requests(
        self, organization_id: str, period: Period, metric: Metric, limit: int, offset: int = 0
    ) -> RankedPullRequests:
        raise NotImplementedError

    def member_models(self, organization_id: str, period: Period, member_id: str) -> list[ModelUse]:
        """What a member used by agent and model, dearest first."""
        raise NotImplementedError

    def key_uses(self, organization_id: str, member_ids: list[str]) -> dict[str, int]:
        """When each key of these members was last used; one that never was is absent."""
        raise NotImplementedError

    def version(self, organization_id: str) -> str:
        """Changes with whatever a page could show: use, the directory, a zone."""
        raise NotImplementedError
