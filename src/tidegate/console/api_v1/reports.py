"""Reports: what the organization, its members, repositories and pull requests used."""

from collections.abc import Callable
from typing import Annotated, Generic, Literal, TypeVar

import msgspec

from tidegate.console.access import Need
from tidegate.console.api_v1.figures import (
    Bucket,
    Count,
    Figures,
    RangeQuery,
    ReportPeriod,
    Sort,
    buckets,
    figures,
    period_of,
    report_period,
    reports,
    version_of,
)
from tidegate.console.api_v1.members import Member, member_of
from tidegate.console.api_v1.operation import Call, NoBody
from tidegate.console.api_v1.paging import Cursor, Limit, foreign_cursor, read_cursor, write_cursor
from tidegate.console.api_v1.table import get
from tidegate.console.api_v1.times import Time, time_or_none
from tidegate.core.model import Agent
from tidegate.core.periods import Period
from tidegate.services import team
from tidegate.services.team import Metric, Ranked
from tidegate.store.forge import PullCost, PullRequest

Find = Annotated[str, msgspec.Meta(max_length=100, description="Part of a name or an email.")]
Row = TypeVar("Row")
Use = TypeVar("Use")


class RankedQuery(RangeQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    sort: Sort = Metric.COST
    limit: Limit = 50
    cursor: Cursor = ""


class MembersReportQuery(RankedQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    find: Find = ""


class OverviewReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole, the same length of time before, and the whole by bucket."""

    period: ReportPeriod
    totals: Figures
    before: Figures
    series: list[Bucket]


class MemberFigures(msgspec.Struct, frozen=True, kw_only=True):
    """`rank` counts from 1, equal figures share one, 0 is nothing used. `series` is the metric
    that the report is sorted by, for each bucket of the overview."""

    member: Member
    figures: Figures
    rank: Count
    last_used_at: Time | None
    series: list[Count]


class MembersReport(msgspec.Struct, frozen=True, kw_only=True):
    period: ReportPeriod
    items: list[MemberFigures]
    total: Count  # how many there are in all
    active_now: Count  # used something in the last hour
    next_cursor: str | None


class RepositoryFigures(msgspec.Struct, frozen=True, kw_only=True):
    repository: str
    sessions: Count
    figures: Figures
    last_used_at: Time | None


class PullRequestState(msgspec.Struct, frozen=True, kw_only=True):
    """What the forge tells of a pull request."""

    title: str
    state: Literal["open", "draft", "merged", "closed"]
    author: str
    created_at: Time | None
    merged_at: Time | None
    additions: Count
    deletions: Count


class PullRequestFigures(msgspec.Struct, frozen=True, kw_only=True):
    """`forge` is null where the forge told nothing of it: GitHub is not connected, say."""

    repository: str
    pull_request: str  # its number
    sessions: Count
    figures: Figures
    last_used_at: Time | None
    forge: PullRequestState | None = None


class MergedQuery(RangeQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    limit: Limit = 50
    cursor: Cursor = ""


class MergedReport(msgspec.Struct, frozen=True, kw_only=True):
    """Pull requests that were merged in the range, the latest first, and what each cost in all
    its time. Mean and median are of the costs billed, and of those with a known session only."""

    period: ReportPeriod
    items: list[PullRequestFigures]
    merged: Count  # how many there are in all
    with_sessions: Count  # and with a session that is known
    cost_nusd: Count
    subscription_nusd: Count
    mean_cost_nusd: Count | None
    median_cost_nusd: Count | None
    next_cursor: str | None


class UnattributedFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to none of the rows: with it the sums equal the overview's."""

    sessions: Count
    figures: Figures


class RankedReport(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    period: ReportPeriod
    items: list[Row]
    total: Count  # how many rows there are in all
    unattributed: UnattributedFigures
    next_cursor: str | None


class ModelFigures(msgspec.Struct, frozen=True, kw_only=True):
    agent: Agent
    model: str
    figures: Figures
    last_used_at: Time | None


class MyUsageReport(OverviewReport, frozen=True, kw_only=True):
    """What you used, and by which agents and models."""

    models: list[ModelFigures]


def report_overview(call: Call[RangeQuery, NoBody]) -> OverviewReport:
    """What the whole organization used."""
    period = period_of(call)
    found = reports(call).overview(call.organization_id, period)
    return OverviewReport(
        period=report_period(period),
        totals=figures(found.totals),
        before=figures(found.before),
        series=buckets(period, found.series),
    )


def report_members(call: Call[MembersReportQuery, NoBody]) -> MembersReport:
    """What each member used.

    Everyone is there, also who used nothing, and removed members who did. Ranks move while
    requests come in: take one long page where that matters.
    """
    query, period = call.query, period_of(call)
    offset = _offset("members report", query.cursor)
    found = reports(call).members(
        call.organization_id, period, query.sort, offset=offset, limit=query.limit, find=query.find
    )
    return MembersReport(
        period=report_period(period),
        items=[_member(use) for use in found.uses],
        total=found.total,
        active_now=found.active_now,
        next_cursor=_next("members report", offset + len(found.uses), found.total),
    )


def report_repositories(call: Call[RankedQuery, NoBody]) -> RankedReport[RepositoryFigures]:
    """What was used for each repository."""
    return _ranked(call, "repositories report", reports(call).repositories, _repository)


def report_pull_requests(call: Call[RankedQuery, NoBody]) -> RankedReport[PullRequestFigures]:
    """What was used for each pull request."""
    return _ranked(call, "pull requests report", reports(call).pull_requests, _pull_request)


def _ranked(
    call: Call[RankedQuery, NoBody],
    name: str,
    read: Callable[[str, Period, Metric, int, int], Ranked[Use]],
    shown: Callable[[Use], Row],
) -> RankedReport[Row]:
    query, period = call.query, period_of(call)
    offset = _offset(name, query.cursor)
    found = read(call.organization_id, period, query.sort, query.limit, offset)
    return RankedReport(
        period=report_period(period),
        items=[shown(use) for use in found.rows],
        total=found.total,
        unattributed=_unattributed(found.unattributed),
        next_cursor=_next(name, offset + len(found.rows), found.total),
    )


def report_merged(call: Call[MergedQuery, NoBody]) -> MergedReport:
    """What merged pull requests cost.

    A pull request that no known session worked on is listed with nothing used.
    """
    query, period = call.query, period_of(call)
    totals = reports(call).merged(call.organization_id, period)
    median = reports(call).merged_median(call.organization_id, period)
    at = read_cursor("merged pull requests report", query.cursor)
    rows, cursor = reports(call).merged_page(call.organization_id, period, at, query.limit)
    known = totals.with_cost > 0
    return MergedReport(
        period=report_period(period),
        items=[_merged(row) for row in rows],
        merged=totals.merged,
        with_sessions=totals.with_cost,
        cost_nusd=totals.cost_nusd,
        subscription_nusd=totals.subscription_nusd,
        mean_cost_nusd=totals.cost_nusd // totals.with_cost if known else None,
        median_cost_nusd=median if known else None,
        next_cursor=write_cursor("merged pull requests report", cursor) if cursor else None,
    )


def report_my_usage(call: Call[RangeQuery, NoBody]) -> MyUsageReport:
    """What you used yourself."""
    period, member_id = period_of(call), call.viewer.member_id
    found = reports(call).overview(call.organization_id, period, member_id)
    models = reports(call).member_models(call.organization_id, period, member_id)
    return MyUsageReport(
        period=report_period(period),
        totals=figures(found.totals),
        before=figures(found.before),
        series=buckets(period, found.series),
        models=[_model(use) for use in models],
    )


def _offset(list_name: str, cursor: str) -> int:
    text = read_cursor(list_name, cursor) or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise foreign_cursor()
    return int(text)


def _next(list_name: str, offset: int, total: int) -> str | None:
    return write_cursor(list_name, str(offset)) if offset < total else None


def _member(use: team.MemberUse) -> MemberFigures:
    return MemberFigures(
        member=member_of(use.member),
        figures=figures(use.figures),
        rank=use.rank,
        last_used_at=time_or_none(use.last_us),
        series=use.series,
    )


def _repository(use: team.RepositoryUse) -> RepositoryFigures:
    return RepositoryFigures(
        repository=use.repository,
        sessions=use.sessions,
        figures=figures(use.figures),
        last_used_at=time_or_none(use.last_us),
    )


def _pull_request(use: team.PullRequestUse) -> PullRequestFigures:
    return PullRequestFigures(
        repository=use.repository,
        pull_request=use.pull_request,
        sessions=use.sessions,
        figures=figures(use.figures),
        last_used_at=time_or_none(use.last_us),
        forge=_state(use.told) if use.told else None,
    )


def _merged(cost: PullCost) -> PullRequestFigures:
    used = team.Figures(
        cost_nusd=cost.cost_nusd,
        subscription_nusd=cost.subscription_nusd,
        tokens=cost.tokens,
        requests=cost.requests,
        saved_tokens=cost.saved_tokens,
        saved_nusd=cost.saved_nusd,
        saved_subscription_nusd=cost.saved_subscription_nusd,
    )
    return PullRequestFigures(
        repository=cost.pull_request.repository,
        pull_request=str(cost.pull_request.number),
        sessions=cost.sessions,
        figures=figures(used),
        last_used_at=time_or_none(cost.last_us),
        forge=_state(cost.pull_request),
    )


def _state(pull: PullRequest) -> PullRequestState:
    return PullRequestState(
        title=pull.title,
        state=pull.state,  # type: ignore[arg-type]  # one of these, by the store
        author=pull.author,
        created_at=time_or_none(pull.created_us),
        merged_at=time_or_none(pull.merged_us),
        additions=pull.additions,
        deletions=pull.deletions,
    )


def _unattributed(found: team.Unattributed) -> UnattributedFigures:
    return UnattributedFigures(sessions=found.sessions, figures=figures(found.figures))


def _model(use: team.ModelUse) -> ModelFigures:
    return ModelFigures(
        agent=Agent(use.agent),
        model=use.model,
        figures=figures(use.figures),
        last_used_at=time_or_none(use.last_us),
    )


_TAG = "Reports"
OPERATIONS = (
    get("/reports/overview", report_overview, need=Need.ADMIN, tag=_TAG, version=version_of),
    get("/reports/members", report_members, need=Need.ADMIN, tag=_TAG, version=version_of),
    get(
        "/reports/repositories",
        report_repositories,
        need=Need.ADMIN,
        tag=_TAG,
        version=version_of,
    ),
    get(
        "/reports/pull-requests",
        report_pull_requests,
        need=Need.ADMIN,
        tag=_TAG,
        version=version_of,
    ),
    get(
        "/reports/merged-pull-requests",
        report_merged,
        need=Need.ADMIN,
        tag=_TAG,
        version=version_of,
    ),
    get("/me/usage", report_my_usage, need=Need.MEMBER, tag=_TAG, version=version_of),
)
