"""My usage: the same tiles and chart for oneself, one's agents, and what each model took."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tidegate.console import first_run
from tidegate.console.access import Need, page
from tidegate.console.agent_marks import AgentMark, agent_mark
from tidegate.console.budget_asked import Asked, asked_view, newest
from tidegate.console.budget_bar import BudgetBar, budget_bar
from tidegate.console.dialogs import launch_name
from tidegate.console.figures_view import Savings, Value, savings_of, subscription_value, value_of
from tidegate.console.first_run import FirstRun
from tidegate.console.formats import DASH
from tidegate.console.live import LivePage, attempt
from tidegate.console.log_query import NO_MODEL, LogQuery
from tidegate.console.log_range import rows_of
from tidegate.console.overview_view import OverviewView, overview_view, wider_range, zone_note
from tidegate.console.period_text import moment_text
from tidegate.console.range_picker import RangePicker, choose_period, range_picker
from tidegate.console.team_query import TeamQuery, read_query
from tidegate.console.team_view import AgentBadge, Moment, agent_badges, moment
from tidegate.console.web import Web
from tidegate.core.model import Agent
from tidegate.core.periods import Period
from tidegate.services.logins import Viewer
from tidegate.services.team import Figures, Metric, ModelUse
from tidegate.store.ports import StoredKey, StoreUnavailable

_PATH = "/my-usage"


@dataclass(frozen=True, slots=True)
class OwnAgent:
    badge: AgentBadge
    last: Moment | None  # None: never used
    launch: str  # the command that starts it
    debug_until: str = ""  # while its requests are captured


@dataclass(frozen=True, slots=True)
class OwnBudget:
    """The budget that is nearest to its end, and what became of asking for more."""

    bar: BudgetBar
    asked: Asked | None
    waits: bool  # for an admin
    ask_href: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    agent: AgentMark
    model: str
    values: list[Value]  # cost, tokens, requests
    subscription: Value | None
    savings: Savings | None
    last: Moment


@dataclass(frozen=True, slots=True)
class ModelsView:
    rows: list[ModelRow]
    totals: list[Value]
    subscription: Value | None
    savings: Savings | None


@dataclass(frozen=True)
class MyUsageView:
    """The page. A part that is None could not be read."""

    query: TeamQuery
    picker: RangePicker
    overview: OverviewView | None
    models: ModelsView | None
    agents: list[OwnAgent] | None
    budget: OwnBudget | None  # None: no budget applies
    may_enrol: bool
    wider: str
    first_run: FirstRun | None

    @property
    def whole(self) -> bool:
        """Whether everything could be read."""
        return None not in (self.overview, self.models, self.agents)


class MyUsagePage:
    """For everyone who is signed in."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._services = web.services
        self._live = LivePage(web, "my_usage", self.view, passing=self._passing)

    def routes(self) -> Sequence[BaseRoute]:
        return [
            page(_PATH, self.my_usage, need=Need.MEMBER),
            page(f"{_PATH}/parts", self.my_usage_parts, need=Need.MEMBER),
        ]

    async def my_usage(self, request: Request, viewer: Viewer) -> Response:
        query = read_query(request.query_params, _PATH)
        return await run_in_threadpool(self._live.page, request, viewer, query)

    async def my_usage_parts(self, request: Request, viewer: Viewer) -> Response:
        query = read_query(request.query_params, _PATH)
        return await run_in_threadpool(self._live.parts, request, viewer, query)

    def view(self, viewer: Viewer, query: TeamQuery, now_us: int) -> MyUsageView:
        """The page as this person sees it at this moment."""
        team, organization_id = self._services.team, viewer.organization_id
        period, errors = choose_period(team, organization_id, query, now_us)
        overview = attempt(lambda: self._overview(viewer, period, query, now_us))
        models = attempt(lambda: self._models(viewer, period, now_us))
        if overview is None and models is None:
            raise StoreUnavailable("neither the overview nor the models can be read")
        agents = attempt(lambda: self._agents(viewer, period.time_zone, now_us))
        may_enrol = Need.ADMIN.met_by(viewer.role) or viewer.self_enrolment
        return MyUsageView(
            query=query,
            picker=range_picker(period, query, errors, now_us=now_us),
            overview=overview,
            models=models,
            agents=agents,
            budget=attempt(lambda: self._budget(viewer, now_us)),
            may_enrol=may_enrol,
            wider=wider_range(query),
            first_run=self._first_run(viewer, query, agents, may_enrol=may_enrol)
            if overview and overview.empty
            else None,
        )

    def _overview(
        self, viewer: Viewer, period: Period, query: TeamQuery, now_us: int
    ) -> OverviewView:
        organization_id = viewer.organization_id
        drawn = overview_view(
            self._services.team.overview(organization_id, period, viewer.member_id),
            period,
            query,
            rows_of(period, member=(viewer.member_id,)),
            now_us=now_us,
            week_start=viewer.week_start,
        )
        kept = self._services.request_log.kept(organization_id)
        return replace(drawn, note=zone_note(period, kept))

    def _models(self, viewer: Viewer, period: Period, now_us: int) -> ModelsView:
        uses = self._services.team.member_models(viewer.organization_id, period, viewer.member_id)
        total, rows = _sum(uses), rows_of(period, member=(viewer.member_id,))
        return ModelsView(
            rows=[_row(use, rows, period.time_zone, now_us) for use in uses],
            totals=[value_of(total, metric, rows) for metric in Metric],
            subscription=subscription_value(total, rows),
            savings=savings_of(total, rows),
        )

    def _agents(self, viewer: Viewer, time_zone: str, now_us: int) -> list[OwnAgent]:
        keys = self._own_keys(viewer)
        captured = {
            key.record.key_id: moment_text(key.record.debug_until_us, time_zone)
            for key in keys
            if key.record.captures(now_us)
        }
        used = self._services.team.key_uses(viewer.organization_id, [viewer.member_id])
        return [
            OwnAgent(
                badge,
                moment(used[badge.key_id], now_us, time_zone) if badge.key_id in used else None,
                f"tidegate launch {launch_name(Agent(badge.mark.slug))}",
                captured.get(badge.key_id, ""),
            )
            for badge in agent_badges(keys)
        ]

    def _budget(self, viewer: Viewer, now_us: int) -> OwnBudget | None:
        organization_id, member_id = viewer.organization_id, viewer.member_id
        keys = [key.record.key_id for key in self._own_keys(viewer)]
        found = self._services.budget_bars.of_members(organization_id, {member_id: keys})
        if not found:
            return None
        one = found[member_id]
        requests = self._services.budget_requests.list(organization_id, member_id=member_id)
        told = newest(requests, now_us)
        return OwnBudget(
            bar=budget_bar(one),
            asked=asked_view(told, now_us, viewer.time_zone) if told else None,
            waits=any(
                each.state == "open" and each.budget_id == one.budget.budget_id for each in requests
            ),
            ask_href=f"/budgets/{one.budget.budget_id}/ask?from=my-usage",
        )

    def _passing(self, viewer: Viewer, now_us: int) -> tuple[int, int]:
        """What time alone ends: the capturing of one's keys, and windows of budgets."""
        captured = sum(key.record.captures(now_us) for key in self._own_keys(viewer))
        return captured, self._services.budget_bars.turn(viewer.organization_id)

    def _own_keys(self, viewer: Viewer) -> list[StoredKey]:
        keys = self._services.enrolment.list_keys(viewer.organization_id)
        return [key for key in keys if key.record.member_id == viewer.member_id]

    def _first_run(
        self,
        viewer: Viewer,
        query: TeamQuery,
        agents: list[OwnAgent] | None,
        *,
        may_enrol: bool,
    ) -> FirstRun | None:
        """The way to the first request, as long as there was none ever."""
        if agents is None or any(agent.last for agent in agents):
            return None
        key_id = agents[0].badge.key_id if agents else ""
        return first_run.for_member(viewer, query, key_id=key_id, may_enrol=may_enrol)


def _row(use: ModelUse, rows: LogQuery, time_zone: str, now_us: int) -> ModelRow:
    rows = replace(rows, agent=(use.agent,), model=(use.model or NO_MODEL,))
    return ModelRow(
        agent=agent_mark(use.agent),
        model=use.model or DASH,
        values=[value_of(use.figures, metric, rows) for metric in Metric],
        subscription=subscription_value(use.figures, rows),
        savings=savings_of(use.figures, rows),
        last=moment(use.last_us, now_us, time_zone),
    )


def _sum(uses: Sequence[ModelUse]) -> Figures:
    return Figures(
        **{
            name: sum(getattr(use.figures, name) for use in uses)
            for name in Figures.__struct_fields__
        }
    )
