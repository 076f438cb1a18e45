"""Invitations: asking someone to join the organization."""

from typing import Annotated, Any, Literal

import msgspec

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery
from tidegate.console.api_v1.paging import Page, PageQuery, page_of
from tidegate.console.api_v1.table import act, create, delete, get
from tidegate.console.api_v1.texts import Email
from tidegate.console.api_v1.times import Time, time
from tidegate.core.model import Role
from tidegate.services.errors import NotFound
from tidegate.services.invitations import Invited
from tidegate.store.people import InvitationRecord

Mail = Annotated[
    Literal["sent", "failed"] | None,
    msgspec.Meta(description="What became of the mail; null: none was sent."),
]


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """Pending until it is accepted or withdrawn. Its link works until `expires_at`."""

    id: str
    email: str
    role: Role
    invited_by: str  # a member's id, or cli
    created_at: Time
    sent_at: Time
    expires_at: Time
    mail: Mail
    mail_fault: str  # why a mail failed


class SentInvitation(Invitation, frozen=True, kw_only=True):
    """An invitation with its link, to be sent by hand if no mail went out."""

    link: str


class InvitationCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    email: Email
    role: Role = Role.MEMBER


class InvitationLink(msgspec.Struct, frozen=True):
    """Whoever has it can join in the invited role."""

    link: str


def list_invitations(call: Call[PageQuery, NoBody]) -> Page[Invitation]:
    """List the pending invitations."""
    found = call.services.invitations.pending(call.organization_id)
    page, after = page_of("invitations", call.query, found, lambda i: i.invitation_id)
    return Page([Invitation(**_fields(i)) for i in page], after)


def get_invitation(call: Call[NoQuery, NoBody]) -> Invitation:
    """One pending invitation."""
    record = call.services.invitations.get(call.organization_id, call.path["invitation_id"])
    if not record.is_pending:
        raise NotFound("This invitation was accepted or withdrawn already.")
    return Invitation(**_fields(record))


def invite_member(call: Call[NoQuery, InvitationCreate]) -> SentInvitation:
    """Invite someone.

    A mail goes out if a mail server is set; the link is in the answer in any case. Only owners
    invite owners.
    """
    invited = call.services.invitations.invite(
        call.organization_id,
        call.body.email,
        call.body.role,
        by_role=call.viewer.role,
        actor=call.actor,
    )
    return _mailed(call, invited)


def resend_invitation(call: Call[NoQuery, NoBody]) -> SentInvitation:
    """Send an invitation again, for seven days anew; the link before stops working."""
    invited = call.services.invitations.resend(
        call.organization_id, call.path["invitation_id"], actor=call.actor
    )
    return _mailed(call, invited)


def show_invitation_link(call: Call[NoQuery, NoBody]) -> InvitationLink:
    """Show the link of an invitation. That it was shown is written to the audit log."""
    token = call.services.invitations.token(
        call.organization_id, call.path["invitation_id"], actor=call.actor
    )
    return InvitationLink(_link(call, token))


def withdraw_invitation(call: Call[NoQuery, NoBody]) -> None:
    """Withdraw an invitation; its link stops working at once."""
    call.services.invitations.withdraw(
        call.organization_id, call.path["invitation_id"], actor=call.actor
    )


def _mailed(call: Call[msgspec.Struct, msgspec.Struct], invited: Invited) -> SentInvitation:
    """Send it; what became of the mail stays with the invitation."""
    services, organization_id = call.services, call.organization_id
    invitation_id = invited.invitation.invitation_id
    inviter = call.viewer.name or call.viewer.email
    delivery = services.notices.invitation(organization_id, invited, inviter)
    if delivery.configured:
        services.invitations.mailed(organization_id, invitation_id, delivery.fault)
    record = services.invitations.get(organization_id, invitation_id)
    return SentInvitation(**_fields(record), link=_link(call, invited.token))


def _link(call: Call[msgspec.Struct, msgspec.Struct], token: str) -> str:
    return f"{call.public_url}/join/{token}"


def _fields(record: InvitationRecord) -> dict[str, Any]:
    return {
        "id": record.invitation_id,
        "email": record.email,
        "role": Role(record.role),
        "invited_by": record.invited_by,
        "created_at": time(record.created_us),
        "sent_at": time(record.sent_us),
        "expires_at": time(record.expires_us),
        "mail": record.mail or None,
        "mail_fault": record.mail_fault,
    }


_ITEM = "/invitations/{invitation_id}"
_TAG = "Invitations"
OPERATIONS = (
    get("/invitations", list_invitations, need=Need.ADMIN, tag=_TAG),
    create("/invitations", invite_member, need=Need.ADMIN, tag=_TAG, item=_ITEM, conflicts=True),
    get(_ITEM, get_invitation, need=Need.ADMIN, tag=_TAG),
    delete(_ITEM, withdraw_invitation, need=Need.ADMIN, tag=_TAG, conflicts=True),
    act(f"{_ITEM}/resend", resend_invitation, need=Need.ADMIN, tag=_TAG, conflicts=True),
    act(f"{_ITEM}/link", show_invitation_link, need=Need.ADMIN, tag=_TAG, conflicts=True),
)
