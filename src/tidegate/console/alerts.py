"""The Alerts page: what is open, and the history with the values of the moment."""

from typing import Any, Final
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tidegate.console.access import Need, page
from tidegate.console.dialogs import actor_of
from tidegate.console.settings import SettingsView
from tidegate.console.web import Web
from tidegate.core.alerts import Ended
from tidegate.core.model import Role
from tidegate.services.alert_words import quantity, rule_title
from tidegate.services.alerts import SNOOZES_H, AlertPage, AlertView
from tidegate.services.errors import InvalidField
from tidegate.services.logins import Viewer

PATH: Final = "/alerts"
CURRENT: Final = "alerts"
_STATES: Final = (("", "All"), ("open", "Open"), ("ended", "Ended"))
_FILTERS: Final = ("state", "rule", "subject")
_MAX_TEXT_CHARS: Final = 500
_ENDED: Final = {
    Ended.BELOW: "Ended",
    Ended.OVERTAKEN: "Higher threshold reached",
    Ended.WINDOW: "New window",
    Ended.RULE: "Rule changed",
    Ended.GONE: "No longer there",
}


class AlertsPage:
    """Members see what is about them; only admins act."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._view = SettingsView(web)
        self._alerts = web.services.alerts

    def routes(self) -> list[BaseRoute]:
        one, post, admin = f"{PATH}/{{alert_id}}", ["POST"], Need.ADMIN
        return [
            page(PATH, self.show, need=Need.MEMBER),
            page(one, self.one, need=Need.MEMBER),
            page(f"{one}/acknowledge", self.acknowledge, methods=post, need=admin),
            page(f"{one}/snooze", self.snooze, methods=post, need=admin),
            page(f"{one}/mute", self.mute, methods=post, need=admin),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        values = {name: request.query_params.get(name, "")[:_MAX_TEXT_CHARS] for name in _FILTERS}
        before = request.query_params.get("before", "")[:_MAX_TEXT_CHARS]
        errors: dict[str, str] = {}
        try:
            found = await run_in_threadpool(self._read, viewer, values, before)
        except InvalidField as refused:
            found, errors = AlertPage([], ""), {refused.field: refused.message}
        titles = await run_in_threadpool(self._titles, viewer)
        return self._web.page(
            request,
            "alerts.html",
            status=422 if errors else 200,
            viewer=viewer,
            current=CURRENT,
            section="alerts",
            acts=viewer.role != Role.MEMBER,
            errors=errors,
            rows=[self._row(viewer, each, titles) for each in found.alerts],
            states=[(word, _address(values | {"state": name}), name) for name, word in _STATES],
            state=values["state"],
            rule_id=values["rule"],
            subject=values["subject"],
            rules=sorted(titles.items(), key=lambda each: each[1].casefold()),
            filtered=any(values.values()),
            newest=_address(values) if before else "",
            older=_address(values | {"before": found.next}) if found.next else "",
        )

    async def one(self, request: Request, viewer: Viewer) -> Response:
        """An alert, as messages link to it."""
        alert_id = request.path_params["alert_id"]
        view = await run_in_threadpool(self._alerts.history.get, viewer, alert_id)
        titles = await run_in_threadpool(self._titles, viewer)
        return self._view.dialog(
            request,
            viewer,
            "alert.html",
            home=PATH,
            row=self._row(viewer, view, titles),
            acts=viewer.role != Role.MEMBER,
            snoozes=(("1h", "1 hour"), ("1d", "1 day"), ("1w", "1 week")),
        )

    async def acknowledge(self, request: Request, viewer: Viewer) -> Response:
        await run_in_threadpool(
            self._alerts.history.acknowledge,
            viewer.organization_id,
            request.path_params["alert_id"],
            actor=actor_of(request, viewer),
        )
        return self._web.done(request, PATH, "Acknowledged.", leave=True)

    async def snooze(self, request: Request, viewer: Viewer) -> Response:
        alert_id = request.path_params["alert_id"]
        await run_in_threadpool(self._alerts.history.get, viewer, alert_id)
        hours = SNOOZES_H.get(request.state.form.get("for", ""))
        if hours is None:
            raise InvalidField(f"Choose one of {', '.join(SNOOZES_H)}.", field="for")
        await run_in_threadpool(
            self._alerts.history.snooze,
            viewer.organization_id,
            alert_id,
            hours,
            actor=actor_of(request, viewer),
        )
        told = "Snoozed. It is told again if it is not over by then."
        return self._web.done(request, PATH, told, leave=True)

    async def mute(self, request: Request, viewer: Viewer) -> Response:
        muted = request.state.form.get("muted") != "no"
        await run_in_threadpool(
            self._alerts.history.mute,
            viewer.organization_id,
            request.path_params["alert_id"],
            muted=muted,
            actor=actor_of(request, viewer),
        )
        told = "Muted. Crossings are written down here, and nothing is sent."
        return self._web.done(request, PATH, told if muted else "Unmuted.", leave=True)

    def _read(self, viewer: Viewer, values: dict[str, str], before: str) -> AlertPage:
        return self._alerts.history.page(
            viewer,
            state=values["state"],
            rule_id=values["rule"],
            subject=values["subject"],
            before=before,
        )

    def _titles(self, viewer: Viewer) -> dict[str, str]:
        rules = self._alerts.rules.list(viewer.organization_id)
        return {rule.rule_id: rule_title(rule) for rule in rules}

    def _row(self, viewer: Viewer, view: AlertView, titles: dict[str, str]) -> dict[str, Any]:
        record = view.record
        return {
            "id": record.alert_id,
            "rule": titles.get(record.rule_id, "A rule that was removed"),
            "rule_is_there": record.rule_id in titles,
            "subject": record.subject_name,
            "subject_href": _address({"rule": record.rule_id, "subject": record.subject}),
            "sentence": record.sentence,
            "critical": record.critical,
            "state": view.state,
            "muted": view.muted,
            "silenced": record.silenced,
            "at": self._view.moment(viewer, record.at_us),
            "threshold": quantity(record.kind, record.threshold),
            "value": quantity(record.kind, record.value),
            "ended": self._view.moment(viewer, record.ended_us) if record.ended_us else None,
            "ended_word": _ENDED.get(Ended(record.ended), "") if record.ended else "",
            "came_back": record.ended == Ended.BELOW,
            "ended_value": quantity(record.kind, record.ended_value),
            "acknowledged": self._view.moment(viewer, record.acknowledged_us)
            if record.acknowledged_us
            else None,
            "acknowledged_by": self._name(viewer, record.acknowledged_by),
            "snoozed": self._view.moment(viewer, view.snoozed_until_us).exact
            if view.snoozed_until_us
            else "",
        }

    def _name(self, viewer: Viewer, who: str) -> str:
        if not who or who == "cli":
            return "the command line" if who else ""
        member = self._web.services.members.get(viewer.organization_id, who)
        return member.name or member.email


def _address(values: dict[str, str]) -> str:
    given = {name: text for name, text in values.items() if text}
    return f"{PATH}?{urlencode(given)}" if given else PATH
