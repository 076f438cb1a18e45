"""Asking for more of a budget that counts one's own requests, and taking that back."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tidegate.console.access import Need, page
from tidegate.console.budget_asked import asked_view
from tidegate.console.budgets import GONE, PATH, BudgetView
from tidegate.console.dialogs import actor_of
from tidegate.console.web import Web
from tidegate.services import money
from tidegate.services.budget_standings import BudgetStanding
from tidegate.services.errors import InvalidField, NotFound, Refused
from tidegate.services.logins import Viewer
from tidegate.store.budgets import BudgetRequestRecord

_FIELDS: Final = ("amount", "reason", "subject", "from")
_HOMES: Final = {"my-usage": "/my-usage"}  # where a dialog was opened, besides Budgets


class BudgetAsking:
    """For everyone, for themselves."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._view = BudgetView(web)
        self._requests = web.services.budget_requests

    def routes(self) -> list[BaseRoute]:
        ask = f"{PATH}/{{budget_id}}/ask"
        withdraw = f"{PATH}/requests/{{budget_request_id}}/withdraw"
        return [
            page(ask, self.form, need=Need.MEMBER),
            page(ask, self.ask, methods=["POST"], need=Need.MEMBER),
            page(withdraw, self.withdraw, methods=["POST"], need=Need.MEMBER),
        ]

    async def form(self, request: Request, viewer: Viewer) -> Response:
        return await self._form(request, viewer, request.query_params)

    async def ask(self, request: Request, viewer: Viewer) -> Response:
        fields: dict[str, str] = request.state.form
        own = await run_in_threadpool(self._own, request, viewer)
        try:
            await run_in_threadpool(self._ask, request, viewer, own)
        except NotFound:
            raise
        except Refused as refused:
            return await self._form(request, viewer, fields, refused)
        told = "Asked. An admin decides; what becomes of it is shown here."
        return self._web.done(request, _home(fields), told, leave=True)

    async def withdraw(self, request: Request, viewer: Viewer) -> Response:
        try:
            await run_in_threadpool(
                self._requests.withdraw,
                viewer.organization_id,
                request.path_params["budget_request_id"],
                viewer.member_id,
                actor=actor_of(request, viewer),
            )
        except NotFound:
            raise
        except Refused as refused:  # it was decided meanwhile: its page says what holds
            return self._web.done(request, _page_of(request), refused.message, leave=True)
        return self._web.done(request, PATH, "Taken back.", leave=True)

    def _ask(self, request: Request, viewer: Viewer, own: Sequence[BudgetStanding]) -> None:
        fields: dict[str, str] = request.state.form
        subjects = [one.subject.text for one in own]
        chosen = fields.get("subject", "") or subjects[0]
        if chosen not in subjects:
            raise InvalidField("Choose one of yours.", field="subject")
        amount_nusd = money.amount(fields.get("amount", ""), least_nusd=1)
        if not fields.get("reason", "").strip():
            raise InvalidField("Say what it is needed for.", field="reason")
        self._requests.ask(
            viewer.organization_id,
            viewer.member_id,
            own[0].budget.budget_id,
            amount_nusd=amount_nusd,
            reason=fields["reason"],
            subject=chosen,
            actor=actor_of(request, viewer),
        )

    async def _form(
        self,
        request: Request,
        viewer: Viewer,
        typed: Mapping[str, str],
        refused: Refused | None = None,
    ) -> Response:
        own = await run_in_threadpool(self._own, request, viewer)
        waiting = await run_in_threadpool(self._waiting, viewer, own[0].budget.budget_id)
        rows = self._view.rows(viewer)
        shown = None
        if waiting is not None:
            shown = asked_view(waiting, self._web.clock(), viewer.time_zone)
        return self._view.dialog(
            request,
            viewer,
            "budget_ask.html",
            status=422 if refused else 200,
            home=_home(typed),
            errors={refused.field: refused.message} if refused else {},
            budget=own[0].budget,
            rows=[(one.subject.text, rows.row(one)) for one in own],
            waiting=shown,
            values={name: typed.get(name, "") for name in _FIELDS},
        )

    def _own(self, request: Request, viewer: Viewer) -> Sequence[BudgetStanding]:
        """How the budget stands for the viewer: more than once where each key has its own."""
        self._web.services.drain_now()
        own = self._web.services.budget_standings.of_member(
            viewer.organization_id, viewer.member_id
        )
        found = [one for one in own if one.budget.budget_id == request.path_params["budget_id"]]
        if not found:
            raise NotFound(GONE)
        return found

    def _waiting(self, viewer: Viewer, budget_id: str) -> BudgetRequestRecord | None:
        own = self._requests.list(viewer.organization_id, member_id=viewer.member_id)
        return next(
            (each for each in own if each.budget_id == budget_id and each.state == "open"), None
        )


def _home(fields: Mapping[str, str]) -> str:
    return _HOMES.get(fields.get("from", ""), PATH)


def _page_of(request: Request) -> str:
    return f"{PATH}/requests/{request.path_params['budget_request_id']}"
