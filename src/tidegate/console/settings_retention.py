"""Settings: how long requests and captures are kept. What is deleted is told before it is."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request

from tidegate.console.dialogs import actor_of
from tidegate.console.formats import plural
from tidegate.console.period_text import date_text
from tidegate.console.settings_form import OrganizationForm
from tidegate.core.calendar import local_time
from tidegate.core.model import OrganizationRecord
from tidegate.services.errors import InvalidField
from tidegate.services.logins import Viewer
from tidegate.services.retention import CAPTURE_DAYS, LEDGER_DAYS

_DAY_US: Final = 86_400_000_000
_MAX_DIGITS: Final = 6


class RetentionSettings(OrganizationForm):
    PATH = "/settings/retention"
    SECTION = "retention"

    def _set(
        self, request: Request, viewer: Viewer, fields: dict[str, str], now: OrganizationRecord
    ) -> None:
        ledger_days, capture_days = (_days(fields, name) for name in self._values(now))
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

    def _compared(self, now: OrganizationRecord) -> tuple[object, ...]:
        return now.ledger_days, now.capture_days

    def _values(self, now: OrganizationRecord) -> dict[str, str]:
        return {"ledger_days": str(now.ledger_days or ""), "capture_days": str(now.capture_days)}

    def _more(self, viewer: Viewer, now: OrganizationRecord) -> dict[str, Any]:
        organization_id = viewer.organization_id
        from_us = self._services.request_log.kept(organization_id).ledger_from_us
        captures = self._services.captures
        return {
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
