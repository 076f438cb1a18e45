"""Invitations: a link that makes whoever holds it a member, once, within seven days.

The link's token is derived from the invitation and its generation, so that it can be shown again
and nothing secret is stored.
"""

import hmac
from typing import Final

import msgspec

from tidegate.core.model import OrganizationRecord, Role
from tidegate.services import audit, fields
from tidegate.services.audit import Action, Actor
from tidegate.services.browser_logins import Browser, add_membership
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.errors import Conflict, InvalidCode, NotFound
from tidegate.services.ids import new_id
from tidegate.services.password_hashing import STANDARD, PasswordHashing
from tidegate.services.people_changes import withdraw
from tidegate.services.permissions import require_may_give, role_now
from tidegate.services.vault import Subkeys, sign
from tidegate.store.people import InvitationRecord, MemberRecord
from tidegate.store.ports import DirectoryChange, DirectoryReads, Store

LIFETIME_US: Final = 7 * 86_400_000_000
_MAX_TOKEN_CHARS: Final = 200
_MAX_FAULT_CHARS: Final = 500
_INVALID: Final = (
    "This invitation is wrong, was used already, was withdrawn, or has expired."
    " Ask whoever invited you for a new link."
)


class Invited(msgspec.Struct, frozen=True):
    """An invitation and the token of its link."""

    invitation: InvitationRecord
    token: str


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a link's holder may accept."""

    organization_name: str
    email: str
    role: str  # Role
    inviter: str  # name or address; empty for the command line
    has_membership: bool  # became a member meanwhile: sign in, there is nothing to accept


class Invitations(Service):
    """Inviting, and what becomes of it."""

    def __init__(
        self,
        store: Store,
        subkeys: Subkeys,
        clock: Clock = now_us,
        hashing: PasswordHashing = STANDARD,
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._hashing = hashing

    def invite(
        self, organization_id: str, email: str, role: str, *, by_role: str, actor: Actor
    ) -> Invited:
        """Invite someone. Conflict if they are a member already, or invited."""
        address, chosen = fields.email_address(email), fields.role(role)
        at_us = self._clock()
        invitation = InvitationRecord(
            invitation_id=new_id("inv"),
            organization_id=organization_id,
            email=address,
            role=chosen,
            invited_by=actor.who,
            created_us=at_us,
            sent_us=at_us,
            expires_us=at_us + LIFETIME_US,
        )
        with self._directory.changing() as change:
            if change.organization(organization_id) is None:
                raise NotFound("There is no such organization.")
            require_may_give(role_now(change, organization_id, actor, by_role), chosen)
            _refuse_known(change, organization_id, address)
            change.add_invitation(invitation)
            detail = {"email": address, "role": str(chosen)}
            self._audit(change, actor, "invitation.create", invitation, detail)
        return Invited(invitation, self._token(invitation))

    def pending(self, organization_id: str) -> list[InvitationRecord]:
        """Those neither accepted nor withdrawn, expired ones too; oldest first."""
        with self._directory.reading() as reads:
            return reads.invitations(organization_id, pending=True)

    def get(self, organization_id: str, invitation_id: str) -> InvitationRecord:
        """One invitation, or NotFound."""
        with self._directory.reading() as reads:
            return _invitation(reads, organization_id, invitation_id)

    def token(self, organization_id: str, invitation_id: str, *, actor: Actor) -> str:
        """The token of the link that holds now; that it was shown is written down."""
        with self._directory.changing() as change:
            invitation = _handled(change, actor, organization_id, invitation_id)
            self._audit(change, actor, "invitation.link", invitation)
        return self._token(invitation)

    def resend(self, organization_id: str, invitation_id: str, *, actor: Actor) -> Invited:
        """A new link for seven days; the old one is void."""
        at_us = self._clock()
        with self._directory.changing() as change:
            before = _handled(change, actor, organization_id, invitation_id)
            invitation = msgspec.structs.replace(
                before,
                generation=before.generation + 1,
                sent_us=at_us,
                expires_us=at_us + LIFETIME_US,
                mail="",
                mail_fault="",
            )
            change.update_invitation(invitation)
            self._audit(change, actor, "invitation.resend", invitation)
        return Invited(invitation, self._token(invitation))

    def withdraw(self, organization_id: str, invitation_id: str, *, actor: Actor) -> None:
        """Void the link for good."""
        with self._directory.changing() as change:
            invitation = _handled(change, actor, organization_id, invitation_id)
            withdraw(change, actor, self._clock(), invitation)

    def mailed(self, organization_id: str, invitation_id: str, fault: str) -> None:
        """Note whether the mail server took the mail; no fault is an empty one."""
        with self._directory.changing() as change:
            invitation = _invitation(change, organization_id, invitation_id)
            noted = msgspec.structs.replace(
                invitation,
                mail="failed" if fault else "sent",
                mail_fault=fault[:_MAX_FAULT_CHARS],
            )
            change.update_invitation(noted)

    def peek(self, token: str) -> Offer | None:
        """What a link offers; changes nothing, so that a mail scanner may fetch it."""
        with self._directory.reading() as reads:
            found = self._open(reads, token)
            if found is None:
                return None
            invitation, organization = found
            mine = invitation.organization_id
            inviter = reads.member(mine, invitation.invited_by)
            member = reads.member_by_email(mine, invitation.email)
        return Offer(
            organization_name=organization.name,
            email=invitation.email,
            role=invitation.role,
            inviter=(inviter.name or inviter.email) if inviter else "",
            has_membership=member is not None,
        )

    def accept(
        self,
        token: str,
        *,
        name: str,
        password: str,
        address: str,
        user_agent: str,
        login_secret: str = "",
    ) -> str:
        """Become a member and sign in. An empty password: by mailed links only.

        A refused name or password leaves the link usable.
        """
        offer = self.peek(token)
        if offer is None:
            raise InvalidCode(_INVALID)
        chosen = fields.person_name(name)
        hashed = ""
        if password:
            hashed = self._hashing.hash(fields.new_password(password, offer.email))
        with self._directory.changing() as change:
            found = self._open(change, token)
            if found is None:
                raise InvalidCode(_INVALID)
            member = self._join(change, found[0], chosen, address)
            if hashed:
                change.set_password_hash(
                    member.organization_id, member.member_id, hashed, self._clock()
                )
            browser = Browser(address, user_agent, login_secret)
            return add_membership(change, self._subkeys.login, self._clock(), member, browser)

    def _join(
        self, change: DirectoryChange, invitation: InvitationRecord, name: str, address: str
    ) -> MemberRecord:
        mine, now_us = invitation.organization_id, self._clock()
        if change.member_by_email(mine, invitation.email):
            # Added by other means meanwhile: the link must not open what is theirs.
            raise Conflict("You are a member already. Sign in instead.", field="email")
        member = MemberRecord(
            member_id=new_id("mem"),
            organization_id=mine,
            email=invitation.email,
            name=name,
            role=invitation.role,
            created_us=now_us,
        )
        change.add_member(member)
        accepted = msgspec.structs.replace(
            invitation, accepted_us=now_us, member_id=member.member_id
        )
        change.update_invitation(accepted)
        detail = {"email": member.email, "role": member.role}
        self._audit(change, Actor(member.member_id, address), "invitation.accept", accepted, detail)
        return member

    def _open(
        self, reads: DirectoryReads, token: str
    ) -> tuple[InvitationRecord, OrganizationRecord] | None:
        """The invitation that a token is good for, with its organization."""
        if len(token) > _MAX_TOKEN_CHARS:
            return None
        invitation = reads.invitation_by_id(token.partition(".")[0])
        if invitation is None:
            return None
        right = self._token(invitation).encode()
        is_right = hmac.compare_digest(right, token.encode("utf-8", "replace"))
        if not is_right or not invitation.is_pending or invitation.expires_us <= self._clock():
            return None
        organization = reads.organization(invitation.organization_id)
        return (invitation, organization) if organization else None

    def _token(self, invitation: InvitationRecord) -> str:
        text = f"{invitation.invitation_id} {invitation.generation}"
        return f"{invitation.invitation_id}.{sign(self._subkeys.login, 'invitation', text)}"

    def _audit(
        self,
        change: DirectoryChange,
        actor: Actor,
        name: str,
        invitation: InvitationRecord,
        detail: dict[str, str] | None = None,
    ) -> None:
        told = detail if detail is not None else {"email": invitation.email}
        action = Action(name, invitation.organization_id, invitation.invitation_id, told)
        audit.record(change, actor, action, self._clock())


def _invitation(
    reads: DirectoryReads, organization_id: str, invitation_id: str
) -> InvitationRecord:
    invitation = reads.invitation(organization_id, invitation_id)
    if invitation is None:
        raise NotFound("There is no such invitation in this organization.")
    return invitation


def _handled(
    reads: DirectoryReads, actor: Actor, organization_id: str, invitation_id: str
) -> InvitationRecord:
    """A pending one that this actor could have made: its link gives that role to its holder."""
    invitation = _invitation(reads, organization_id, invitation_id)
    require_may_give(role_now(reads, organization_id, actor, Role.OWNER), invitation.role)
    if invitation.accepted_us:
        raise Conflict(f"{invitation.email} has accepted this invitation already.")
    if invitation.withdrawn_us:
        raise Conflict("This invitation was withdrawn already.")
    return invitation


def _refuse_known(reads: DirectoryReads, organization_id: str, email: str) -> None:
    if reads.member_by_email(organization_id, email):
        raise Conflict(f"{email} is a member already.", field="email")
    if any(i.email == email for i in reads.invitations(organization_id, pending=True)):
        raise Conflict(
            f"{email} is invited already. Resend that invitation, or withdraw it first.",
            field="email",
        )
