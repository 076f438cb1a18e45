"""The people of an organization."""

from tidegate.core.model import Role
from tidegate.services import audit, fields
from tidegate.services.audit import COMMAND_LINE, Action, Actor
from tidegate.services.context import Service
from tidegate.services.errors import InvalidField, NotFound
from tidegate.services.ids import new_id
from tidegate.store.people import MemberRecord
from tidegate.store.ports import DirectoryChange


class Members(Service):
    """Look-ups and additions; a removed member stays for the history."""

    def list(self, organization_id: str) -> list[MemberRecord]:
        """Everyone who is, or was, a member; ordered by email."""
        with self._directory.reading() as reads:
            return reads.members(organization_id)

    def get(self, organization_id: str, member_id: str) -> MemberRecord:
        """One member, or NotFound."""
        with self._directory.reading() as reads:
            member = reads.member(organization_id, member_id)
        if member is None:
            raise NotFound("There is no such member in this organization.")
        return member

    def by_email(self, organization_id: str, email: str) -> MemberRecord:
        """The present member with this address, or NotFound."""
        address = fields.email_address(email)
        with self._directory.reading() as reads:
            member = reads.member_by_email(organization_id, address)
        if member is None:
            raise NotFound(f"{address} is no member of this organization.", field="email")
        return member

    def owner(self, organization_id: str) -> MemberRecord:
        """The first owner."""
        owners = [
            m for m in self.list(organization_id) if m.role == Role.OWNER and not m.removed_us
        ]
        if not owners:
            raise NotFound("This organization has no owner.")
        return min(owners, key=lambda m: m.created_us)

    def add(
        self, organization_id: str, email: str, role: str = "member", *, actor: Actor = COMMAND_LINE
    ) -> MemberRecord:
        """Add a member; one who is there already stays as is."""
        if role not in list(Role):
            raise InvalidField(f"There is no role “{role}”.", field="role")
        address = fields.email_address(email)
        with self._directory.changing() as change:
            return ensure_member(
                change, actor, self._clock(), new_member(organization_id, address, role)
            )


def new_member(organization_id: str, email: str, role: str) -> MemberRecord:
    """A member yet to be added; the email is normalised already."""
    return MemberRecord(
        member_id=new_id("mem"), organization_id=organization_id, email=email, role=role
    )


def ensure_member(
    change: DirectoryChange, actor: Actor, now_us: int, wanted: MemberRecord
) -> MemberRecord:
    """The member with the wanted one's address, added if there was none."""
    if member := change.member_by_email(wanted.organization_id, wanted.email):
        return member
    member = MemberRecord(
        member_id=wanted.member_id,
        organization_id=wanted.organization_id,
        email=wanted.email,
        role=wanted.role,
        created_us=now_us,
    )
    change.add_member(member)
    detail = {"email": member.email, "role": member.role}
    action = Action("member.add", member.organization_id, member.member_id, detail)
    audit.record(change, actor, action, now_us)
    return member
