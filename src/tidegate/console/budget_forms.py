"""Making budgets, changing and deleting them, and giving more of one for a time."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tidegate.console import formats
from tidegate.console.access import Need, page
from tidegate.console.budget_rows import each_words, is_of_each
from tidegate.console.budgets import PATH, BudgetView
from tidegate.console.dialogs import actor_of
from tidegate.console.settings import refuse_stale, seen
from tidegate.console.web import Web
from tidegate.core.budgets import EACH, Budget, Raise, Scope, WindowKind, window_of
from tidegate.core.calendar import date_start_us, local_time
from tidegate.core.model import Agent
from tidegate.services import money
from tidegate.services.budget_fields import BudgetDraft, draft_of
from tidegate.services.errors import Conflict, Forbidden, InvalidField, NotFound, Refused
from tidegate.services.logins import Viewer

_NAMED: Final = {Scope.REPOSITORY, Scope.SESSION}
_FIELDS: Final = (
    "name",
    "whom",
    "named",
    "amount",
    "window",
    "rolling_hours",
    "limit",
    "mode",
    "when_unknown",
    "counts_subscription",
)
_FIELD_OF: Final = {"scope": "whom", "scope_id": "whom", "per_head": "whom", "hard": "limit"}
_LIMITS: Final = (
    ("soft", "Soft", "It warns, by alerts and in Claude Code. Requests still pass."),
    ("hard", "Hard", "What does not fit is refused before it goes out."),
)
_MODES: Final = (
    (
        "typical",
        "Typical",
        "Holds what 99 of 100 such requests cost. The last ones may go a little over.",
    ),
    (
        "strict",
        "Strict",
        "Holds the most a request can cost, so that the limit is never passed. "
        "The last part of it may wait unused.",
    ),
)
_UNKNOWN: Final = (
    ("open", "Requests pass", "Work goes on, and what it costs is counted afterwards."),
    ("closed", "Requests are refused", "Nothing is spent that could not be held."),
)
_WINDOWS: Final = (
    ("month", "Month"),
    ("week", "Week"),
    ("day", "Day"),
    ("rolling", "Rolling hours"),
    ("lifetime", "Lifetime, no reset"),
)


class BudgetForms:
    """Each is a dialog, and a page of its own without scripts."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._view = BudgetView(web)
        self._budgets = web.services.budgets

    def routes(self) -> list[BaseRoute]:
        one, post, admin = f"{PATH}/{{budget_id}}", ["POST"], Need.ADMIN
        end = f"{one}/raises/{{raise_id}}/end"
        return [
            page(f"{PATH}/new", self.new, need=admin),
            page(PATH, self.create, methods=post, need=admin),
            page(f"{one}/edit", self.edit, need=admin),
            page(one, self.save, methods=post, need=admin),
            page(f"{one}/delete", self.ask_delete, need=admin),
            page(f"{one}/delete", self.delete, methods=post, need=admin),
            page(f"{one}/raise", self.ask_raise, need=admin),
            page(f"{one}/raise", self.make_raise, methods=post, need=admin),
            page(end, self.ask_end, need=admin),
            page(end, self.end_raise, methods=post, need=admin),
        ]

    async def new(self, request: Request, viewer: Viewer) -> Response:
        return await self._form(request, viewer, _typed(BudgetDraft(hard=True)) | {"amount": ""})

    async def create(self, request: Request, viewer: Viewer) -> Response:
        fields: dict[str, str] = request.state.form
        try:
            await run_in_threadpool(
                self._budgets.create,
                viewer.organization_id,
                _draft(fields),
                by_role=viewer.role,
                actor=actor_of(request, viewer),
            )
        except Forbidden:
            raise
        except Refused as refused:
            return await self._form(request, viewer, fields, refused=refused)
        return self._web.done(request, PATH, "The budget is made.", leave=True)

    async def edit(self, request: Request, viewer: Viewer) -> Response:
        budget = await self._budget(request, viewer)
        return await self._form(request, viewer, _typed(draft_of(budget)), budget=budget)

    async def save(self, request: Request, viewer: Viewer) -> Response:
        """Whom it is for stays."""
        budget = await self._budget(request, viewer)
        fields: dict[str, str] = request.state.form
        try:
            refuse_stale(fields, draft_of(budget))
            draft = _draft(fields | {"whom": Scope.ORGANIZATION.value})
            changes = msgspec.structs.asdict(draft)
            for fixed in ("scope", "scope_id", "per_head"):
                del changes[fixed]
            await run_in_threadpool(
                lambda: self._budgets.change(
                    viewer.organization_id,
                    budget.budget_id,
                    by_role=viewer.role,
                    actor=actor_of(request, viewer),
                    **changes,
                )
            )
        except (NotFound, Forbidden):
            raise
        except Refused as refused:
            if isinstance(refused, Conflict):  # what holds now is shown
                fields = _typed(draft_of(budget))
            return await self._form(request, viewer, fields, budget=budget, refused=refused)
        return self._web.done(request, PATH, "Saved. It holds for the next request.", leave=True)

    async def ask_delete(self, request: Request, viewer: Viewer) -> Response:
        budget = await self._budget(request, viewer)
        told = [
            "Nothing is bounded by it any more, from the next request on.",
            "Its raises and the requests for more of it go too. What was spent stays in the log.",
        ]
        title = await run_in_threadpool(self._title, viewer, budget)
        return self._confirm(request, viewer, f"Delete the budget of {title}?", told, "Delete")

    async def delete(self, request: Request, viewer: Viewer) -> Response:
        budget = await self._budget(request, viewer)
        await run_in_threadpool(
            self._budgets.delete,
            viewer.organization_id,
            budget.budget_id,
            by_role=viewer.role,
            actor=actor_of(request, viewer),
        )
        return self._web.done(request, PATH, "The budget is deleted.", leave=True)

    async def ask_raise(self, request: Request, viewer: Viewer) -> Response:
        budget = await self._budget(request, viewer)
        until = last_date(budget, self._web.clock(), viewer)
        return await self._raise(request, viewer, budget, {"until": until})

    async def make_raise(self, request: Request, viewer: Viewer) -> Response:
        budget = await self._budget(request, viewer)
        fields: dict[str, str] = request.state.form
        try:
            subject = fields.get("subject", "") if is_of_each(budget) else ""
            await run_in_threadpool(
                self._budgets.raise_until,
                viewer.organization_id,
                budget.budget_id,
                money.amount(fields.get("amount", ""), least_nusd=1),
                until_us(fields.get("until", ""), viewer),
                subject=subject,
                by_role=viewer.role,
                actor=actor_of(request, viewer),
            )
        except (NotFound, Forbidden):
            raise
        except Refused as refused:
            errors = {refused.field: refused.message}
            return await self._raise(request, viewer, budget, fields, errors)
        return self._web.done(request, PATH, "Raised.", leave=True)

    async def ask_end(self, request: Request, viewer: Viewer) -> Response:
        budget = await self._budget(request, viewer)
        made = await run_in_threadpool(self._made_raise, request, viewer, budget)
        title = await run_in_threadpool(self._title, viewer, budget)
        question = f"End the raise of {title} by {formats.money(made.extra_nusd)}?"
        told = ["The limit is the budget's own again, from the next request on."]
        return self._confirm(request, viewer, question, told, "End the raise")

    async def end_raise(self, request: Request, viewer: Viewer) -> Response:
        budget = await self._budget(request, viewer)
        await run_in_threadpool(
            self._budgets.end_raise,
            viewer.organization_id,
            budget.budget_id,
            request.path_params["raise_id"],
            by_role=viewer.role,
            actor=actor_of(request, viewer),
        )
        home = f"{PATH}/{budget.budget_id}"
        return self._web.done(request, home, "The raise has ended.", leave=True)

    async def _budget(self, request: Request, viewer: Viewer) -> Budget:
        budget_id = request.path_params["budget_id"]
        return await run_in_threadpool(self._budgets.get, viewer.organization_id, budget_id)

    def _made_raise(self, request: Request, viewer: Viewer, budget: Budget) -> Raise:
        raise_id = request.path_params["raise_id"]
        for each in self._budgets.raises(viewer.organization_id, budget.budget_id):
            if each.raise_id == raise_id:
                return each
        raise NotFound("There is no such raise of this budget.")

    def _title(self, viewer: Viewer, budget: Budget) -> str:
        """What a person calls it."""
        if budget.name:
            return f"“{budget.name}”"
        if is_of_each(budget):
            words = each_words(budget, self._view.squads(viewer))
            return f"{words[0].lower()}{words[1:]}"
        found = self._view.standings(viewer, budget.budget_id)
        return found[0].title if found else budget.scope_id

    def _confirm(
        self, request: Request, viewer: Viewer, question: str, told: list[str], verb: str
    ) -> Response:
        return self._view.dialog(
            request,
            viewer,
            "dialog_confirm.html",
            question=question,
            told=told,
            symbol="trash-2",
            action=request.url.path,
            back="",
            keep="Cancel",
            verb=verb,
        )

    async def _form(
        self,
        request: Request,
        viewer: Viewer,
        typed: Mapping[str, str],
        *,
        budget: Budget | None = None,
        refused: Refused | None = None,
    ) -> Response:
        errors = {}
        if refused is not None:
            errors = {_FIELD_OF.get(refused.field, refused.field): refused.message}
        title = await run_in_threadpool(self._title, viewer, budget) if budget else ""
        choices = {} if budget else await run_in_threadpool(self._choices, viewer)
        return self._view.dialog(
            request,
            viewer,
            "budget_form.html",
            status=(409 if "" in errors else 422) if errors else 200,
            errors=errors,
            budget=budget,
            seen=seen(draft_of(budget)) if budget else "",
            title=title,
            values={name: typed.get(name, "") for name in _FIELDS},
            choices=choices,
            windows=_WINDOWS,
            limits=_LIMITS,
            modes=_MODES,
            unknown=_UNKNOWN,
        )

    async def _raise(
        self,
        request: Request,
        viewer: Viewer,
        budget: Budget,
        typed: Mapping[str, str],
        errors: Mapping[str, str] | None = None,
    ) -> Response:
        found = await run_in_threadpool(self._view.standings, viewer, budget.budget_id)
        subjects = [(one.subject.text, one.title) for one in found] if is_of_each(budget) else []
        return self._view.dialog(
            request,
            viewer,
            "budget_raise.html",
            status=422 if errors else 200,
            errors=dict(errors or {}),
            budget=budget,
            title=await run_in_threadpool(self._title, viewer, budget),
            subjects=sorted(subjects, key=lambda each: each[1].casefold()),
            amount=formats.money(budget.amount_nusd),
            values={name: typed.get(name, "") for name in ("amount", "until", "subject")},
        )

    def _choices(self, viewer: Viewer) -> dict[str, list[tuple[str, str]]]:
        """Whom a budget may be for, in groups."""
        organization_id, services = viewer.organization_id, self._web.services
        names = self._view.names(viewer)
        squads = services.squads.list(organization_id)
        keys = services.enrolment.list_keys(organization_id)
        groups = {
            "Everyone": [(Scope.ORGANIZATION.value, viewer.organization_name)],
            "Each by itself": [
                (f"member:{EACH}", "Each member"),
                (f"key:{EACH}", "Each key"),
                (f"squad:{EACH}", "Each squad, pooled"),
                (f"head:{EACH}", "Each squad, per head"),
                (f"repository:{EACH}", "Each repository"),
                (f"session:{EACH}", "Each session"),
            ],
            "Squads": [
                choice
                for squad in squads
                for choice in (
                    (f"squad:{squad.record.squad_id}", f"{squad.record.name}, pooled"),
                    (f"head:{squad.record.squad_id}", f"{squad.record.name}, per head"),
                )
            ],
            "Members": [
                (f"member:{member.member_id}", member.name or member.email)
                for member in services.members.list(organization_id)
                if not member.removed_us
            ],
            "Keys": [
                (
                    f"key:{key.record.key_id}",
                    f"{Agent(key.record.agent).title} of {names.get(key.record.member_id, '?')}",
                )
                for key in keys
            ],
            "By name": [
                (Scope.REPOSITORY.value, "One repository, named below"),
                (Scope.SESSION.value, "One session, named below"),
            ],
        }
        return {title: choices for title, choices in groups.items() if choices}


def _draft(fields: Mapping[str, str]) -> BudgetDraft:
    """What was typed."""
    kind, _, scope_id = fields.get("whom", "").partition(":")
    if kind in _NAMED and not scope_id:
        scope_id = fields.get("named", "").strip()
        if not scope_id:
            raise InvalidField(f"Name the {kind}.", field="named")
    window = fields.get("window", "")
    return BudgetDraft(
        name=fields.get("name", ""),
        scope=Scope.SQUAD.value if kind == "head" else kind,
        scope_id=scope_id,
        per_head=kind == "head",
        amount_nusd=money.amount(fields.get("amount", "")),
        window=window,
        rolling_hours=_hours(fields) if window == WindowKind.ROLLING else 0,
        hard=_is_hard(fields.get("limit", "")),
        mode=fields.get("mode", "typical"),
        when_unknown=fields.get("when_unknown", "open"),
        counts_subscription=fields.get("counts_subscription") == "yes",
    )


def _is_hard(word: str) -> bool:
    if word not in {"hard", "soft"}:
        raise InvalidField("Choose hard or soft.", field="limit")
    return word == "hard"


def _hours(fields: Mapping[str, str]) -> int:
    text = fields.get("rolling_hours", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise InvalidField("Write a whole number of hours.", field="rolling_hours")
    return int(text)


def _typed(draft: BudgetDraft) -> dict[str, str]:
    """A budget as its form shows it."""
    return {
        "name": draft.name,
        "whom": draft.scope,
        "amount": formats.exact_money(draft.amount_nusd).removeprefix("$").replace(",", ""),
        "window": draft.window,
        "rolling_hours": str(draft.rolling_hours or 24),
        "limit": "hard" if draft.hard else "soft",
        "mode": draft.mode,
        "when_unknown": draft.when_unknown,
        "counts_subscription": "yes" if draft.counts_subscription else "",
    }


def last_date(budget: Budget, now_us: int, viewer: Viewer) -> str:
    """The last day of a budget's window; a month from now where it has none."""
    zone = ZoneInfo(viewer.time_zone)
    if budget.window in {WindowKind.LIFETIME, WindowKind.ROLLING}:
        return f"{local_time(now_us, zone).date() + timedelta(days=30)}"
    end_us = window_of(budget, now_us, zone, viewer.week_start).end_us
    return f"{local_time(end_us - 1, zone).date()}"


def until_us(text: str, viewer: Viewer) -> int:
    """The end of a day as a form names it."""
    try:
        return date_start_us(
            date.fromisoformat(text.strip()) + timedelta(days=1), ZoneInfo(viewer.time_zone)
        )
    except (ValueError, OverflowError):
        raise InvalidField("Choose a day, like 2026-11-30.", field="until") from None
