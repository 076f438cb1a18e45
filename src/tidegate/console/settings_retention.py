"""Settings: how long requests and captures are kept. What is deleted is told before it is."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import actor_of
from tidegate.console.formats import plural
from tidegate.console.period_text import date_text
from tidegate.console.settings import SettingsView, refuse_stale, seen
from tidegate.console.web import Web
from tidegate.core.calendar import local_time
from tidegate.core.model import OrganizationRecord
from tidegate.services.errors import Conflict, InvalidField, Refused
from tidegate.services.logins import Viewer
from tidegate.services.retention import CAPTURE_DAYS, LEDGER_DAYS

_PATH: Final = "/settings/retention"
_SECTION: Final = "retention"
_FIELDS: Final = ("ledger_days", "capture_days")
_DAY_US: Final = 86_400_000_000
_MAX_DIGITS: Final = 6


class RetentionSettings:
    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._web = web
        self._services = web.services

    def routes(self) -> list[Route]:
        return [
            page(_PATH, self.form, need=Need.ADMIN),
            page(_PATH, self.save, methods=["POST"], need=Need.ADMIN),
        ]

    async def form(self, request: Request, viewer: Viewer) -> Response:
        return await self._form(request, viewer)

    async def save(self, request: Request, viewer: Viewer) -> Response:
        fields: dict[str, str] = request.state.form
        try:
            await run_in_threadpool(self._set, request, viewer, fields)
        except Refused as refused:
            told, stale = {refused.field: refused.message}, isinstance(refused, Conflict)
            status, typed = (409, None) if stale else (422, fields)
            return await self._form(request, viewer, status=status, errors=told, typed=typed)
        return self._view.web.done(request, _PATH, "Saved.", leave=True)

    def _set(self, request: Request, viewer: Viewer, fields: dict[str, str]) -> None:
        now = self._services.organizations.get(viewer.organization_id)
        refuse_stale(fields, *_shown(now))
        ledger_days, capture_days = (_days(fields, name) for name in _FIELDS)
        if not capture_days:
            raise InvalidField("Write a number of days.", field="capture_days")
        shorter = 0 < ledger_days < (now.ledger_days or ledger_days + 1)
        if shorter and ledger_days >= LEDGER_DAYS[0] and fields.get("sure") != "yes":
            raise InvalidField(self._warning(viewer, ledger_days), field="sure")
        self._services.retention.set(
            viewer.organization_id,
            ledger_days=ledger_days,
            capture_days=capture_days,
            actor=actor_of(request, viewer),
        )

    def _warning(self, viewer: Viewer, days: int) -> str:
        before = local_time(self._web.clock() - days * _DAY_US, ZoneInfo(viewer.time_zone))
        return (
            f"The log's requests from before {date_text(before)} are deleted for good within the"
            " hour. Export them first if you may need them; tick this to delete them."
        )

    async def _form(
        self,
        request: Request,
        viewer: Viewer,
        *,
        status: int = 200,
        errors: dict[str, str] | None = None,
        typed: dict[str, str] | None = None,
    ) -> Response:
        shown = await run_in_threadpool(self._look, viewer)
        shown["values"] |= {name: text for name, text in (typed or {}).items() if name in _FIELDS}
        return self._view.show(
            request, viewer, _SECTION, status=status, errors=errors or {}, **shown
        )

    def _look(self, viewer: Viewer) -> dict[str, Any]:
        organization_id = viewer.organization_id
        now = self._services.organizations.get(organization_id)
        from_us = self._services.request_log.kept(organization_id).ledger_from_us
        captures = self._services.captures
        return {
            "values": {
                "ledger_days": str(now.ledger_days or ""),
                "capture_days": str(now.capture_days),
            },
            "seen": seen(*_shown(now)),
            "bounds": {"ledger_days": LEDGER_DAYS, "capture_days": CAPTURE_DAYS},
            "kept_from": self._view.moment(viewer, from_us).day if from_us else "",
            "captures": plural(captures.count(organization_id), "capture"),
            "captures_mb": f"{captures.size_bytes(organization_id) / 1_000_000:,.1f}",
        }


def _days(fields: dict[str, str], name: str) -> int:
    """A number of days; nothing is 0."""
    text = fields.get(name, "").strip()
    if text and not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise InvalidField("Write a number of days.", field=name)
    return int(text or "0")


def _shown(record: OrganizationRecord) -> tuple[int, int]:
    return record.ledger_days, record.capture_days
