"""The JSON of `tidegate budget`: how a key's budgets stand, and asking for more."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tidegate.console import formats
from tidegate.console.budget_asked import newest
from tidegate.console.key_callers import key_of
from tidegate.console.refusals import ApiRefusal
from tidegate.console.web import Web, peer_of
from tidegate.core.budget_words import words
from tidegate.core.model import KeyRecord
from tidegate.services import money
from tidegate.services.audit import Actor
from tidegate.services.budget_standings import BudgetStanding
from tidegate.services.errors import NotFound, Refused
from tidegate.store.budgets import BudgetRequestRecord

_MAX_REPOSITORY_CHARS: Final = 500


class _Ask(msgspec.Struct):
    amount: str  # US dollars, as typed
    reason: str
    budget_id: str = ""  # "": the one that is nearest to its end
    repository: str = ""  # where the developer works


class BudgetApi:
    """Calls with an agent's key."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._services = web.services

    def routes(self) -> list[Route]:
        return [
            Route("/api/budgets", self.standing),
            Route("/api/budgets/requests", self.ask, methods=["POST"]),
            Route("/api/budgets/requests/{request_id}/withdraw", self.withdraw, methods=["POST"]),
        ]

    async def standing(self, request: Request) -> Response:
        """Every budget that the key's requests count under."""
        key = await key_of(self._services, request)
        repository = request.query_params.get("repository", "")
        found = await run_in_threadpool(self._of, key, repository)
        requests = await run_in_threadpool(self._requests, key)
        now_us = self._web.clock()
        shown = [_shown(one, _asked(one, requests, now_us)) for one in found]
        return JSONResponse({"budgets": shown})

    async def ask(self, request: Request) -> Response:
        """Ask an admin for more."""
        key = await key_of(self._services, request)
        try:
            wish = msgspec.json.decode(await request.body(), type=_Ask)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ApiRefusal(
                400, "bad_request", 'Send JSON like {"amount": "20", "reason": "…"}.'
            ) from None
        try:
            answer = await run_in_threadpool(self._ask, key, wish, peer_of(request))
        except Refused as refused:
            raise ApiRefusal(400, "refused", refused.message) from None
        return JSONResponse(answer, 201)

    async def withdraw(self, request: Request) -> Response:
        """Take back what the member asked for."""
        key = await key_of(self._services, request)
        actor = Actor(key.member_id, peer_of(request))
        try:
            taken = await run_in_threadpool(
                self._services.budget_requests.withdraw,
                key.organization_id,
                request.path_params["request_id"],
                key.member_id,
                actor=actor,
            )
        except NotFound as refused:
            raise ApiRefusal(404, "not_found", refused.message) from None
        except Refused as refused:
            raise ApiRefusal(400, "refused", refused.message) from None
        return JSONResponse({"request_id": taken.request_id, "amount_nusd": taken.amount_nusd})

    def _ask(self, key: KeyRecord, wish: _Ask, address: str) -> dict[str, Any]:
        one = self._wanted(key, wish)
        made = self._services.budget_requests.ask(
            key.organization_id,
            key.member_id,
            one.budget.budget_id,
            amount_nusd=money.amount(wish.amount, least_nusd=1),
            reason=wish.reason,
            subject=key.key_id if one.budget.scope == "key" else one.subject.id,
            actor=Actor(key.member_id, address),
        )
        return {
            "request_id": made.request_id,
            "budget": words(one.budget),
            "amount_nusd": made.amount_nusd,
            "expires_at": formats.utc(made.expires_us),
        }

    def _wanted(self, key: KeyRecord, wish: _Ask) -> BudgetStanding:
        """The budget that was named, else the one that is nearest to its end; hard ones first."""
        found = self._of(key, wish.repository)
        if wish.budget_id:
            found = [one for one in found if one.budget.budget_id == wish.budget_id]
        if not found:
            raise ApiRefusal(404, "no_budget", "No such budget bounds what this key spends.")
        return max(found, key=lambda one: (one.budget.hard, one.used_permille))

    def _requests(self, key: KeyRecord) -> list[BudgetRequestRecord]:
        reads = self._services.budget_requests
        return reads.list(key.organization_id, member_id=key.member_id)

    def _of(self, key: KeyRecord, repository: str) -> list[BudgetStanding]:
        self._services.drain_now()
        return self._services.budget_standings.of_member(
            key.organization_id, key.member_id, key.key_id, repository[:_MAX_REPOSITORY_CHARS]
        )


def _asked(
    one: BudgetStanding, requests: Iterable[BudgetRequestRecord], now_us: int
) -> dict[str, Any] | None:
    """What the member asked of this budget, while it is open or was decided of late."""
    own = [
        each
        for each in requests
        if each.budget_id == one.budget.budget_id and each.subject in {"", one.subject.text}
    ]
    found = newest(own, now_us)
    if found is None:
        return None
    return {
        "request_id": found.request_id,
        "amount_nusd": found.amount_nusd,
        "state": found.state,
        "note": found.note,
    }


def _shown(one: BudgetStanding, asked: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "budget_id": one.budget.budget_id,
        "title": words(one.budget),
        "for": one.title,
        "hard": one.budget.hard,
        "limit_nusd": one.limit_nusd,
        "raised_nusd": one.raised_nusd,
        "spent_nusd": one.standing.spent_nusd,
        "held_nusd": one.standing.held_nusd,
        "left_nusd": one.left_nusd,
        "used_percent": one.used_permille // 10,
        "resets_at": formats.utc(one.resets_us) if one.resets_us else None,
        "asked": asked,
    }
