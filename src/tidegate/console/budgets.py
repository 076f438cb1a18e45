"""The Budgets page: how they stand, where their windows will end, and what needs a decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tidegate.console.access import Need, page
from tidegate.console.budget_asked import Asked, asked_view
from tidegate.console.budget_chart import course_view
from tidegate.console.budget_decisions import decisions
from tidegate.console.budget_rows import (
    FULL_PERMILLE,
    BudgetRow,
    Rows,
    is_of_each,
    money,
    subject_words,
    window_words,
)
from tidegate.console.dialogs import Moment
from tidegate.console.settings import SettingsView
from tidegate.console.web import Web, is_partial
from tidegate.core.budgets import Budget, Raise, Scope
from tidegate.core.calendar import local_time
from tidegate.core.model import Role
from tidegate.services.budget_standings import BudgetStanding
from tidegate.services.errors import NotFound
from tidegate.services.logins import Viewer
from tidegate.store.budgets import BudgetRequestRecord

PATH: Final = "/budgets"
CURRENT: Final = "budgets"
_FILTERS: Final = (("", "All"), ("near", "Near limit"), ("blocked", "Blocked"))
_MOST_ASKED: Final = 3
_MOST_PASSED: Final = 20  # so many budgets are asked when they passed their limit
GONE: Final = "There is no such budget, or none that concerns you."


@dataclass(frozen=True, slots=True)
class Standing:
    """All that the page is made of."""

    budgets: Sequence[Budget]
    standings: Sequence[BudgetStanding]
    requests: Sequence[BudgetRequestRecord]


class BudgetView:
    """What the pages of budgets share."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.services = web.services
        self._moments = SettingsView(web)

    def dialog(
        self,
        request: Request,
        viewer: Viewer,
        template: str,
        *,
        status: int = 200,
        home: str = PATH,
        **context: Any,
    ) -> Response:
        """A dialog above the page, or a page of its own."""
        context |= {"home": home, "acts": viewer.role != Role.MEMBER}
        if is_partial(request):
            return self.web.fragment(request, template, status=status, viewer=viewer, **context)
        return self.web.page(
            request, template, status=status, viewer=viewer, current=CURRENT, **context
        )

    def rows(self, viewer: Viewer) -> Rows:
        return Rows(self.web.clock(), viewer.time_zone, self.squads(viewer))

    def moment(self, viewer: Viewer, at_us: int) -> Moment:
        return self._moments.moment(viewer, at_us)

    def squads(self, viewer: Viewer) -> dict[str, str]:
        """What squads are called."""
        found = self.services.squads.list(viewer.organization_id)
        return {squad.record.squad_id: squad.record.name for squad in found}

    def names(self, viewer: Viewer) -> dict[str, str]:
        """What members are called, those who are gone too."""
        found = self.services.members.list(viewer.organization_id)
        return {member.member_id: member.name or member.email for member in found}

    def standings(self, viewer: Viewer, budget_id: str = "") -> list[BudgetStanding]:
        """Of all budgets or of one; of a member those that count the member's requests."""
        self.services.drain_now()
        reads = self.services.budget_standings
        if viewer.role != Role.MEMBER:
            return reads.all(viewer.organization_id, budget_id)
        own = reads.of_member(viewer.organization_id, viewer.member_id)
        return [one for one in own if budget_id in {"", one.budget.budget_id}]

    def look(self, viewer: Viewer, budget_id: str = "") -> Standing:
        """Budgets with their standings, and the newest requests for more of them."""
        standings = self.standings(viewer, budget_id)
        if viewer.role == Role.MEMBER:
            shown = {one.budget.budget_id: one.budget for one in standings}
            own = self.services.budget_requests.list(
                viewer.organization_id, member_id=viewer.member_id
            )
            return Standing(list(shown.values()), standings, own)
        budgets = self.services.budgets.list(viewer.organization_id)
        chosen = [each for each in budgets if budget_id in {"", each.budget_id}]
        return Standing(
            chosen, standings, self.services.budget_requests.list(viewer.organization_id)
        )


class BudgetsPage:
    """Members see what concerns them; admins all."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._view = BudgetView(web)

    def routes(self) -> list[BaseRoute]:
        return [
            page(PATH, self.show, need=Need.MEMBER),
            page(f"{PATH}/{{budget_id}}", self.one, need=Need.MEMBER),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        wanted = request.query_params.get("show", "")
        chosen = wanted if wanted in {"near", "blocked"} else ""
        context = await run_in_threadpool(self._page, viewer, chosen)
        return self._web.page(request, "budgets.html", viewer=viewer, current=CURRENT, **context)

    async def one(self, request: Request, viewer: Viewer) -> Response:
        context = await run_in_threadpool(self._one, viewer, request.path_params["budget_id"])
        return self._web.page(request, "budget.html", viewer=viewer, current=CURRENT, **context)

    def _page(self, viewer: Viewer, chosen: str) -> dict[str, Any]:
        acts = viewer.role != Role.MEMBER
        found, rows = self._view.look(viewer), self._view.rows(viewer)
        passed = self._passed(viewer, found.standings)
        all_rows = (
            rows.of(found.budgets, found.standings, passed)
            if acts
            else [self._own(rows, one, passed) for one in found.standings]
        )
        shown = [row for row in all_rows if _is_shown(row, chosen)]
        names = self._view.names(viewer)
        now_us = self._web.clock()
        needed, more = (
            decisions(rows, now_us, found.standings, found.requests, names) if acts else ([], 0)
        )
        return {
            "acts": acts,
            "rows": shown,
            "total": len(all_rows),
            "filters": [(word, f"{PATH}?show={n}" if n else PATH, n) for n, word in _FILTERS],
            "chosen": chosen,
            "hero": self._hero(viewer, found.standings),
            "decisions": needed,
            "more": more,
            "requests": [] if acts else self._requests(viewer, found),
        }

    def _own(self, rows: Rows, one: BudgetStanding, passed: dict[str, int]) -> BudgetRow:
        return rows.row(one, passed_us=passed.get(one.budget.budget_id, 0))

    def _one(self, viewer: Viewer, budget_id: str) -> dict[str, Any]:
        """One budget: each of its subjects, and its raises."""
        found, rows = self._view.look(viewer, budget_id), self._view.rows(viewer)
        if not found.budgets:
            raise NotFound(GONE)
        [budget] = found.budgets
        of_each = is_of_each(budget)
        raises = self._web.services.budgets.raises(viewer.organization_id, budget_id)
        own = {one.subject.text for one in found.standings}
        acts = viewer.role != Role.MEMBER
        return {
            "acts": acts,
            "budget": budget,
            "title": rows.of([budget], found.standings, {})[0].title,
            "rows": [rows.row(one) for one in found.standings],
            "of_each": of_each,
            "amount_of": money(budget.amount_nusd),
            "window": window_words(budget),
            "hero": None if of_each and acts else self._hero(viewer, found.standings),
            "raises": [
                self._raise(viewer, each, found.standings)
                for each in reversed(raises)
                if acts or each.subject in {"", *own}
            ],
        }

    def _raise(
        self, viewer: Viewer, made: Raise, standings: Sequence[BudgetStanding]
    ) -> dict[str, Any]:
        titles = {one.subject.text: one.title for one in standings}
        return {
            "id": made.raise_id,
            "extra": money(made.extra_nusd),
            "whom": titles.get(made.subject, made.subject),
            "since": self._view.moment(viewer, made.from_us),
            "until": self._view.moment(viewer, made.until_us),
            "holds": made.holds(self._web.clock()),
        }

    def _requests(self, viewer: Viewer, found: Standing) -> list[Asked]:
        """What a member asked for."""
        now_us = self._web.clock()
        return [asked_view(each, now_us, viewer.time_zone) for each in found.requests[:_MOST_ASKED]]

    def _hero(self, viewer: Viewer, standings: Sequence[BudgetStanding]) -> dict[str, Any] | None:
        """The organization's budget, else the one that is nearest to its end."""
        if not standings:
            return None
        one = max(standings, key=_weight)
        reads = self._web.services.budget_standings
        course = reads.course(viewer.organization_id, one)
        return {
            "row": self._view.rows(viewer).row(one),
            "title": f"{subject_words(one)} · {self._window(viewer, one)}",
            "gone": money(one.standing.gone_nusd),
            "course": course_view(one, course, viewer.time_zone),
        }

    def _window(self, viewer: Viewer, one: BudgetStanding) -> str:
        """`November`, `this week`."""
        if one.budget.window == "month":
            return f"{local_time(one.window.start_us, ZoneInfo(viewer.time_zone)):%B}"
        known = {"day": "today", "week": "this week", "lifetime": "lifetime"}
        return known.get(one.budget.window, f"last {window_words(one.budget)}")

    def _passed(self, viewer: Viewer, standings: Sequence[BudgetStanding]) -> dict[str, int]:
        """When soft budgets passed their limit."""
        over = [
            one
            for one in standings
            if not one.budget.hard
            and not is_of_each(one.budget)
            and one.used_permille >= FULL_PERMILLE
        ]
        found = {}
        for one in over[:_MOST_PASSED]:
            course = self._web.services.budget_standings.course(viewer.organization_id, one)
            days = [at_us for at_us, spent in course if spent >= one.limit_nusd]
            if days:
                found[one.budget.budget_id] = days[0] - 1  # the end of that day
        return found


def _is_shown(row: BudgetRow, chosen: str) -> bool:
    if chosen == "blocked":
        return row.any_blocked
    return row.near if chosen == "near" else True


def _weight(one: BudgetStanding) -> tuple[bool, bool, int]:
    """What is shown large: the organization's, with a window that ends, and hard before soft."""
    has_course = one.window.end_us > 0
    whole = one.budget.scope == Scope.ORGANIZATION
    return whole and has_course, has_course, one.used_permille
