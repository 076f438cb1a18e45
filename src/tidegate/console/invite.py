"""Invitations: asking someone to join, and what can be done until they have."""

from dataclasses import dataclass
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import Dialogs, Moment, actor_of, home_of
from tidegate.console.web import Web
from tidegate.core.model import Role
from tidegate.services.errors import Conflict, InvalidField, Refused
from tidegate.services.invitations import Invited
from tidegate.services.logins import Viewer
from tidegate.services.notices import Delivery
from tidegate.store.people import InvitationRecord


@dataclass(frozen=True)
class RoleChoice:
    value: str
    title: str
    what: str


@dataclass(frozen=True)
class MailNote:
    """Whether the mail went out, and what to do if not."""

    kind: str  # the colour
    icon: str
    text: str
    settings: bool = False  # whether setting up email helps


@dataclass(frozen=True)
class PendingInvitation:
    """What the card of an invitation shows."""

    invitation_id: str
    email: str
    role: str
    generation: int
    sent: Moment
    expires: Moment
    expired: bool
    inviter_name: str
    mail_failed: bool


_ROLES: Final = (
    RoleChoice(Role.MEMBER, "Member", "Uses coding agents and sees their own use."),
    RoleChoice(Role.ADMIN, "Admin", "Sees everyone's use, invites, enrols and changes settings."),
    RoleChoice(Role.OWNER, "Owner", "Does all that, and decides who is admin or owner."),
)


class Invites:
    def __init__(self, web: Web) -> None:
        self._dialogs = Dialogs(web)
        self._web = web
        self._services = web.services

    def routes(self) -> list[Route]:
        one = "/invitations/{invitation_id}"
        return [
            page("/invite", self.form, need=Need.ADMIN),
            page("/invite", self.invite, methods=["POST"], need=Need.ADMIN),
            page(f"{one}/resend", self.resend, methods=["POST"], need=Need.ADMIN),
            page(f"{one}/link", self.link, methods=["POST"], need=Need.ADMIN),
            page(f"{one}/withdraw", self.confirm, need=Need.ADMIN),
            page(f"{one}/withdraw", self.withdraw, methods=["POST"], need=Need.ADMIN),
        ]

    async def form(self, request: Request, viewer: Viewer) -> Response:
        return self._form(request, viewer, {"email": "", "role": Role.MEMBER})

    async def invite(self, request: Request, viewer: Viewer) -> Response:
        form = request.state.form
        values = {name: form.get(name, "") for name in ("email", "role")}
        try:
            invited, mail = await run_in_threadpool(self._invite, request, viewer, values)
        except Refused as refused:
            errors = {refused.field if refused.field in values else "": refused.message}
            return self._form(request, viewer, values, errors)
        return self._link(request, viewer, invited, mail)

    async def resend(self, request: Request, viewer: Viewer) -> Response:
        invited, mail = await run_in_threadpool(self._resend, request, viewer)
        return self._link(request, viewer, invited, mail, renewed=True)

    async def link(self, request: Request, viewer: Viewer) -> Response:
        invited = await run_in_threadpool(self._show, request, viewer)
        return self._link(request, viewer, invited, None)

    async def confirm(self, request: Request, viewer: Viewer) -> Response:
        found = await run_in_threadpool(self._pending, viewer, _id(request))
        return self._dialogs.show(
            request,
            viewer,
            "dialog_confirm.html",
            question=f"Withdraw the invitation of {found.email}?",
            told=["The link stops working at once. You can invite the same person again."],
            action=f"/invitations/{found.invitation_id}/withdraw",
            symbol="mail",
            back="",
            keep="Keep it",
            verb="Withdraw",
        )

    async def withdraw(self, request: Request, viewer: Viewer) -> Response:
        found = await run_in_threadpool(self._withdraw, request, viewer)
        return self._web.done(
            request, home_of(viewer), f"The invitation of {found.email} is withdrawn."
        )

    # what runs beside the event loop

    def _invite(
        self, request: Request, viewer: Viewer, values: dict[str, str]
    ) -> tuple[Invited, Delivery]:
        if not values["email"].strip():
            raise InvalidField("Type the email address of the person.", field="email")
        invited = self._services.invitations.invite(
            viewer.organization_id,
            values["email"],
            values["role"],
            by_role=viewer.role,
            actor=actor_of(request, viewer),
        )
        return invited, self._mail(viewer, invited)

    def _resend(self, request: Request, viewer: Viewer) -> tuple[Invited, Delivery]:
        found = self._pending(viewer, _id(request))
        if request.state.form.get("generation", "") not in {"", str(found.generation)}:
            raise Conflict("This invitation was sent again a moment ago. Look at its card first.")
        invited = self._services.invitations.resend(
            viewer.organization_id, found.invitation_id, actor=actor_of(request, viewer)
        )
        return invited, self._mail(viewer, invited)

    def _show(self, request: Request, viewer: Viewer) -> Invited:
        found = self._pending(viewer, _id(request))
        token = self._services.invitations.token(
            viewer.organization_id, found.invitation_id, actor=actor_of(request, viewer)
        )
        return Invited(found, token)

    def _withdraw(self, request: Request, viewer: Viewer) -> InvitationRecord:
        found = self._pending(viewer, _id(request))
        self._services.invitations.withdraw(
            viewer.organization_id, found.invitation_id, actor=actor_of(request, viewer)
        )
        return found

    def _pending(self, viewer: Viewer, invitation_id: str) -> InvitationRecord:
        found = self._services.invitations.get(viewer.organization_id, invitation_id)
        if not found.is_pending:
            raise Conflict("This invitation was accepted or withdrawn meanwhile.")
        return found

    def _mail(self, viewer: Viewer, invited: Invited) -> Delivery:
        """Send it; what became of it stays with the invitation."""
        delivery = self._services.notices.invitation(
            viewer.organization_id, invited, viewer.name or viewer.email
        )
        if delivery.configured:
            self._services.invitations.mailed(
                viewer.organization_id, invited.invitation.invitation_id, delivery.fault
            )
        return delivery

    # what is shown

    def _form(
        self,
        request: Request,
        viewer: Viewer,
        values: dict[str, str],
        errors: dict[str, str] | None = None,
    ) -> Response:
        roles = [role for role in _ROLES if role.value != Role.OWNER or viewer.role == Role.OWNER]
        return self._dialogs.show(
            request,
            viewer,
            "invite.html",
            status=422 if errors else 200,
            values=values,
            errors=errors or {},
            roles=roles,
        )

    def _link(
        self,
        request: Request,
        viewer: Viewer,
        invited: Invited,
        mail: Delivery | None,
        *,
        renewed: bool = False,
    ) -> Response:
        invitation = invited.invitation
        return self._dialogs.show(
            request,
            viewer,
            "invite_link.html",
            invitation=invitation,
            role=invitation.role.capitalize(),
            until=self._dialogs.moment(viewer, invitation.expires_us),
            link=f"{self._web.options.public_url.rstrip('/')}/join/{invited.token}",
            mail=mail and _mail_note(mail, invitation.email),
            renewed=renewed,
            changed=mail is not None,
        )


def pending_view(
    web: Web, viewer: Viewer, invitation: InvitationRecord, inviter_name: str
) -> PendingInvitation:
    """What `invitation_card.html` shows."""
    moment = Dialogs(web).moment
    return PendingInvitation(
        invitation_id=invitation.invitation_id,
        email=invitation.email,
        role=invitation.role.capitalize(),
        generation=invitation.generation,
        sent=moment(viewer, invitation.sent_us),
        expires=moment(viewer, invitation.expires_us),
        expired=invitation.expires_us <= web.clock(),
        inviter_name=inviter_name,
        mail_failed=invitation.mail == "failed",
    )


def _mail_note(mail: Delivery, email: str) -> MailNote:
    if mail.sent:
        return MailNote("positive", "circle-check", f"A mail with the link went to {email}.")
    if not mail.configured:
        told = "No mail went out, as no mail server is set up. Send the link yourself."
        return MailNote("plain", "info", told, settings=True)
    told = f"The mail did not go out: {mail.fault.rstrip('.')}. Send the link yourself."
    return MailNote("warning", "triangle-alert", told)


def _id(request: Request) -> str:
    invitation_id: str = request.path_params["invitation_id"]
    return invitation_id
