"""What a report must say of events, counted from the events themselves."""

from collections.abc import Iterable, Sequence

from tidegate.core.figures import Figures
from tidegate.core.model import UsageEvent
from tidegate.core.periods import Period
from tidegate.services.team import (
    MemberUse,
    Metric,
    Overview,
    RankedRepositories,
    TeamReports,
)

ORGANIZATION = "org_1"


def figures_of(events: Iterable[UsageEvent]) -> Figures:
    """The figures of events, one by one."""
    total = Figures()
    for one in events:
        is_subscription = one.billing == "subscription"
        total += Figures(
            cost_nusd=0 if is_subscription else one.cost.total,
            subscription_nusd=one.cost.total if is_subscription else 0,
            tokens=one.tokens.total,
            requests=1,
            saved_tokens=one.saved_tokens_new + one.saved_tokens_again,
            saved_nusd=0 if is_subscription else one.saved_nano,
            saved_subscription_nusd=one.saved_nano if is_subscription else 0,
        )
    return total


def within(events: Iterable[UsageEvent], start_us: int, end_us: int) -> list[UsageEvent]:
    return [one for one in events if start_us <= one.started_us < end_us]


def root_of(session_id: str, events: Iterable[UsageEvent]) -> str:
    """The session that a sub-agent's session belongs to."""
    parents = {e.session_id: e.parent_session_id for e in events if e.parent_session_id}
    while session_id in parents:
        session_id = parents[session_id]
    return session_id


def sessions_in(events: Sequence[UsageEvent], repository: str, period: Period) -> int:
    """How many runs were under way in a repository."""
    times: dict[str, list[int]] = {}
    for one in events:
        if one.session_id and one.repository == repository:
            times.setdefault(root_of(one.session_id, events), []).append(one.started_us)
    return sum(
        min(of_one) < period.end_us and max(of_one) >= period.start_us for of_one in times.values()
    )


def check_reports(
    reports: TeamReports, events: Sequence[UsageEvent], period: Period, metric: Metric
) -> None:
    """Every report of a period says what the events say, and all of them add up to one total."""
    total = figures_of(within(events, period.start_us, period.end_us))
    overview = reports.overview(ORGANIZATION, period)
    _check_overview(overview, events, period)
    page = reports.members(ORGANIZATION, period, metric, limit=1000)
    assert sum((use.figures for use in page.uses), Figures()) == total
    for use in page.uses:
        _check_member(use, events, period, metric)
    _check_ranks([use.rank for use in page.uses], [use.figures.of(metric) for use in page.uses])
    ranked = reports.repositories(ORGANIZATION, period, metric, 1000)
    _check_repositories(ranked, events, period)
    values = [row.figures.of(metric) for row in ranked.rows]
    assert values == sorted(values, reverse=True)
    top = reports.top_repositories(ORGANIZATION, period, 1000)
    _check_repositories(top, events, period)
    sessions = [row.sessions for row in top.rows]
    assert sessions == sorted(sessions, reverse=True)
    pulls = reports.pull_requests(ORGANIZATION, period, Metric.COST, 10)
    assert (pulls.rows, pulls.total, pulls.unattributed.figures) == ([], 0, total)
    for member_id in sorted({one.member_id for one in events}):
        _check_one_member(reports, events, period, member_id)


def _check_one_member(
    reports: TeamReports, events: Sequence[UsageEvent], period: Period, member_id: str
) -> None:
    """The same on the member's own page."""
    mine = [one for one in events if one.member_id == member_id]
    used = within(mine, period.start_us, period.end_us)
    _check_overview(reports.overview(ORGANIZATION, period, member_id), mine, period)
    models = reports.member_models(ORGANIZATION, period, member_id)
    by_model: dict[tuple[str, str], list[UsageEvent]] = {}
    for one in used:
        by_model.setdefault((one.agent, one.model_served or one.model_asked), []).append(one)
    assert {(use.agent, use.model): use.figures for use in models} == {
        key: figures_of(of_it) for key, of_it in by_model.items()
    }


def _check_overview(overview: Overview, events: Sequence[UsageEvent], period: Period) -> None:
    before = within(events, period.previous_start_us, period.previous_end_us)
    assert overview.totals == figures_of(within(events, period.start_us, period.end_us))
    assert overview.before == figures_of(before)
    assert overview.series == [
        figures_of(within(events, *period.bounds(index))) for index in range(len(period.starts))
    ]


def _check_member(
    use: MemberUse, events: Sequence[UsageEvent], period: Period, metric: Metric
) -> None:
    mine = [one for one in events if one.member_id == use.member.member_id]
    assert use.figures == figures_of(within(mine, period.start_us, period.end_us))
    assert use.ever == bool(mine)
    assert use.last_us == max((one.started_us + one.duration_us for one in mine), default=0)
    assert use.series == [
        figures_of(within(mine, *period.bounds(index))).of(metric)
        for index in range(len(period.starts))
    ]


def _check_ranks(ranks: list[int], values: list[int]) -> None:
    assert values == sorted(values, reverse=True)
    assert ranks == [values.index(value) + 1 if value else 0 for value in values]


def _check_repositories(
    ranked: RankedRepositories, events: Sequence[UsageEvent], period: Period
) -> None:
    used = within(events, period.start_us, period.end_us)
    by_name = {one.repository: [e for e in used if e.repository == one.repository] for one in used}
    unattributed = by_name.pop("", [])
    assert ranked.total == len(by_name)
    assert {row.repository: row.figures for row in ranked.rows} == {
        name: figures_of(of_it) for name, of_it in by_name.items()
    }
    for row in ranked.rows:
        assert row.sessions == sessions_in(events, row.repository, period)
        assert row.last_us == max(e.started_us + e.duration_us for e in by_name[row.repository])
    assert ranked.unattributed.figures == figures_of(unattributed)
    if unattributed:
        assert ranked.unattributed.sessions == sessions_in(events, "", period)
