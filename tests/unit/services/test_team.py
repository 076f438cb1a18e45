"""The Team page's reports: ranking, ties, people who are gone or never used anything, refusals."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from tests.unit.jobs.events import event
from tests.unit.services.world import START_US, World

from tidegate.core.model import Cost, TokenCounts
from tidegate.core.periods import Period
from tidegate.services.errors import InvalidField
from tidegate.services.team import Figures, MemberPage, Metric, TeamReports
from tidegate.store.ports import SpoolBatch

pytestmark = pytest.mark.slow

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
NOW_US = START_US + 12 * HOUR_US


class Team:
    """Members by short names, and what they used."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.reports = TeamReports(world.store)
        self.ids = {"owner": world.owner_id}
        self.count = 0

    def use(self, who: str, cost: int = 0, **fields: Any) -> None:
        key_id = f"key_{who}"
        if who not in self.ids:
            enrolled = self.world.enrolled(f"{who}@example.com")
            self.ids[who], key_id = enrolled.member_id, enrolled.key_id
        plain: dict[str, Any] = {
            "organization_id": self.world.organization_id,
            "member_id": self.ids[who],
            "key_id": key_id,
            "started_us": NOW_US,
            "cost": Cost(input=cost),
            "tokens": TokenCounts(input=1),
            "saved_tokens_new": 0,
            "saved_tokens_again": 0,
            "saved_nano": 0,
        }
        one = event(self.count, **(plain | fields))
        batch = SpoolBatch(file=f"f{self.count}", start=0, end=1, events=[one])
        self.world.store.usage.record(batch)
        self.count += 1

    def period(self, name: str = "24h", now_us: int = NOW_US) -> Period:
        return self.reports.period(self.world.organization_id, name, now_us)

    def members(self, metric: Metric = Metric.COST, **options: Any) -> MemberPage:
        return self.reports.members(
            self.world.organization_id, options.pop("period", self.period()), metric, **options
        )

    def ranking(self, metric: Metric = Metric.COST, **options: Any) -> list[tuple[str, int]]:
        page = self.members(metric, **options)
        return [(use.member.email.partition("@")[0], use.rank) for use in page.uses]


@pytest.fixture
def team(world: World) -> Team:
    return Team(world)


def test_equal_figures_share_a_rank(team: Team) -> None:
    for who, cost in {"ann": 50, "bea": 70, "cem": 50, "dan": 10, "eve": 0}.items():
        team.use(who, cost)
    assert team.ranking() == [
        ("bea", 1), ("ann", 2), ("cem", 2), ("dan", 4), ("eve", 0), ("owner", 0),
    ]  # fmt: skip
    assert team.ranking(Metric.REQUESTS)[:2] == [("ann", 1), ("bea", 1)]
    assert team.ranking(Metric.REQUESTS)[-1] == ("owner", 0)


def test_pages_and_a_search_keep_the_rank_among_all(team: Team) -> None:
    for who, cost in {"ann": 50, "bea": 70, "cem": 60}.items():
        team.use(who, cost)
    assert team.ranking(offset=1, limit=2) == [("cem", 2), ("ann", 3)]
    assert team.ranking(offset=99) == []
    assert team.ranking(find=" ANN@ ") == [("ann", 3)]
    found = team.members(find="nobody")
    assert (found.uses, found.total) == ([], 0)
    assert team.members(find="example.com", limit=1).total == 4


def test_subscriptions_are_not_billed(team: Team) -> None:
    team.use("ann", 50)
    team.use("ann", 30, billing="subscription")
    [ann, _] = team.members().uses
    figures = Figures(cost_nusd=50, subscription_nusd=30, tokens=2, requests=2)
    assert ann.figures == figures
    assert [ann.figures.of(metric) for metric in Metric] == [50, 2, 2]
    assert ann.series == [0] * 23 + [50]
    assert team.reports.overview(team.world.organization_id, team.period()).totals == figures


def test_whoever_never_used_anything_is_there(team: Team) -> None:
    team.use("ann", 50, started_us=NOW_US - 40 * DAY_US)
    [ann, owner] = sorted(team.members().uses, key=lambda use: use.member.email)
    assert (ann.rank, ann.ever, ann.last_us) == (0, True, NOW_US - 40 * DAY_US + 500)
    assert (owner.rank, owner.ever, owner.last_us) == (0, False, 0)
    assert ann.figures == owner.figures == Figures()
    assert ann.series == owner.series == [0] * 24


def test_removed_members_stay_where_they_used_something(team: Team) -> None:
    team.use("ann", 50)
    team.use("bea", 60, started_us=NOW_US - 3 * DAY_US)
    world = team.world
    for who in ("ann", "bea"):
        world.members.remove(
            world.organization_id, team.ids[who], by_role="owner", actor=world.owner
        )
    [ann, owner] = team.members().uses
    assert (ann.member.email, ann.rank) == ("ann@example.com", 1)
    assert ann.member.removed_us
    assert owner.member.member_id == world.owner_id
    assert team.members().active_now == 0
    assert [name for name, _ in team.ranking(period=team.period("7d"))] == ["bea", "ann", "owner"]


@pytest.mark.parametrize(("ago_us", "active"), [(0, 1), (HOUR_US, 1), (HOUR_US + 1, 0)])
def test_active_now_is_the_last_hour(team: Team, ago_us: int, active: int) -> None:
    team.use("ann", started_us=NOW_US - ago_us, duration_us=0)
    team.use("bea", started_us=NOW_US - 2 * HOUR_US)
    assert team.members(find="owner").active_now == active


def test_keys_were_last_used_ever(team: Team) -> None:
    team.use("ann", key_id="key_1", started_us=START_US - 900 * DAY_US)
    team.use("ann", key_id="key_2", started_us=START_US, duration_us=7)
    team.use("ann", key_id="key_2", started_us=START_US - DAY_US)
    team.use("bea", key_id="key_3")
    world, ann = team.world, team.ids["ann"]
    uses = {"key_1": START_US - 900 * DAY_US + 500, "key_2": START_US + 7}
    assert team.reports.key_uses(world.organization_id, [ann]) == uses
    assert team.reports.key_uses(world.organization_id, []) == {}
    assert team.reports.key_uses("org_other", [ann]) == {}
    assert world.usage.last_used(world.organization_id) == uses | {"key_3": NOW_US + 500}


def test_repositories_by_sessions_and_by_metric(team: Team) -> None:
    for session in ("ses_1", "ses_2", "ses_2"):
        team.use("ann", 1, repository="github.com/a/many", session_id=session)
    team.use("ann", 90, repository="github.com/a/dear", session_id="ses_3")
    team.use("ann", 5, repository="github.com/a/none")
    team.use("ann", 7, session_id="ses_4")
    organization_id = team.world.organization_id
    top = team.reports.top_repositories(organization_id, team.period(), 2)
    assert [(row.repository[-4:], row.sessions) for row in top.rows] == [("many", 2), ("dear", 1)]
    assert top.total == 3
    ranked = team.reports.repositories(organization_id, team.period(), Metric.COST, 2, 1)
    assert [row.repository[-4:] for row in ranked.rows] == ["none", "many"]
    assert (ranked.unattributed.sessions, ranked.unattributed.figures.cost_nusd) == (1, 7)


def test_sessions_count_where_they_were_under_way(team: Team) -> None:
    """One that went on until later, one that ended, one that began later."""
    days = {"ses_long": (1, 5), "ses_early": (1, 2), "ses_late": (5, 6), "ses_in": (3, 3)}
    for session, used_on in days.items():
        for day in used_on:
            team.use("ann", session_id=session, repository="r", started_us=START_US + day * DAY_US)
    march = [date(2026, 3, day + 1) for day in range(10)]
    later_us = START_US + 9 * DAY_US
    for first, last, sessions in ((2, 3, 3), (3, 3, 2), (1, 9, 4), (5, 9, 2), (6, 9, 1)):
        period = team.reports.period(
            team.world.organization_id, "custom", later_us, march[first], march[last]
        )
        [row] = team.reports.top_repositories(team.world.organization_id, period).rows
        assert row.sessions == sessions


def test_what_is_known_of_settled_days_is_read_anew_when_it_changes(team: Team) -> None:
    """By a late event, a session that goes on, another zone."""
    organization_id, yesterday = team.world.organization_id, NOW_US - DAY_US
    team.use("ann", 50, started_us=yesterday, repository="r", session_id="ses_1")

    def look() -> tuple[int, list[int], int, int]:
        period = team.period("7d")
        ann = team.members(period=period, find="ann").uses[0]
        [row] = team.reports.top_repositories(organization_id, period).rows
        return ann.figures.cost_nusd, ann.series[-2:], row.sessions, row.figures.cost_nusd

    assert look() == (50, [50, 0], 1, 50)
    assert look() == (50, [50, 0], 1, 50)
    team.use("ann", 7, started_us=yesterday, repository="r", session_id="ses_2")
    assert look() == (57, [57, 0], 2, 57)
    team.use("ann", 1, repository="r", session_id="ses_1")
    assert look() == (58, [57, 1], 2, 58)
    team.use("ann", 2, started_us=yesterday, billing="subscription", repository="r")
    assert look() == (58, [57, 1], 2, 58)
    team.world.store.usage.adopt_zones({organization_id: "Pacific/Kiritimati"})
    assert look() == (58, [57, 1], 2, 58)
    team.world.store.usage.adopt_zones({organization_id: "Etc/GMT+12"})
    assert look()[1] == [57, 1]


def test_my_usage_is_one_members(team: Team) -> None:
    team.use("ann", 50, model_served="opus")
    team.use("ann", 20, model_served="opus", billing="subscription")
    team.use("ann", 60, model_served="", model_asked="sonnet", agent="codex")
    team.use("bea", 10)
    team.use("ann", 5, started_us=NOW_US - DAY_US)
    organization_id, ann = team.world.organization_id, team.ids["ann"]
    overview = team.reports.overview(organization_id, team.period(), ann)
    assert overview.totals.cost_nusd == overview.series[-1].cost_nusd == 110
    assert overview.before.cost_nusd == 5
    models = team.reports.member_models(organization_id, team.period(), ann)
    assert [(m.agent, m.model, m.figures.cost_nusd) for m in models] == [
        ("codex", "sonnet", 60), ("claude_code", "opus", 50),
    ]  # fmt: skip
    assert models[1].figures.subscription_nusd == 20
    assert team.reports.overview(organization_id, team.period(), "mem_other").totals == Figures()


def test_a_range_is_in_the_zone_of_the_sums(team: Team) -> None:
    world = team.world
    world.store.usage.adopt_zones({world.organization_id: "Asia/Kathmandu"})
    period = team.period("7d")
    assert period.time_zone == "Asia/Kathmandu"
    midnight = datetime(2026, 2, 22, 18, 15, tzinfo=UTC)
    assert period.start_us == int(midnight.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("name", "dates", "field"),
    [
        ("1y", (None, None), "range"),
        ("custom", (None, None), "first"),
        ("custom", (date(2026, 2, 2), date(2026, 2, 1)), "last"),
        ("custom", (date(2026, 3, 2), date(2026, 3, 2)), "first"),
        ("custom", (date(2016, 2, 1), date(2026, 2, 28)), "first"),
    ],
)
def test_a_range_that_there_is_not(
    team: Team, name: str, dates: tuple[date | None, date | None], field: str
) -> None:
    with pytest.raises(InvalidField) as caught:
        team.reports.period(team.world.organization_id, name, NOW_US, *dates)
    assert caught.value.field == field


def test_of_another_organization_nothing_is_told(team: Team) -> None:
    team.use("ann", 50, repository="r", session_id="ses_1")
    period, reports = team.period("7d"), team.reports
    assert reports.overview("org_other", period).totals == Figures()
    assert reports.members("org_other", period, Metric.COST).uses == []
    assert reports.repositories("org_other", period, Metric.COST, 9).rows == []
    assert reports.member_models("org_other", period, team.ids["ann"]) == []
    assert reports.overview("org_other", period, team.ids["ann"]).totals == Figures()
