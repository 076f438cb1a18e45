"""Settings: who belongs to the organization, in which role, and since when."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import Moment, actor_of
from tidegate.console.formats import plural
from tidegate.console.settings import SettingsView, refuse_stale, seen
from tidegate.console.web import Web
from tidegate.core.model import Role
from tidegate.services import fields
from tidegate.services.errors import Conflict, Forbidden, NotFound, Refused
from tidegate.services.logins import Viewer
from tidegate.store.budgets import SquadRecord
from tidegate.store.people import InvitationRecord, MemberRecord

_PATH: Final = "/settings/members"
_SECTION: Final = "members"
_GONE: Final = "This member was removed already."
ROLES: Final[tuple[tuple[Role, str, str], ...]] = (
    (Role.MEMBER, "Member", "Sees their own use and enrols their coding agents."),
    (Role.ADMIN, "Admin", "Sees everyone's use, invites people, changes settings."),
    (Role.OWNER, "Owner", "An admin who may also make and change owners."),
)
_ORDER: Final = {Role.OWNER: 0, Role.ADMIN: 1, Role.MEMBER: 2}


@dataclass(frozen=True)
class MemberRow:
    member_id: str
    name: str  # or the address of one who has none
    email: str
    role: str
    joined: Moment
    removed: Moment | None
    has_password: bool
    agents: int
    squad: SquadRecord | None
    is_viewer: bool
    may_change: bool
    seen: str

    @property
    def first_name(self) -> str:
        return self.name.split()[0] if self.name != self.email else self.email


@dataclass(frozen=True)
class InvitationRow:
    invitation_id: str
    email: str
    role: str
    inviter: str
    sent: Moment
    expires: Moment
    expired: bool
    mail_failed: bool


class MemberSettings:
    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._web = web
        self._members = web.services.members
        self._squads = web.services.squads

    def routes(self) -> list[Route]:
        one, admin, post = _PATH + "/{member_id}", Need.ADMIN, ["POST"]
        return [
            page(_PATH, self.show, need=admin),
            page(one, self.edit, need=admin),
            page(one, self.save, methods=post, need=admin),
            page(one + "/link", self.link, methods=post, need=admin),
            page(one + "/remove", self.ask_remove, need=admin),
            page(one + "/remove", self.remove, methods=post, need=admin),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        rows, invitations = await run_in_threadpool(self._look, viewer)
        return self._view.show(
            request,
            viewer,
            _SECTION,
            rows=[row for row in rows if not row.removed],
            removed=[row for row in rows if row.removed],
            invitations=invitations,
        )

    async def edit(self, request: Request, viewer: Viewer) -> Response:
        return await self._edit(request, viewer, await self._row(request, viewer), {})

    async def save(self, request: Request, viewer: Viewer) -> Response:
        """Name, role and squad, all or none of them."""
        row = await self._row(request, viewer)
        try:
            await run_in_threadpool(self._save, request, viewer, row)
        except (NotFound, Forbidden):
            raise
        except Refused as refused:
            return await self._edit(request, viewer, row, {refused.field: refused.message})
        lost = row.is_viewer and request.state.form.get("role") == Role.MEMBER
        return self._web.done(request, "/" if lost else _PATH, "Saved.", leave=lost)

    async def link(self, request: Request, viewer: Viewer) -> Response:
        """Make a one-time link for someone who has neither password nor mail."""
        row = await self._row(request, viewer)
        if not (row.is_viewer or viewer.role == Role.OWNER or row.role == Role.MEMBER):
            raise Forbidden("A link that signs in an admin or owner is made by an owner alone.")
        token = await run_in_threadpool(
            self._web.services.logins.make_sign_in_token,
            viewer.organization_id,
            row.member_id,
            actor=actor_of(request, viewer),
        )
        link = f"{self._web.options.public_url.rstrip('/')}/sign-in/{token}"
        return self._view.dialog(
            request, viewer, "settings_member_link.html", home=_PATH, row=row, link=link
        )

    async def ask_remove(self, request: Request, viewer: Viewer) -> Response:
        row = await self._row(request, viewer)
        keys = f"The {plural(row.agents, 'key')} of their coding agents" if row.agents else ""
        return self._view.confirm(
            request,
            viewer,
            f"Remove {row.name}?",
            f"{keys} {'is' if row.agents == 1 else 'are'} deleted: the next request is refused."
            if keys
            else "",
            "They are signed out everywhere, and their access tokens end.",
            "What they used stays on every page, under their name.",
            verb=f"Remove {row.first_name}",
            home=_PATH,
        )

    async def remove(self, request: Request, viewer: Viewer) -> Response:
        row = await self._row(request, viewer)
        await run_in_threadpool(
            self._members.remove,
            viewer.organization_id,
            row.member_id,
            by_role=viewer.role,
            actor=actor_of(request, viewer),
        )
        return self._web.done(
            request, "/" if row.is_viewer else _PATH, f"{row.name} is removed.", leave=row.is_viewer
        )

    def _save(self, request: Request, viewer: Viewer, row: MemberRow) -> None:
        form: dict[str, str] = request.state.form
        member = self._members.get(viewer.organization_id, row.member_id)
        before = row.squad.squad_id if row.squad else ""
        refuse_stale(form, member.name, member.role, before)
        name, role = fields.person_name(form.get("name", "")), fields.role(form.get("role", ""))
        squad_id = form.get("squad", before)
        if squad_id and squad_id != before:
            self._squads.get(viewer.organization_id, squad_id)  # refused before all else changes
        actor = actor_of(request, viewer)
        if role != member.role:
            self._members.set_role(
                viewer.organization_id, member.member_id, role, by_role=viewer.role, actor=actor
            )
        if squad_id != before:
            self._squads.place(
                viewer.organization_id,
                member.member_id,
                squad_id,
                by_role=viewer.role,
                actor=actor,
            )
        if name != member.name:
            self._members.rename(viewer.organization_id, member.member_id, name, actor=actor)

    async def _row(self, request: Request, viewer: Viewer) -> MemberRow:
        """A present member whom the viewer may change."""
        member_id = request.path_params["member_id"]
        rows, _ = await run_in_threadpool(self._look, viewer)
        row = next((each for each in rows if each.member_id == member_id), None)
        if row is None:
            raise NotFound("There is no such member in this organization.")
        if row.removed:
            raise Conflict(_GONE)
        if not row.may_change:
            raise Forbidden("Owners are changed by owners alone.")
        return row

    async def _edit(
        self, request: Request, viewer: Viewer, row: MemberRow, errors: dict[str, str]
    ) -> Response:
        listed = await run_in_threadpool(self._squads.list, viewer.organization_id)
        squad_id = row.squad.squad_id if row.squad else ""
        typed = request.state.form if request.method == "POST" else {}
        shown_name = "" if row.name == row.email else row.name
        return self._view.dialog(
            request,
            viewer,
            "settings_member.html",
            home=_PATH,
            status=(409 if "" in errors else 422) if errors else 200,
            errors=errors,
            row=row,
            squads=[each.record for each in listed],
            roles=[each for each in ROLES if viewer.role == Role.OWNER or each[0] != Role.OWNER],
            values={
                "name": shown_name if "" in errors else typed.get("name", shown_name),
                "role": row.role if "" in errors else typed.get("role", row.role),
                "squad": squad_id if "" in errors else typed.get("squad", squad_id),
            },
        )

    def _look(self, viewer: Viewer) -> tuple[list[MemberRow], list[InvitationRow]]:
        organization_id = viewer.organization_id
        members = self._members.list(organization_id)
        keys = self._web.services.enrolment.list_keys(organization_id)
        agents = Counter(key.record.member_id for key in keys)
        squad_of = {m: s.record for s in self._squads.list(organization_id) for m in s.member_ids}
        rows = [
            self._member_row(viewer, each, agents[each.member_id], squad_of.get(each.member_id))
            for each in members
        ]
        rows.sort(key=lambda row: (_ORDER[Role(row.role)], row.name.casefold()))
        names = {row.member_id: row.name for row in rows}
        pending = self._web.services.invitations.pending(organization_id)
        return rows, [self._invitation_row(viewer, each, names) for each in pending]

    def _member_row(
        self, viewer: Viewer, member: MemberRecord, agents: int, squad: SquadRecord | None
    ) -> MemberRow:
        removed_us = member.removed_us
        return MemberRow(
            member_id=member.member_id,
            name=member.name or member.email,
            email=member.email,
            role=member.role,
            joined=self._view.moment(viewer, member.created_us),
            removed=self._view.moment(viewer, removed_us) if removed_us else None,
            has_password=bool(member.password_us),
            agents=agents,
            squad=squad,
            is_viewer=member.member_id == viewer.member_id,
            may_change=viewer.role == Role.OWNER or member.role != Role.OWNER,
            seen=seen(member.name, member.role, squad.squad_id if squad else ""),
        )

    def _invitation_row(
        self, viewer: Viewer, invitation: InvitationRecord, names: dict[str, str]
    ) -> InvitationRow:
        return InvitationRow(
            invitation_id=invitation.invitation_id,
            email=invitation.email,
            role=invitation.role,
            inviter=names.get(invitation.invited_by, ""),
            sent=self._view.moment(viewer, invitation.sent_us),
            expires=self._view.moment(viewer, invitation.expires_us),
            expired=invitation.expires_us <= self._web.clock(),
            mail_failed=invitation.mail == "failed",
        )
