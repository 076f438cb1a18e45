"""The weekly digest: what the week that ended cost, by whom and where, against the one before.

It is made once a week, on the first morning of the organization's week, or as soon after it as
the server runs. No day is told of twice, also where weeks begin on another day from now on.
"""

from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.core.calendar import date_start_us, local_time
from tidegate.core.figures import Figures, Metric
from tidegate.core.periods import Period
from tidegate.services.alert_messages import Event, Message
from tidegate.services.alert_outbox import address
from tidegate.services.alert_words import usd
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.team import TeamReports
from tidegate.services.vault import Subkeys
from tidegate.store.ports import Store

MORNING_H: Final = 8
_TOP: Final = 3
_ONE_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)


class AlertDigest(Service):
    """Makes digests; the outbox sends them."""

    def __init__(
        self,
        store: Store,
        subkeys: Subkeys,
        clock: Clock = now_us,
        *,
        team: TeamReports,
        public_url: str,
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._team = team
        self._public_url = public_url.rstrip("/")

    def make(self, organization_id: str) -> bool:
        """Make the digest of the week that ended, if that was not done and is due."""
        now_us = self._clock()
        with self._directory.reading() as reads:
            organization = reads.organization(organization_id)
            settings = reads.alert_settings(organization_id)
        if organization is None or settings is None or not settings.digest:
            return False
        zone = ZoneInfo(organization.time_zone)
        now = local_time(now_us, zone)
        first = _week_before(now.date(), organization.week_start)
        if now.date() == first + _WEEK and now.hour < MORNING_H:
            return False
        week = first.isoformat()
        near = (first - _WEEK + _ONE_DAY).isoformat(), (first + _WEEK - _ONE_DAY).isoformat()
        with self._directory.reading() as reads:
            if reads.has_digest(organization_id, *near):
                return False
        message = self._message(organization_id, organization.name, first, zone)
        with self._directory.changing() as change:
            told = change.has_digest(organization_id, *near)
            if told or not change.add_digest(organization_id, week, now_us):
                return False
            if message is not None:
                change.add_deliveries(address(change, message, week, now_us=now_us))
        return message is not None

    def _message(
        self, organization_id: str, name: str, first: date, zone: ZoneInfo
    ) -> Message | None:
        """What is told; nothing of two weeks without a request."""
        last = first + _WEEK - _ONE_DAY
        period = self._team.period(organization_id, "custom", self._clock(), first=first, last=last)
        overview = self._team.overview(organization_id, period)
        if not overview.totals.requests and not overview.before.requests:
            return None
        start_us, end_us = date_start_us(first, zone), date_start_us(first + _WEEK, zone)
        with self._directory.reading() as reads:
            alerts = reads.alerts_between(organization_id, start_us, end_us)
        facts = [
            (
                "Cost",
                f"{usd(overview.totals.cost_nusd)}{_change(overview.totals, overview.before)}",
            ),
            ("Requests", f"{overview.totals.requests:,}"),
            ("Tokens", f"{overview.totals.tokens:,}"),
            *self._tops(organization_id, period),
            ("Alerts", str(len(alerts)) if alerts else "none"),
        ]
        days = f"{_day(first)} to {_day(last)} {last.year}"
        return Message(
            event=Event.DIGEST,
            organization_id=organization_id,
            organization=name,
            title=f"{name}: the week of {_day(first)}",
            paragraphs=(f"What {name} used from {days}.",),
            facts=tuple(facts),
            link=f"{self._public_url}/?range=custom&first={first}&last={last}",
        )

    def _tops(self, organization_id: str, period: Period) -> list[tuple[str, str]]:
        team = self._team
        members = team.members(organization_id, period, Metric.COST, limit=_TOP).uses
        repositories = team.repositories(organization_id, period, Metric.COST, limit=_TOP).rows
        pulls = team.pull_requests(organization_id, period, Metric.COST, limit=_TOP).rows
        named = {
            "Members": [(m.member.name or m.member.email, m.figures) for m in members],
            "Repositories": [(r.repository, r.figures) for r in repositories],
            "Pull requests": [(f"{p.repository}#{p.pull_request}", p.figures) for p in pulls],
        }
        told = {
            title: [
                f"{name} {usd(figures.cost_nusd)}" for name, figures in rows if figures.requests
            ]
            for title, rows in named.items()
        }
        return [(title, ", ".join(lines)) for title, lines in told.items() if lines]


def _week_before(today: date, week_start: int) -> date:
    """The first day of the week that ended last."""
    return today - timedelta(days=(today.isoweekday() - week_start) % 7) - _WEEK


def _change(now: Figures, before: Figures) -> str:
    if not before.cost_nusd:
        return ""
    percent = round((now.cost_nusd - before.cost_nusd) * 100 / before.cost_nusd)
    if not percent:
        return ", as much as the week before"
    return f", {abs(percent)} % {'more' if percent > 0 else 'less'} than the week before"


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"
