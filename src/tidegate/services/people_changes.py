"""Changes of people that several services make, within their transactions."""

import msgspec

from tidegate.services import audit
from tidegate.services.audit import Action, Actor
from tidegate.services.ids import new_id
from tidegate.services.permissions import is_admin, rank
from tidegate.store.people import InvitationRecord, MemberRecord
from tidegate.store.ports import DirectoryChange


def new_member(organization_id: str, email: str, role: str) -> MemberRecord:
    """A member yet to be added; the email is normalised already."""
    return MemberRecord(
        member_id=new_id("mem"), organization_id=organization_id, email=email, role=role
    )


def ensure_member(
    change: DirectoryChange, actor: Actor, now_us: int, wanted: MemberRecord
) -> MemberRecord:
    """The member with the wanted one's address, added if there was none.

    Whoever is added needs no invitation any more: its link would open what is theirs.
    """
    if member := change.member_by_email(wanted.organization_id, wanted.email):
        return member
    member = msgspec.structs.replace(wanted, created_us=now_us)
    change.add_member(member)
    detail = {"email": member.email, "role": member.role}
    action = Action("member.add", member.organization_id, member.member_id, detail)
    audit.record(change, actor, action, now_us)
    for invitation in change.invitations(member.organization_id, pending=True):
        if invitation.email == member.email:
            withdraw(change, actor, now_us, invitation)
    return member


def withdraw(
    change: DirectoryChange, actor: Actor, now_us: int, invitation: InvitationRecord
) -> None:
    """Withdraw a pending invitation."""
    change.update_invitation(msgspec.structs.replace(invitation, withdrawn_us=now_us))
    detail = {"email": invitation.email}
    target, mine = invitation.invitation_id, invitation.organization_id
    audit.record(change, actor, Action("invitation.withdraw", mine, target, detail), now_us)


def withdraw_exceeding(
    change: DirectoryChange, actor: Actor, now_us: int, inviter: MemberRecord
) -> None:
    """Withdraw what the inviter could not invite to any more: nobody leaves a way back in."""
    for invitation in change.invitations(inviter.organization_id, pending=True):
        mine = invitation.invited_by == inviter.member_id
        may = is_admin(inviter.role) and rank(invitation.role) <= rank(inviter.role)
        if mine and (inviter.removed_us or not may):
            withdraw(change, actor, now_us, invitation)


def delete_access(change: DirectoryChange, actor: Actor, now_us: int, member: MemberRecord) -> None:
    """Delete all that a member could get in by: keys, codes, logins, tokens, the password."""
    mine = (member.organization_id, member.member_id)
    for key in change.keys(member.organization_id):
        if key.record.member_id == member.member_id:
            change.delete_key(member.organization_id, key.record.key_id)
            detail = {"agent": key.record.agent, "member_id": member.member_id}
            action = Action("key.unenroll", member.organization_id, key.record.key_id, detail)
            audit.record(change, actor, action, now_us)
    change.delete_squad_member(*mine)
    change.delete_codes(*mine)
    change.remove_login_member(*mine)
    change.delete_access_tokens(*mine)
    change.set_password_hash(*mine, "", 0)
