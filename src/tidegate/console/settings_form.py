"""A section of the settings that is one form about the organization."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.settings import SettingsView, refuse_stale, seen
from tidegate.console.web import Web
from tidegate.core.model import OrganizationRecord
from tidegate.services.errors import Refused
from tidegate.services.logins import Viewer


class OrganizationForm(ABC):
    """Shown, saved, and refused where somebody else changed the same meanwhile."""

    PATH: ClassVar[str]
    SECTION: ClassVar[str]
    SAVED: ClassVar[str] = "Saved."

    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._web = web
        self._services = web.services

    def routes(self) -> list[Route]:
        return [
            page(self.PATH, self.form, need=Need.ADMIN, name=f"{self.SECTION}_settings"),
            page(self.PATH, self.save, methods=["POST"], need=Need.ADMIN),
        ]

    async def form(self, request: Request, viewer: Viewer) -> Response:
        return await self._form(request, viewer)

    async def save(self, request: Request, viewer: Viewer) -> Response:
        fields: dict[str, str] = request.state.form
        try:
            now = await run_in_threadpool(self._now, viewer)
            refuse_stale(fields, *self._compared(now))
        except Refused as refused:
            told = {refused.field: refused.message}
            return await self._form(request, viewer, status=409, errors=told)
        try:
            await run_in_threadpool(self._set, request, viewer, fields, now)
        except Refused as refused:
            told = {refused.field: refused.message}
            return await self._form(request, viewer, status=422, errors=told, typed=fields)
        return self._web.done(request, self.PATH, self.SAVED, leave=True)

    @abstractmethod
    def _set(
        self, request: Request, viewer: Viewer, fields: dict[str, str], now: OrganizationRecord
    ) -> None:
        """Change what the form says. Raises Refused."""

    @abstractmethod
    def _compared(self, now: OrganizationRecord) -> tuple[object, ...]:
        """What must be as the form showed it."""

    @abstractmethod
    def _values(self, now: OrganizationRecord) -> dict[str, str]:
        """What the fields hold."""

    @abstractmethod
    def _more(self, viewer: Viewer, now: OrganizationRecord) -> dict[str, Any]:
        """What else the page shows."""

    def _now(self, viewer: Viewer) -> OrganizationRecord:
        return self._services.organizations.get(viewer.organization_id)

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
        if typed is not None:  # a box that is not ticked is not sent
            shown["values"] = {name: typed.get(name, "") for name in shown["values"]}
        return self._view.show(
            request, viewer, self.SECTION, status=status, errors=errors or {}, **shown
        )

    def _look(self, viewer: Viewer) -> dict[str, Any]:
        now = self._now(viewer)
        return {
            "values": self._values(now),
            "seen": seen(*self._compared(now)),
            **self._more(viewer, now),
        }
