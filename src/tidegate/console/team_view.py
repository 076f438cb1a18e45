"""The member cards as values: what the templates show, and nothing worked out in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32
from zoneinfo import ZoneInfo

from tidegate.console import charts, formats, period_text
from tidegate.console.agent_marks import AgentMark, agent_mark
from tidegate.console.budget_bar import BudgetBar, budget_bar
from tidegate.console.charts import Sparkline
from tidegate.console.figures_view import (
    TITLES,
    Savings,
    Value,
    savings_of,
    subscription_value,
    value_of,
)
from tidegate.console.log_range import rows_of
from tidegate.console.overview_view import is_running
from tidegate.console.team_query import TeamQuery
from tidegate.core.calendar import local_time
from tidegate.core.model import Agent
from tidegate.core.periods import Period
from tidegate.services.budget_bars import MemberBudget
from tidegate.services.team import MemberPage, MemberUse, Metric
from tidegate.store.ports import StoredKey

PER_PAGE: Final = 28  # twice as many paint twice as late
SEARCH_FROM: Final = 9  # fewer members are found by looking
ACTIVE_US: Final = 3_600_000_000
_HUES: Final = 6
_MEDALS: Final = {1: "gold", 2: "silver", 3: "bronze"}
_BADGES_WITH_NAMES: Final = 2


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: for programs, in words, and exactly."""

    iso: str
    shown: str
    exact: str


@dataclass(frozen=True, slots=True)
class AgentBadge:
    key_id: str
    mark: AgentMark
    disabled: bool


@dataclass(frozen=True, slots=True)
class MemberCard:
    member_id: str
    name: str
    email: str
    initials: str
    hue: int
    role: str
    removed: bool
    rank: int
    medal: str
    last: Moment | None  # None: never used
    active: bool
    values: list[Value]  # cost, tokens, requests
    main: Value  # the chosen one of them
    others: list[Value]
    subscription: Value | None
    savings: Savings | None
    budget: BudgetBar | None  # None: no budget applies
    spark: Sparkline
    spark_label: str
    badges: list[AgentBadge]
    compact: bool  # marks without names
    waiting: str  # why there is nothing to show yet


@dataclass(frozen=True, slots=True)
class Pager:
    first: int
    last: int
    total: int
    newer: str
    older: str


@dataclass(frozen=True, slots=True)
class MembersView:
    cards: list[MemberCard]
    total: int
    ranked_by: str
    pager: Pager | None
    is_last_page: bool
    searchable: bool


def members_view(
    page: MemberPage,
    keys: Mapping[str, Sequence[StoredKey]],
    period: Period,
    query: TeamQuery,
    *,
    budgets: Mapping[str, MemberBudget],
    now_us: int,
) -> MembersView:
    """The cards of a page of the ranking; `keys` and `budgets` are by member."""
    drawing = _Drawing(period, query, now_us, is_running(period, now_us), budgets)
    cards = [_card(use, keys.get(use.member.member_id, ()), drawing) for use in page.uses]
    first = (query.page - 1) * PER_PAGE
    return MembersView(
        cards=cards,
        total=page.total,
        ranked_by=TITLES[query.sort].lower(),
        pager=pager(first, len(cards), page.total, query, "page", PER_PAGE),
        is_last_page=first + len(cards) >= page.total,
        searchable=bool(query.find) or page.total >= SEARCH_FROM,
    )


def moment(at_us: int, now_us: int, time_zone: str) -> Moment:
    local = local_time(at_us, ZoneInfo(time_zone))
    shown = formats.ago(at_us, now_us, date=period_text.date_text(local))
    return Moment(formats.utc(at_us), shown, period_text.moment_text(at_us, time_zone))


def pager(
    first: int, shown: int, total: int, query: TeamQuery, field: str, per_page: int
) -> Pager | None:
    """Which of them are shown and where the others are; None if all are."""
    if total <= per_page:
        return None
    number = first // per_page + 1
    return Pager(
        first=first + 1,
        last=first + shown,
        total=total,
        newer=query.url(**{field: number - 1}) if number > 1 else "",
        older=query.url(**{field: number + 1}) if first + shown < total else "",
    )


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What all cards of a page are drawn for."""

    period: Period
    query: TeamQuery
    now_us: int
    running: bool
    budgets: Mapping[str, MemberBudget]


def _card(use: MemberUse, keys: Sequence[StoredKey], drawing: _Drawing) -> MemberCard:
    member, metric, zone = use.member, drawing.query.sort, drawing.period.time_zone
    name = member.name or member.email
    badges = agent_badges(keys)
    budget = drawing.budgets.get(member.member_id)
    rows = rows_of(drawing.period, member=(member.member_id,))
    values = [value_of(use.figures, each, rows) for each in Metric]
    chosen = list(Metric).index(metric)
    return MemberCard(
        member_id=member.member_id,
        name=name,
        email=member.email,
        initials=formats.initials(name),
        hue=hue_of(member.member_id),
        role=member.role.capitalize(),
        removed=bool(member.removed_us),
        rank=use.rank,
        medal=_MEDALS.get(use.rank, ""),
        last=moment(use.last_us, drawing.now_us, zone) if use.ever else None,
        active=use.ever and drawing.now_us - use.last_us < ACTIVE_US,
        values=values,
        main=values[chosen],
        others=values[:chosen] + values[chosen + 1 :],
        subscription=subscription_value(use.figures, rows),
        savings=savings_of(use.figures, rows),
        budget=budget_bar(budget) if budget else None,
        spark=charts.sparkline(use.series, running=drawing.running),
        spark_label=_spark_label(use, drawing),
        badges=badges,
        compact=len(badges) > _BADGES_WITH_NAMES,
        waiting="" if use.ever else _waiting(keys, drawing),
    )


def agent_badges(keys: Iterable[StoredKey]) -> list[AgentBadge]:
    """In the order that agents are always named in."""
    order = list(Agent)
    listed = sorted(keys, key=lambda key: order.index(Agent(key.record.agent)))
    return [
        AgentBadge(key.record.key_id, agent_mark(key.record.agent), key.record.disabled)
        for key in listed
    ]


def hue_of(member_id: str) -> int:
    """A member's colour: always the same one."""
    return crc32(member_id.encode()) % _HUES


def _spark_label(use: MemberUse, drawing: _Drawing) -> str:
    bucket = period_text.BUCKET_NAMES[drawing.period.bucket]
    return f"{TITLES[drawing.query.sort]} per {bucket}"


def _waiting(keys: Sequence[StoredKey], drawing: _Drawing) -> str:
    if not keys:
        return "No coding agent yet."
    newest = max(key.created_us for key in keys)
    made = local_time(newest, ZoneInfo(drawing.period.time_zone))
    return f"Key made {period_text.day_text(made)}. No request has arrived yet."
