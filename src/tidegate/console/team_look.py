"""What the Team page shows, read part by part: one that fails leaves the others standing."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from tidegate.console import first_run
from tidegate.console.activity_view import (
    FEW_PULLS,
    FEW_REPOSITORIES,
    TOP,
    ActivityView,
    Forges,
    TopView,
    pull_requests_view,
    repositories_view,
    top_view,
    window,
)
from tidegate.console.first_run import PROVIDER_TITLES, FirstRun, Progress
from tidegate.console.invite import PendingInvitation, pending_view
from tidegate.console.live import attempt
from tidegate.console.log_range import rows_of
from tidegate.console.merged_view import forges_of, merged_text, merged_tiles
from tidegate.console.overview_view import OverviewView, overview_view, wider_range, zone_note
from tidegate.console.range_picker import RangePicker, choose_period, range_picker
from tidegate.console.services import ConsoleServices
from tidegate.console.team_query import TeamQuery
from tidegate.console.team_view import PER_PAGE, MembersView, members_view
from tidegate.console.web import Web
from tidegate.core.model import Provider
from tidegate.core.periods import Period
from tidegate.services.budget_bars import MemberBudget
from tidegate.services.logins import Viewer
from tidegate.services.team import MemberPage
from tidegate.store.forge import MergedTotals
from tidegate.store.people import MemberRecord
from tidegate.store.ports import StoredKey, StoreUnavailable

_LARGE: Final = 16


@dataclass(frozen=True)
class TeamView:
    """The page. A part that is None could not be read."""

    query: TeamQuery
    now_us: int
    picker: RangePicker
    present: int
    active_now: int
    overview: OverviewView | None
    top: TopView | None
    members: MembersView | None
    pending: list[PendingInvitation]
    repositories: ActivityView | None
    pulls: ActivityView | None
    wider: str  # address of a wider range, where there is one
    first_run: FirstRun | None

    @property
    def whole(self) -> bool:
        """Whether everything could be read."""
        return None not in (self.overview, self.top, self.members, self.repositories, self.pulls)

    @property
    def is_small(self) -> bool:
        """Few enough to be asked for more."""
        return self.present + len(self.pending) < _LARGE

    @property
    def is_alone(self) -> bool:
        """Nobody to show beside the one who looks, who has no agent yet."""
        enrolled = self.members is not None and any(card.badges for card in self.members.cards)
        return self.present <= 1 and not self.pending and not enrolled


class TeamLook:
    def __init__(self, web: Web) -> None:
        self._web = web
        self._services = web.services

    def view(self, viewer: Viewer, query: TeamQuery, now_us: int) -> TeamView:
        """The page as this admin sees it at this moment."""
        team = self._services.team
        period, errors = choose_period(team, viewer.organization_id, query, now_us)
        look = _Look(self._web, viewer, period, query, now_us)
        overview = attempt(look.overview)
        ranking = attempt(look.ranking)
        if overview is None and ranking is None:
            raise StoreUnavailable("neither the overview nor the members can be read")
        if ranking:
            look.query = query = ranking.query
        return TeamView(
            query=query,
            now_us=now_us,
            picker=range_picker(period, query, errors, now_us=now_us),
            present=ranking.present if ranking else 0,
            active_now=ranking.page.active_now if ranking else 0,
            overview=overview,
            top=attempt(look.top),
            members=ranking.view(period, now_us) if ranking else None,
            pending=ranking.pending if ranking else [],
            repositories=attempt(look.repositories),
            pulls=attempt(look.pulls),
            wider=wider_range(query),
            first_run=self._first_run(viewer, query, ranking)
            if overview and overview.empty
            else None,
        )

    def _first_run(
        self, viewer: Viewer, query: TeamQuery, ranking: "_Ranking | None"
    ) -> FirstRun | None:
        """The way to the first request, as long as there was none ever."""
        if ranking is None or any(use.ever for use in ranking.page.uses):
            return None
        if self._services.usage.last_used(viewer.organization_id):
            return None
        available = self._services.credentials.available(viewer.organization_id)
        keys = self._services.enrolment.list_keys(viewer.organization_id)
        newest = max(keys, key=lambda key: key.created_us, default=None)
        progress = Progress(
            providers=tuple(PROVIDER_TITLES[Provider(each)] for each in sorted(available)),
            invited=ranking.present > 1 or bool(ranking.pending),
            key_id=newest.record.key_id if newest else "",
        )
        return first_run.for_admin(viewer, progress, query)


@dataclass(frozen=True)
class _Ranking:
    """A page of the members, with what is told of them beside their use."""

    query: TeamQuery  # with the page that there is
    page: MemberPage
    keys: dict[str, list[StoredKey]]  # by member, of those on the page
    present: int
    pending: list[PendingInvitation]
    budgets: dict[str, MemberBudget]  # by member

    def view(self, period: Period, now_us: int) -> MembersView:
        return members_view(
            self.page, self.keys, period, self.query, budgets=self.budgets, now_us=now_us
        )


@dataclass
class _Look:
    """The parts of one look at the page."""

    web: Web
    viewer: Viewer
    period: Period
    query: TeamQuery
    now_us: int

    @property
    def services(self) -> ConsoleServices:
        return self.web.services

    @property
    def organization_id(self) -> str:
        return self.viewer.organization_id

    def overview(self) -> OverviewView:
        overview = self.services.team.overview(self.organization_id, self.period)
        week_start = self.viewer.week_start
        drawn = overview_view(
            overview,
            self.period,
            self.query,
            rows_of(self.period),
            now_us=self.now_us,
            week_start=week_start,
        )
        kept = self.services.request_log.kept(self.organization_id)
        tiles = [*drawn.tiles, *merged_tiles(self._merged(), self.query)]
        return replace(drawn, note=zone_note(self.period, kept), tiles=tiles)

    def _merged(self) -> MergedTotals:
        return self.services.team.merged(self.organization_id, self.period)

    @cached_property
    def forges(self) -> Forges:
        return forges_of(self.services, self.organization_id)

    def ranking(self) -> _Ranking:
        query, page = self.query, self._members(self.query)
        if not page.uses and page.total:
            query = replace(query, page=-(-page.total // PER_PAGE))
            page = self._members(query)
        people = self.services.members.list(self.organization_id)
        by_member: dict[str, list[StoredKey]] = {}
        shown = [use.member.member_id for use in page.uses]
        for key in self.services.enrolment.list_keys(self.organization_id, shown):
            by_member.setdefault(key.record.member_id, []).append(key)
        return _Ranking(
            query=query,
            page=page,
            keys=by_member,
            present=sum(not member.removed_us for member in people),
            pending=self._pending(people),
            budgets=self._budgets(page, by_member),
        )

    def top(self) -> TopView:
        ranked = self.services.team.top_repositories(self.organization_id, self.period, TOP)
        return top_view(ranked, self.period, self.forges)

    def repositories(self) -> ActivityView:
        limit, offset = window(self.query.repositories, FEW_REPOSITORIES)
        ranked = self.services.team.repositories(
            self.organization_id, self.period, self.query.sort, limit, offset
        )
        return repositories_view(ranked, self.query, self.period, self.forges, now_us=self.now_us)

    def pulls(self) -> ActivityView:
        limit, offset = window(self.query.pulls, FEW_PULLS)
        ranked = self.services.team.pull_requests(
            self.organization_id, self.period, self.query.sort, limit, offset
        )
        view = pull_requests_view(ranked, self.query, self.period, self.forges, now_us=self.now_us)
        return replace(view, merged=merged_text(self._merged(), self.query))

    def _members(self, query: TeamQuery) -> MemberPage:
        return self.services.team.members(
            self.organization_id,
            self.period,
            query.sort,
            offset=(query.page - 1) * PER_PAGE,
            limit=PER_PAGE,
            find=query.find,
        )

    def _budgets(
        self, page: MemberPage, keys: dict[str, list[StoredKey]]
    ) -> dict[str, MemberBudget]:
        """Of the cards that are shown; a table has no bars."""
        if self.query.view == "table":
            return {}
        ids = [use.member.member_id for use in page.uses if not use.member.removed_us]
        shown = {one: [key.record.key_id for key in keys.get(one, ())] for one in ids}
        bars = self.services.budget_bars
        return attempt(lambda: bars.of_members(self.organization_id, shown)) or {}

    def _pending(self, people: list[MemberRecord]) -> list[PendingInvitation]:
        """Those that fit what is looked for."""
        names = {member.member_id: member.name or member.email for member in people}
        wanted = self.query.find.casefold()
        return [
            pending_view(self.web, self.viewer, each, names.get(each.invited_by, ""))
            for each in self.services.invitations.pending(self.organization_id)
            if wanted in each.email.casefold()
        ]
