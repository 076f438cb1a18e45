"""What the Team page and My usage show of a time range, read from rollups alone."""

from collections.abc import Container, Iterable
from datetime import date
from operator import attrgetter
from typing import Final, Generic, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.calendar import HOUR_US
from tidegate.core.figures import Figures, Metric
from tidegate.core.periods import Period, PeriodFault
from tidegate.core.periods import period as period_of
from tidegate.core.spans import (
    Slice,
    Span,
    previous_slices,
    running_slice,
    settled_slices,
)
from tidegate.services.errors import InvalidField
from tidegate.services.known_sums import Known
from tidegate.services.team_places import Places, TeamPlaces, figures_of, sessions_of
from tidegate.store.forge import MergedTotals, PullCost, PullRequest
from tidegate.store.people import MemberRecord
from tidegate.store.ports import Store
from tidegate.store.team import PlaceSums

__all__ = [
    "Figures", "MemberPage", "MemberUse", "Metric", "ModelUse", "Overview", "PullRequestUse",
    "Ranked", "RankedPullRequests", "RankedRepositories", "RepositoryUse", "TeamReports",
    "Unattributed",
]  # fmt: skip

Use = TypeVar("Use")

_NOTHING: Final = Figures()


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
    told: PullRequest | None = None  # what the forge knows of it


class Unattributed(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to none of the rows, so that the sums equal the total."""

    sessions: int = 0
    figures: Figures = Figures()


class Ranked(msgspec.Struct, Generic[Use], frozen=True, kw_only=True):
    """Some of what there is, most first."""

    rows: list[Use]
    total: int
    unattributed: Unattributed


RankedRepositories = Ranked[RepositoryUse]
RankedPullRequests = Ranked[PullRequestUse]


class ModelUse(msgspec.Struct, frozen=True, kw_only=True):
    agent: str  # Agent
    model: str
    figures: Figures
    last_us: int


class TeamReports:
    """Reads only."""

    def __init__(self, store: Store) -> None:
        self._directory = store.directory
        self._team = store.usage.team
        self._forge = store.usage.forge
        self._known = Known(store.usage.team)
        self._places = TeamPlaces(store.usage.team, store.usage.forge, self._known)

    def period(
        self,
        organization_id: str,
        name: str,
        now_us: int,
        first: date | None = None,
        last: date | None = None,
    ) -> Period:
        """A range in the zone of the organization's sums. InvalidField if there is none."""
        zone = ZoneInfo(self._team.time_zone(organization_id))
        with self._directory.reading() as reads:
            organization = reads.organization(organization_id)
        week_start = organization.week_start if organization else 1
        try:
            return period_of(name, now_us, zone, first=first, last=last, week_start=week_start)
        except PeriodFault as fault:
            raise InvalidField(fault.sentence, field=fault.field) from fault

    def overview(self, organization_id: str, period: Period, member_id: str = "") -> Overview:
        """All of an organization, or what one member used."""
        part, previous = _of_bars(period), previous_slices(period)
        if member_id:
            members = [member_id]
            found = self._team.member_buckets(organization_id, part, members)
            buckets = {start_us: figures for (_, start_us), figures in found.items()}
            before = [*self._team.member_sums(organization_id, previous, members).values()]
        else:
            buckets = self._team.totals(organization_id, (part,))
            before = [*self._team.totals(organization_id, previous).values()]
        series = [Figures()] * len(period.starts)
        for start_us, figures in buckets.items():
            series[period.index_of(start_us)] += figures
        return Overview(totals=sum(series, Figures()), before=sum(before, Figures()), series=series)

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
        """Everyone, most of the metric first; `find` is part of a name or an email.

        A rank is among all, whatever is looked for.
        """
        sums = self._member_sums(organization_id, period)
        last_uses = self._team.member_uses(organization_id)
        people = self._people(organization_id, sums)
        ranks = _ranks(figures.of(metric) for figures in sums.values())
        wanted = find.strip().casefold()
        found = [member for member in people if _fits(member, wanted)]
        found.sort(
            key=lambda member: _order(
                member,
                sums.get(member.member_id, _NOTHING),
                metric,
                last_uses.get(member.member_id, 0),
            )
        )
        shown = found[offset : offset + limit]
        series = self._series(organization_id, period, metric, [m.member_id for m in shown])
        uses = [
            MemberUse(
                member=member,
                figures=(figures := sums.get(member.member_id, _NOTHING)),
                rank=ranks.get(figures.of(metric), 0),
                last_us=last_uses.get(member.member_id, 0),
                ever=member.member_id in last_uses,
                series=series[member.member_id],
            )
            for member in shown
        ]
        since_us = period.now_us - HOUR_US
        present = (member.member_id for member in people if not member.removed_us)
        active_now = sum(last_uses.get(member_id, 0) >= since_us for member_id in present)
        return MemberPage(uses=uses, total=len(found), active_now=active_now)

    def top_repositories(
        self, organization_id: str, period: Period, limit: int = 7
    ) -> RankedRepositories:
        """By sessions, most first."""
        return self._repositories(organization_id, period, "sessions", slice(limit))

    def repositories(
        self, organization_id: str, period: Period, metric: Metric, limit: int, offset: int = 0
    ) -> RankedRepositories:
        """By the metric, most first."""
        shown = slice(offset, offset + limit)
        return self._repositories(organization_id, period, metric.field, shown)

    def pull_requests(
        self, organization_id: str, period: Period, metric: Metric, limit: int, offset: int = 0
    ) -> RankedPullRequests:
        """By the metric, most first."""
        places = self._places.of(organization_id, period)
        shown = places.pulls(metric, slice(offset, offset + limit))
        told = self._forge.pull_requests(organization_id, list(filter(None, map(_asked, shown))))
        return RankedPullRequests(
            rows=[
                PullRequestUse(
                    repository=place.repository,
                    pull_request=place.pull_request,
                    sessions=place.sessions,
                    figures=place.figures,
                    last_us=place.last_us,
                    told=told.get(asked) if (asked := _asked(place)) else None,
                )
                for place in shown
            ],
            total=places.pull_totals.count,
            unattributed=_beside_pulls(places),
        )

    def merged(self, organization_id: str, period: Period) -> MergedTotals:
        """Pull requests that were merged in the period, and what they cost in all their time."""
        return self._known.unchanged(
            organization_id,
            period,
            lambda: self._forge.merged_totals(organization_id, period.start_us, period.end_us),
            "merged",
        )

    def merged_median(self, organization_id: str, period: Period) -> int:
        """The middle one of what those cost that requests were made for."""
        return self._known.unchanged(
            organization_id,
            period,
            lambda: self._forge.merged_median(organization_id, period.start_us, period.end_us),
            "median",
        )

    def hears_of_pulls(self, organization_id: str) -> bool:
        """Whether a forge has told all that it knows once."""
        return self._forge.status(organization_id).last_success_us > 0

    def merged_page(
        self, organization_id: str, period: Period, cursor: str, limit: int
    ) -> tuple[list[PullCost], str]:
        """Some of them, the last merged first, and the cursor of the next."""
        return self._forge.merged_between(
            organization_id, period.start_us, period.end_us, cursor, limit
        )

    def member_models(self, organization_id: str, period: Period, member_id: str) -> list[ModelUse]:
        """What a member used by agent and model, dearest first."""
        span = Span.DAY if period.is_whole_days else Span.HOUR
        part = Slice(span, period.start_us, period.end_us)
        uses = [
            ModelUse(agent=s.agent, model=s.model, figures=s.figures, last_us=s.last_us)
            for s in self._team.model_sums(organization_id, part, member_id)
        ]
        uses.sort(
            key=lambda use: (-use.figures.cost_nusd, -use.figures.tokens, use.agent, use.model)
        )
        return uses

    def key_uses(self, organization_id: str, member_ids: list[str]) -> dict[str, int]:
        """When each key of these members was last used; one that never was is absent."""
        if not member_ids:
            return {}
        return self._team.key_uses(organization_id, member_ids)

    def active_since(self, organization_id: str, since_us: int) -> int:
        """How many people used something since then: it goes down with nothing else changing."""
        last_uses = self._team.member_uses(organization_id).values()
        return sum(last_us >= since_us for last_us in last_uses)

    def version(self, organization_id: str) -> str:
        """Changes with whatever a page could show: use, the directory, a zone."""
        return f"{self._directory.version()}.{self._team.version(organization_id)}"

    def _people(self, organization_id: str, used: Container[str]) -> list[MemberRecord]:
        """Those who are present, and those who are not but used something."""
        with self._directory.reading() as reads:
            return [
                member
                for member in reads.members(organization_id)
                if not member.removed_us or member.member_id in used
            ]

    def _series(
        self, organization_id: str, period: Period, metric: Metric, member_ids: list[str]
    ) -> dict[str, list[int]]:
        if not member_ids:
            return {}
        bars, running = _of_bars(period), running_slice(period)

        def read(start_us: int, end_us: int) -> list[tuple[str, int, int]]:
            part = Slice(bars.span, start_us, end_us)
            found = self._team.member_buckets(organization_id, part, member_ids)
            return [(who, at_us, figures.of(metric)) for (who, at_us), figures in found.items()]

        series = {member_id: [0] * len(period.starts) for member_id in member_ids}
        settled = self._known.settled(
            organization_id,
            period,
            ("series", metric.value, *member_ids),
            lambda: read(bars.start_us, running.start_us),
        )
        for values in (settled or [], read(running.start_us, running.end_us)):
            for member_id, at_us, value in values:
                series[member_id][period.index_of(at_us)] += value
        return series

    def _member_sums(self, organization_id: str, period: Period) -> dict[str, Figures]:
        settled = self._known.settled(
            organization_id,
            period,
            ("members",),
            lambda: self._team.member_sums(organization_id, settled_slices(period)),
        )
        sums = dict(settled or {})
        running = self._team.member_sums(organization_id, (running_slice(period),))
        for member_id, figures in running.items():
            sums[member_id] = sums.get(member_id, _NOTHING) + figures
        return sums

    def _repositories(
        self,
        organization_id: str,
        period: Period,
        field: str,
        shown: slice,
    ) -> RankedRepositories:
        whole = self._places.of(organization_id, period).repositories
        named = [place for place in whole if place.repository]
        named.sort(key=attrgetter("repository"))
        named.sort(key=attrgetter(field, "sessions", "tokens"), reverse=True)
        rows = [
            RepositoryUse(
                repository=place.repository,
                sessions=place.sessions,
                figures=place.figures,
                last_us=place.last_us,
            )
            for place in named[shown]
        ]
        rest = [place for place in whole if not place.repository]
        unattributed = Unattributed(sessions=sessions_of(rest), figures=figures_of(rest))
        return RankedRepositories(rows=rows, total=len(named), unattributed=unattributed)


def _of_bars(period: Period) -> Slice:
    """The stored buckets that its bars are made of."""
    span = Span.HOUR if period.by_hours else Span.DAY
    return Slice(span, period.start_us, period.end_us)


def _ranks(values: Iterable[int]) -> dict[int, int]:
    """The rank of each value above zero; equal ones share it, and the next is as much lower."""
    ranks: dict[int, int] = {}
    for place, value in enumerate(sorted(values, reverse=True), 1):
        if value > 0:
            ranks.setdefault(value, place)
    return ranks


def _order(
    member: MemberRecord, figures: Figures, metric: Metric, last_us: int
) -> tuple[int, int, bool, str, str]:
    """Who never used anything comes last."""
    name = (member.name or member.email).casefold()
    return -figures.of(metric), -figures.tokens, not last_us, name, member.member_id


def _fits(member: MemberRecord, wanted: str) -> bool:
    return wanted in member.name.casefold() or wanted in member.email.casefold()


def _beside_pulls(places: Places) -> Unattributed:
    """What belongs to no pull request."""
    whole, totals = places.repositories, places.pull_totals
    return Unattributed(
        sessions=max(0, sessions_of(whole) - totals.sessions),
        figures=figures_of(whole) - totals.figures,
    )


def _asked(place: PlaceSums) -> tuple[str, int] | None:
    """How the forge is asked for a pull request."""
    number = place.pull_request
    plausible = number.isascii() and number.isdigit() and len(number) < 10
    return (place.repository, int(number)) if plausible else None
