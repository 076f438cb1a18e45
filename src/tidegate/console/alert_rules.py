"""The rules of alerts: what is watched, in sentences; made, changed and removed by admins."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tidegate.console.access import Need, page
from tidegate.console.alerts import CURRENT
from tidegate.console.dialogs import actor_of
from tidegate.console.settings import SettingsView
from tidegate.console.web import Web
from tidegate.core.alerts import EACH, Rule, RuleKind, Scope
from tidegate.services.alert_readings import Names
from tidegate.services.alert_rules import STANDARD, RuleForm
from tidegate.services.alert_words import KINDS, rule_sentence, rule_title
from tidegate.services.errors import InvalidField, NotFound, Refused
from tidegate.services.logins import Viewer

PATH: Final = "/alerts/rules"
_SCOPED: Final = {RuleKind.SPEND, RuleKind.ERRORS}
_ROLLING: Final = {RuleKind.SPEND, RuleKind.ERRORS, RuleKind.PRICES}
_NUSD: Final = 1_000_000_000
_NUMBER: Final = re.compile(r"\d{1,9}(\.\d{1,4})?")
_HINTS: Final = {
    RuleKind.BUDGET: ("Percent of the budget", "Several are separated by commas."),
    RuleKind.SPEND: ("US dollars", "Several are separated by commas."),
    RuleKind.ERRORS: ("Percent of the requests", "Requests that people cancel are no errors."),
    RuleKind.PRICES: ("Requests", "1 tells you of the first one."),
    RuleKind.BACKLOG: ("Minutes", "The ledger is usually seconds behind."),
    RuleKind.SILENCE: ("Hours", "Nothing is told in hours that were silent a week before too."),
}
_WHAT: Final = {
    RuleKind.BUDGET: "A budget is spent to some percent",
    RuleKind.SPEND: "Someone or something spends more than you like in some hours",
    RuleKind.ERRORS: "Many requests fail",
    RuleKind.PRICES: "A model is used whose price is not known",
    RuleKind.BACKLOG: "Reports lag behind the gateway",
    RuleKind.SILENCE: "No request comes where there used to be some",
}


class AlertRulesPage:
    def __init__(self, web: Web) -> None:
        self._web = web
        self._view = SettingsView(web)
        self._alerts = web.services.alerts

    def routes(self) -> list[BaseRoute]:
        one, admin, post = f"{PATH}/{{rule_id}}", Need.ADMIN, ["POST"]
        return [
            page(PATH, self.show, need=admin),
            page(PATH, self.create, methods=post, need=admin),
            page(f"{PATH}/new", self.new, need=admin),
            page(f"{PATH}/preview", self.preview, need=admin),
            page(one, self.edit, need=admin),
            page(one, self.save, methods=post, need=admin),
            page(f"{one}/remove", self.ask_remove, need=admin),
            page(f"{one}/remove", self.remove, methods=post, need=admin),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        rows = await run_in_threadpool(self._rows, viewer)
        return self._page(request, viewer, "alert_rules.html", rows=rows)

    async def new(self, request: Request, viewer: Viewer) -> Response:
        """First the kind is chosen, then the rest of the form is its own."""
        kind = request.query_params.get("kind", "")
        if kind not in list(RuleKind):
            kinds = [(each.value, KINDS[each], _WHAT[each]) for each in RuleKind]
            return self._page(request, viewer, "alert_kinds.html", kinds=kinds)
        standard = next((form for form in STANDARD if form.kind == kind), None)
        form = standard or RuleForm(kind=kind, scope=Scope.MEMBER, thresholds=(50 * _NUSD,))
        return await self._form(request, viewer, _typed(form), kind)

    async def create(self, request: Request, viewer: Viewer) -> Response:
        fields: dict[str, str] = request.state.form
        kind = fields.get("kind", "")
        try:
            form = _form(fields)
            rule = await run_in_threadpool(
                self._alerts.rules.create,
                viewer.organization_id,
                form,
                actor=actor_of(request, viewer),
            )
        except Refused as refused:
            if kind not in list(RuleKind):
                raise
            return await self._form(request, viewer, fields, kind, refused=refused)
        return self._web.done(request, PATH, f"{rule_title(rule)}: made.", leave=True)

    async def edit(self, request: Request, viewer: Viewer) -> Response:
        rule = await run_in_threadpool(self._rule, request, viewer)
        typed = _typed(RuleForm(**{n: getattr(rule, n) for n in RuleForm.__struct_fields__}))
        return await self._form(request, viewer, typed, rule.kind, rule=rule)

    async def save(self, request: Request, viewer: Viewer) -> Response:
        rule = await run_in_threadpool(self._rule, request, viewer)
        fields: dict[str, str] = request.state.form | {"kind": rule.kind}
        try:
            form = msgspec.structs.replace(_form(fields), enabled=fields.get("enabled") == "yes")
            await run_in_threadpool(
                self._alerts.rules.update,
                viewer.organization_id,
                rule.rule_id,
                form,
                actor=actor_of(request, viewer),
            )
        except Refused as refused:
            return await self._form(request, viewer, fields, rule.kind, rule=rule, refused=refused)
        return self._web.done(request, PATH, "Saved.", leave=True)

    async def preview(self, request: Request, viewer: Viewer) -> Response:
        """What the rule would do, while it is filled in."""
        shown = await run_in_threadpool(self._preview, viewer, request.query_params)
        return self._web.fragment(request, "alert_preview.html", preview=shown[0], fine=shown[1])

    async def ask_remove(self, request: Request, viewer: Viewer) -> Response:
        rule = await run_in_threadpool(self._rule, request, viewer)
        return self._view.confirm(
            request,
            viewer,
            f"Remove the rule “{rule_title(rule)}”?",
            "What it found stays in the history. Nothing is told by it any more.",
            verb="Remove the rule",
            home=PATH,
        )

    async def remove(self, request: Request, viewer: Viewer) -> Response:
        await run_in_threadpool(
            self._alerts.rules.delete,
            viewer.organization_id,
            request.path_params["rule_id"],
            actor=actor_of(request, viewer),
        )
        return self._web.done(request, PATH, "The rule is removed.", leave=True)

    def _rule(self, request: Request, viewer: Viewer) -> Rule:
        return self._alerts.rules.get(viewer.organization_id, request.path_params["rule_id"])

    def _rows(self, viewer: Viewer) -> list[dict[str, Any]]:
        names = self._alerts.readings.names(viewer.organization_id)
        budgets = self._budgets(viewer, names)
        return [
            {
                "id": rule.rule_id,
                "title": rule_title(rule),
                "kind": KINDS[RuleKind(rule.kind)],
                "sentence": rule_sentence(rule, _subject_name(rule, names, budgets)),
                "enabled": rule.enabled,
            }
            for rule in self._alerts.rules.list(viewer.organization_id)
        ]

    def _budgets(self, viewer: Viewer, names: Names) -> dict[str, str]:
        return self._alerts.readings.budget_names(viewer.organization_id, names)

    def _preview(self, viewer: Viewer, fields: Mapping[str, str]) -> tuple[str, bool]:
        names = self._alerts.readings.names(viewer.organization_id)
        try:
            rule = self._alerts.rules.checked(viewer.organization_id, _form(fields))
        except Refused as refused:
            return refused.message, False
        return rule_sentence(rule, _subject_name(rule, names, self._budgets(viewer, names))), True

    async def _form(
        self,
        request: Request,
        viewer: Viewer,
        typed: Mapping[str, str],
        kind: str,
        *,
        rule: Rule | None = None,
        refused: Refused | None = None,
    ) -> Response:
        if isinstance(refused, NotFound):
            raise refused
        choices = await run_in_threadpool(self._choices, viewer, kind, rule)
        preview, fine = await run_in_threadpool(self._preview, viewer, {**typed, "kind": kind})
        label, hint = _HINTS[RuleKind(kind)]
        errors = {}
        if refused is not None:
            named = "subject" if refused.field in {"scope", "scope_id"} else refused.field
            errors = {named: refused.message}
        return self._page(
            request,
            viewer,
            "alert_rule.html",
            status=422 if errors else 200,
            errors=errors,
            kind=kind,
            kind_title=KINDS[RuleKind(kind)],
            rule=rule,
            title=rule_title(rule) if rule else "",
            values={name: typed.get(name, "") for name in _FIELDS},
            label=label,
            hint=hint,
            choices=choices,
            rolling=kind in _ROLLING,
            preview=preview,
            fine=fine,
        )

    def _choices(self, viewer: Viewer, kind: str, rule: Rule | None) -> list[tuple[str, str]]:
        """What a rule may watch."""
        names = self._alerts.readings.names(viewer.organization_id)
        if kind == RuleKind.BUDGET:
            budgets = self._budgets(viewer, names)
            return [(f"organization:{EACH}", "Every budget")] + [
                (f"organization:{budget_id}", name) for budget_id, name in budgets.items()
            ]
        if kind not in _SCOPED:
            return []
        each = [
            (f"{Scope.ORGANIZATION}:{EACH}", "The whole organization"),
            (f"{Scope.MEMBER}:{EACH}", "Each member"),
            (f"{Scope.KEY}:{EACH}", "Each coding agent of a member"),
            (f"{Scope.REPOSITORY}:{EACH}", "Each repository"),
        ]
        each += [(f"{Scope.MEMBER}:{one}", name) for one, name in names.members.items()]
        each += [(f"{Scope.KEY}:{one}", names.key(one)) for one in names.owners]
        if rule is not None and rule.scope == Scope.REPOSITORY and rule.scope_id != EACH:
            each.append((f"{Scope.REPOSITORY}:{rule.scope_id}", rule.scope_id))
        return each

    def _page(
        self, request: Request, viewer: Viewer, template: str, *, status: int = 200, **context: Any
    ) -> Response:
        return self._web.page(
            request,
            template,
            status=status,
            viewer=viewer,
            current=CURRENT,
            section="rules",
            **context,
        )


_FIELDS: Final = ("name", "subject", "thresholds", "window_hours", "minimum", "enabled")


def _form(fields: Mapping[str, str]) -> RuleForm:
    """What was typed; thresholds are dollars where they are money."""
    kind = fields.get("kind", "")
    scope, _, scope_id = fields.get("subject", "").partition(":")
    return RuleForm(
        kind=kind,
        name=fields.get("name", ""),
        scope=scope or Scope.ORGANIZATION,
        scope_id=scope_id or EACH,
        thresholds=_thresholds(fields.get("thresholds", ""), kind),
        window_hours=_whole(fields, "window_hours", 24),
        minimum=_whole(fields, "minimum", 20),
    )


def _thresholds(text: str, kind: str) -> tuple[int, ...]:
    words = [word.strip("$%") for word in text.replace(",", " ").split()]
    words = [word for word in words if word]
    unit = _NUSD if kind == RuleKind.SPEND else 1
    found = []
    for word in words:
        number = Decimal(word) * unit if _NUMBER.fullmatch(word) and word.isascii() else None
        if number is None or number != int(number):
            raise InvalidField("Write numbers, separated by commas.", field="thresholds")
        found.append(int(number))
    return tuple(found)


def _whole(fields: Mapping[str, str], name: str, default: int) -> int:
    text = fields.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 7):
        raise InvalidField("Write a whole number.", field=name)
    return int(text)


def _typed(form: RuleForm) -> dict[str, str]:
    """A form as its fields show it."""
    unit = _NUSD if form.kind == RuleKind.SPEND else 1
    levels = (Decimal(each) / unit for each in form.thresholds)
    return {
        "name": form.name,
        "subject": f"{form.scope}:{form.scope_id}",
        "thresholds": ", ".join(f"{each.normalize():f}" for each in levels),
        "window_hours": str(form.window_hours or 24),
        "minimum": str(form.minimum or 20),
        "enabled": "yes" if form.enabled else "",
    }


def _subject_name(rule: Rule, names: Names, budgets: Mapping[str, str]) -> str:
    if rule.scope_id == EACH:
        return ""
    if rule.kind == RuleKind.BUDGET:
        return budgets.get(rule.scope_id, "a budget that is gone")
    return names.of(rule.scope, rule.scope_id)
