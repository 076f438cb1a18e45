"""Managing an enrolled agent: its switches, its key, and its end."""

from dataclasses import dataclass
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.agent_marks import agent_mark
from tidegate.console.agent_setup import Setup
from tidegate.console.debug_switch import DebugSwitch, Switch, is_on
from tidegate.console.dialogs import AgentKey, Dialogs, actor_of, home_of, key_id_of
from tidegate.console.web import Web, is_partial
from tidegate.core.model import KeyRecord
from tidegate.services.errors import InvalidField, NotFound, Refused
from tidegate.services.logins import Viewer

_HOUR_S: Final = 3_600


@dataclass(frozen=True)
class Overlap:
    """How long the key before a rotation stays valid."""

    value: str  # seconds
    title: str
    what: str


_OVERLAPS: Final = (
    Overlap("0", "Stops now", "For a key that someone else may have seen."),
    Overlap(str(_HOUR_S), "Works for 1 hour more", "Running agents can finish."),
    Overlap(str(24 * _HOUR_S), "Works for 24 hours more", "Time to log in again on each machine."),
    Overlap(str(7 * 24 * _HOUR_S), "Works for 7 days more", "For machines that are rarely on."),
)
_USUAL_OVERLAP: Final = str(24 * _HOUR_S)
_COMPRESSION: Final = "Token compression"
_COMPRESSES: Final = (
    "Makes tool results shorter before they reach the model. Applies to new sessions."
)
_FIXED: Final = (
    "Your organization decides on this for all keys. Admins change it in Settings,"
    " under Compression."
)


class Agents:
    def __init__(self, web: Web) -> None:
        self._dialogs = Dialogs(web)
        self._setup = Setup(web)
        self._web = web
        self._services = web.services
        self._debug = DebugSwitch(web, self.manage)

    def routes(self) -> list[Route]:
        one = "/agents/{key_id}"
        post: dict[str, Any] = {"methods": ["POST"], "need": Need.MEMBER}
        return [
            page(one, self.manage, need=Need.MEMBER),
            page(f"{one}/compression", self.compression, **post),
            *self._debug.routes(),
            page(f"{one}/reveal", self.reveal, **post),
            page(f"{one}/rotate", self.rotation, need=Need.MEMBER),
            page(f"{one}/rotate", self.rotate, **post),
            page(f"{one}/unenrol", self.confirm, need=Need.MEMBER),
            page(f"{one}/unenrol", self.unenrol, **post),
        ]

    async def manage(self, request: Request, viewer: Viewer) -> Response:
        shown = await run_in_threadpool(self._look, viewer, key_id_of(request))
        return self._dialogs.show(request, viewer, "agent_manage.html", **shown)

    async def compression(self, request: Request, viewer: Viewer) -> Response:
        setting = await run_in_threadpool(self._compress, request, viewer)
        if is_partial(request):
            return self._web.fragment(
                request, "agent_switch.html", key_id=key_id_of(request), setting=setting
            )
        told = f"{setting.title} is {'on' if setting.on else 'off'}."
        return self._web.done(request, f"/agents/{key_id_of(request)}", told)

    async def reveal(self, request: Request, viewer: Viewer) -> Response:
        shown = await run_in_threadpool(self._reveal, request, viewer)
        if is_partial(request):
            return self._web.fragment(request, "agent_key.html", **shown)
        return self._dialogs.show(request, viewer, "agent_manage.html", **shown)

    async def rotation(self, request: Request, viewer: Viewer) -> Response:
        return await self._rotation(request, viewer)

    async def rotate(self, request: Request, viewer: Viewer) -> Response:
        try:
            key, code, note = await run_in_threadpool(self._rotate, request, viewer)
        except NotFound:
            raise
        except Refused as refused:
            errors = {"overlap" if refused.field == "overlap" else "": refused.message}
            return await self._rotation(request, viewer, errors)
        return await self._setup.of_rotated_key(request, viewer, key, code, note)

    async def confirm(self, request: Request, viewer: Viewer) -> Response:
        key = await run_in_threadpool(self._dialogs.key, viewer, key_id_of(request))
        title = agent_mark(key.record.agent).title
        return self._dialogs.show(
            request,
            viewer,
            "dialog_confirm.html",
            question=f"Unenrol {title} of {key.person.name}?",
            told=[
                "Its key is deleted for good: the next request with it is refused.",
                f"What it used stays in the reports. {title} can be enrolled again with a new key.",
            ],
            action=f"/agents/{key.key_id}/unenrol",
            symbol="trash-2",
            back=f"/agents/{key.key_id}",
            keep="Keep it",
            verb=f"Unenrol {title}",
        )

    async def unenrol(self, request: Request, viewer: Viewer) -> Response:
        key = await run_in_threadpool(self._unenrol, request, viewer)
        told = f"{agent_mark(key.record.agent).title} of {key.person.name} is unenrolled."
        return self._web.done(request, home_of(viewer), told)

    async def _rotation(
        self, request: Request, viewer: Viewer, errors: dict[str, str] | None = None
    ) -> Response:
        key = await run_in_threadpool(self._dialogs.key, viewer, key_id_of(request))
        asked = request.state.form.get("overlap", "") if errors else ""
        return self._dialogs.show(
            request,
            viewer,
            "agent_rotate.html",
            status=422 if errors else 200,
            agent=agent_mark(key.record.agent),
            member=key.person,
            key_id=key.key_id,
            prefix=key.stored.prefix,
            overlaps=_OVERLAPS,
            overlap=asked if asked in {each.value for each in _OVERLAPS} else _USUAL_OVERLAP,
            errors=errors or {},
        )

    # what runs beside the event loop

    def _look(self, viewer: Viewer, key_id: str) -> dict[str, Any]:
        key = self._dialogs.key(viewer, key_id)
        old_us = self._services.enrolment.old_secret_until(viewer.organization_id, key_id)
        used_us = self._dialogs.last_used_us(key)
        moment = self._dialogs.moment
        enrolled = self._dialogs.last_change(viewer, key_id, "key.enroll")
        return {
            "agent": agent_mark(key.record.agent),
            "member": key.person,
            "key_id": key_id,
            "prefix": key.stored.prefix,
            "disabled": key.record.disabled,
            "allowed_models": key.record.allowed_models,
            "enrolled": moment(viewer, key.stored.created_us),
            "enrolled_by": self._dialogs.who_did(viewer, enrolled),
            "used": moment(viewer, used_us) if used_us else None,
            "switches": [self._compression(key.record), self._debug.look(viewer, key)],
            "secret": "",
            "old_until": moment(viewer, old_us) if old_us else None,
        }

    def _compression(self, record: KeyRecord) -> Switch:
        organization = self._services.organizations.get(record.organization_id)
        return Switch(
            "compression",
            _COMPRESSION,
            _COMPRESSES,
            organization.compresses(record),
            fixed=_FIXED if organization.compression_locked else "",
        )

    def _compress(self, request: Request, viewer: Viewer) -> Switch:
        key = self._dialogs.key(viewer, key_id_of(request))
        record = self._services.enrolment.switch(
            viewer.organization_id,
            key.key_id,
            compression=is_on(request.state.form),
            actor=actor_of(request, viewer),
        )
        return self._compression(record)

    def _reveal(self, request: Request, viewer: Viewer) -> dict[str, Any]:
        shown = self._look(viewer, key_id_of(request))
        shown["secret"] = self._services.enrolment.reveal(
            viewer.organization_id, key_id_of(request), actor=actor_of(request, viewer)
        )
        return shown

    def _rotate(self, request: Request, viewer: Viewer) -> tuple[AgentKey, str, str]:
        key = self._dialogs.key(viewer, key_id_of(request))
        form, enrolment = request.state.form, self._services.enrolment
        overlap = form.get("overlap", "")
        if overlap not in {each.value for each in _OVERLAPS}:
            raise InvalidField("Choose one of these.", field="overlap")
        actor = actor_of(request, viewer)
        enrolment.rotate(
            viewer.organization_id,
            key.key_id,
            int(overlap),
            seen_prefix=form.get("prefix", "") or "none",
            actor=actor,
        )
        code = enrolment.login_code(viewer.organization_id, key.key_id, actor=actor)
        until_us = enrolment.old_secret_until(viewer.organization_id, key.key_id)
        note = "The key before is refused from now on."
        if until_us:
            note = f"The key before works until {self._dialogs.moment(viewer, until_us).exact}."
        return self._dialogs.key(viewer, key.key_id), code, note

    def _unenrol(self, request: Request, viewer: Viewer) -> AgentKey:
        key = self._dialogs.key(viewer, key_id_of(request))
        self._services.enrolment.unenroll(
            viewer.organization_id, key.key_id, actor=actor_of(request, viewer)
        )
        return key
