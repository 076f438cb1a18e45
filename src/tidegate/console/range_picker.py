"""The choice of a time range: presets, and two days of one's own."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from tidegate.console import period_text
from tidegate.console.team_query import DEFAULT_RANGE, TeamQuery
from tidegate.core.calendar import local_time
from tidegate.core.periods import CUSTOM, OLDEST, PRESETS, Period
from tidegate.services.errors import InvalidField
from tidegate.services.team import TeamReports


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
    team: TeamReports, organization_id: str, query: TeamQuery, now_us: int
) -> tuple[Period, dict[str, str]]:
    """The period that is asked for; the usual one and the reason where there is no such one."""
    try:
        days = (query.first_day, query.last_day)
        return team.period(organization_id, query.range, now_us, *days), {}
    except InvalidField as refused:
        return team.period(organization_id, DEFAULT_RANGE, now_us), {refused.field: refused.message}


def range_picker(
    period: Period, query: TeamQuery, errors: dict[str, str], *, now_us: int
) -> RangePicker:
    zone = ZoneInfo(period.time_zone)
    today = local_time(now_us, zone).date()
    custom = query.range == CUSTOM and not errors
    title = period_text.period_text(period) if custom else period_text.TITLES[period.name]
    return RangePicker(
        title=title,
        choices=[
            Choice(
                period_text.TITLES[name],
                query.with_range(name),
                name == query.range and not errors,
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
