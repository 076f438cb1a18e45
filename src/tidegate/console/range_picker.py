"""The choice of a time range: presets, and two days of one's own."""

from dataclasses import dataclass
from datetime import date
from typing import Protocol
from zoneinfo import ZoneInfo

from tidegate.console import period_text
from tidegate.console.team_query import DEFAULT_RANGE
from tidegate.core.calendar import local_time
from tidegate.core.periods import CUSTOM, OLDEST, PRESETS, Period
from tidegate.services.errors import InvalidField
from tidegate.services.team import TeamReports


class RangeQuery(Protocol):
    """The state of a page that has a range."""

    @property
    def range(self) -> str: ...
    @property
    def first(self) -> str: ...
    @property
    def last(self) -> str: ...
    @property
    def first_day(self) -> date | None: ...
    @property
    def last_day(self) -> date | None: ...
    def with_range(self, name: str) -> str: ...
    def kept(self, *changed: str) -> list[tuple[str, str]]: ...


@dataclass(frozen=True, slots=True)
class Choice:
    title: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class RangePicker:
    title: str  # of the range that is shown
    choices: list[Choice]
    first: str
    last: str
    oldest: str
    today: str
    errors: dict[str, str]  # by field; with one, the default range is shown
    kept: list[tuple[str, str]]  # fields that the form sends along


def choose_period(
    team: TeamReports, organization_id: str, query: RangeQuery, now_us: int
) -> tuple[Period, dict[str, str]]:
    """The period that is asked for; the usual one and the reason where there is no such one."""
    try:
        days = (query.first_day, query.last_day)
        return team.period(organization_id, query.range, now_us, *days), {}
    except InvalidField as refused:
        return team.period(organization_id, DEFAULT_RANGE, now_us), {refused.field: refused.message}


def range_picker(
    period: Period, query: RangeQuery, errors: dict[str, str], *, now_us: int
) -> RangePicker:
    zone = ZoneInfo(period.time_zone)
    today = local_time(now_us, zone).date()
    current = query.range
    custom = current == CUSTOM and not errors
    title = period_text.period_text(period) if custom else period_text.TITLES[period.name]
    return RangePicker(
        title=title,
        choices=[
            Choice(
                period_text.TITLES[name],
                query.with_range(name),
                name == current and not errors,
            )
            for name in PRESETS
        ],
        first=query.first or local_time(period.start_us, zone).date().isoformat(),
        last=query.last or min(period_text.last_day(period).date(), today).isoformat(),
        oldest=OLDEST.isoformat(),
        today=today.isoformat(),
        errors=errors,
        kept=query.kept("range", "first", "last"),
    )
