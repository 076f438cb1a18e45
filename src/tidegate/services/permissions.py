"""Which role may do what to people. What is not named here is refused."""

from typing import Final

from tidegate.core.model import Role
from tidegate.services.audit import COMMAND_LINE, Actor
from tidegate.services.errors import Forbidden
from tidegate.store.people import MemberRecord, PeopleReads

_RANK: Final[dict[str, int]] = {Role.MEMBER: 1, Role.ADMIN: 2, Role.OWNER: 3}


def rank(role: str) -> int:
    """Greater for who may do more; 0 for what is no role."""
    return _RANK.get(role, 0)


def is_admin(role: str) -> bool:
    """Whether the role may manage the organization: admins and owners."""
    return rank(role) >= _RANK[Role.ADMIN]


def require_may_give(by_role: str, role: str) -> None:
    """Admins bring in members and admins, owners anyone; else Forbidden."""
    if not is_admin(by_role):
        raise Forbidden("Only admins and owners can do this.")
    if rank(role) > rank(by_role):
        raise Forbidden("Only an owner can make someone an owner.", field="role")


def require_may_change(by_role: str, member: MemberRecord) -> None:
    """Admins change members and admins, owners anyone; else Forbidden."""
    if not is_admin(by_role):
        raise Forbidden("Only admins and owners can do this.")
    if rank(member.role) > rank(by_role):
        raise Forbidden("Only an owner can change an owner.")


def role_now(reads: PeopleReads, organization_id: str, actor: Actor, by_role: str) -> str:
    """The lower of the role that was asked with and the one that the actor has by now.

    The two differ when someone else changed the actor's role or removed the actor meanwhile.
    """
    if actor.who == COMMAND_LINE.who:
        return by_role
    member = reads.member(organization_id, actor.who)
    if member is None or member.removed_us:
        return ""
    return min(by_role, member.role, key=rank)
