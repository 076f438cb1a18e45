"""The page that mail and chat link to: who asks for how much more, and why. A POST decides."""

from collections.abc import Callable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tidegate.console import formats
from tidegate.console.access import Need, page
from tidegate.console.budget_asked import state_words
from tidegate.console.budget_decisions import standing_of
from tidegate.console.budget_forms import last_date, until_us
from tidegate.console.budget_rows import money as shown_money
from tidegate.console.budgets import CURRENT, PATH, BudgetView
from tidegate.console.dialogs import actor_of
from tidegate.console.web import Web
from tidegate.core.model import Role
from tidegate.services import money
from tidegate.services.errors import Forbidden, NotFound, Refused
from tidegate.services.logins import Viewer
from tidegate.store.budgets import BudgetRequestRecord

_GONE: Final = "There is no such request, or it is not yours."


class BudgetRequestPage:
    """Admins decide; a member sees what became of the own request."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._view = BudgetView(web)
        self._requests = web.services.budget_requests

    def routes(self) -> list[BaseRoute]:
        one = f"{PATH}/requests/{{budget_request_id}}"
        return [
            page(one, self.show, need=Need.MEMBER),
            page(f"{one}/approve", self.approve, methods=["POST"], need=Need.ADMIN),
            page(f"{one}/decline", self.decline, methods=["POST"], need=Need.ADMIN),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        """Shows only: opening a link decides nothing."""
        return await self._show(request, viewer)

    async def approve(self, request: Request, viewer: Viewer) -> Response:
        """As asked, or by another amount and until another day."""

        def decide(request_id: str, fields: dict[str, str]) -> None:
            amount, until = fields.get("amount", "").strip(), fields.get("until", "").strip()
            self._requests.approve(
                viewer.organization_id,
                request_id,
                amount_nusd=money.amount(amount, least_nusd=1) if amount else 0,
                until_us=until_us(until, viewer) if until else 0,
                note=fields.get("note", ""),
                by_role=viewer.role,
                actor=actor_of(request, viewer),
            )

        return await self._decide(request, viewer, decide, "Approved. The budget is raised.")

    async def decline(self, request: Request, viewer: Viewer) -> Response:
        def decide(request_id: str, fields: dict[str, str]) -> None:
            self._requests.decline(
                viewer.organization_id,
                request_id,
                note=fields.get("note", ""),
                by_role=viewer.role,
                actor=actor_of(request, viewer),
            )

        return await self._decide(request, viewer, decide, "Declined. The budget stays as it is.")

    async def _decide(
        self,
        request: Request,
        viewer: Viewer,
        decide: Callable[[str, dict[str, str]], None],
        told: str,
    ) -> Response:
        asked = await run_in_threadpool(self._asked, request, viewer)
        fields: dict[str, str] = request.state.form
        try:
            await run_in_threadpool(decide, asked.request_id, fields)
        except (NotFound, Forbidden):
            raise
        except Refused as refused:
            return await self._show(request, viewer, fields, refused)
        return self._web.done(request, PATH, told, leave=True)

    def _asked(self, request: Request, viewer: Viewer) -> BudgetRequestRecord:
        """A request that the viewer may see; of colleagues none is there for a member."""
        request_id = request.path_params["budget_request_id"]
        try:
            asked = self._requests.get(viewer.organization_id, request_id)
        except NotFound:
            raise NotFound(_GONE) from None
        if viewer.role == Role.MEMBER and asked.member_id != viewer.member_id:
            raise NotFound(_GONE)
        return asked

    async def _show(
        self,
        request: Request,
        viewer: Viewer,
        typed: dict[str, str] | None = None,
        refused: Refused | None = None,
    ) -> Response:
        context = await run_in_threadpool(self._context, request, viewer, typed)
        errors = {refused.field: refused.message} if refused is not None else {}
        return self._web.page(
            request,
            "budget_request.html",
            status=422 if errors else 200,
            viewer=viewer,
            current=CURRENT,
            errors=errors,
            **context,
        )

    def _raised(self, viewer: Viewer, asked: BudgetRequestRecord) -> dict[str, Any] | None:
        """What an approval gave: it may be less or more than was asked for."""
        raises = self._web.services.budgets.raises(viewer.organization_id, asked.budget_id)
        for each in raises:
            if asked.raise_id and each.raise_id == asked.raise_id:
                until = self._view.moment(viewer, each.until_us)
                return {"extra": shown_money(each.extra_nusd), "until": until}
        return None

    def _context(
        self, request: Request, viewer: Viewer, typed: dict[str, str] | None
    ) -> dict[str, Any]:
        asked = self._asked(request, viewer)
        names = self._view.names(viewer)
        one = standing_of(self._view.standings(viewer, asked.budget_id), asked)
        budget = self._web.services.budgets.get(viewer.organization_id, asked.budget_id)
        values = {
            "amount": formats.exact_money(asked.amount_nusd).removeprefix("$"),
            "until": last_date(budget, self._web.clock(), viewer),
            "note": "",
        }
        return {
            "acts": viewer.role != Role.MEMBER and asked.state == "open",
            "asked": asked,
            "state": state_words(asked),
            "raised": self._raised(viewer, asked),
            "told_by_mail": self._web.services.mail_settings.configured(viewer.organization_id),
            "mine": asked.member_id == viewer.member_id,
            "who": names.get(asked.member_id, "A member who is gone"),
            "amount": shown_money(asked.amount_nusd),
            "at": self._view.moment(viewer, asked.created_us),
            "expires": self._view.moment(viewer, asked.expires_us),
            "decided": self._view.moment(viewer, asked.decided_us) if asked.decided_us else None,
            "decided_by": names.get(asked.decided_by, "the command line"),
            "row": self._view.rows(viewer).row(one) if one else None,
            "values": values | (typed or {}),
        }
