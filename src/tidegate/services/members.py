"""The people of an organization."""

import msgspec

from tidegate.core.model import Role
from tidegate.services import audit, fields
from tidegate.services.audit import COMMAND_LINE, Action, Actor
from tidegate.services.context import Service
from tidegate.services.errors import Conflict, NotFound
from tidegate.services.people_changes import (
    delete_access,
    ensure_member,
    new_member,
    withdraw_exceeding,
)
from tidegate.services.permissions import require_may_change, require_may_give, role_now
from tidegate.store.people import MemberRecord
from tidegate.store.ports import DirectoryChange, DirectoryReads


class Members(Service):
    """Who is in the organization, and as what; a removed member stays for the history."""

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
        chosen, address = fields.role(role), fields.email_address(email)
        with self._directory.changing() as change:
            return ensure_member(
                change, actor, self._clock(), new_member(organization_id, address, chosen)
            )

    def rename(
        self, organization_id: str, member_id: str, name: str, *, actor: Actor
    ) -> MemberRecord:
        """Change the name that is shown, one's own or as an admin; empty to show the address."""
        chosen = fields.person_name(name)
        with self._directory.changing() as change:
            before = _present(change, organization_id, member_id)
            if actor.who != member_id:
                role = role_now(change, organization_id, actor, Role.OWNER)
                require_may_change(role, before)
            after = msgspec.structs.replace(before, name=chosen)
            if after != before:
                change.update_member(after)
                self._audit(change, actor, "member.rename", after, {"name": chosen})
        return after

    def set_role(
        self, organization_id: str, member_id: str, role: str, *, by_role: str, actor: Actor
    ) -> MemberRecord:
        """Make a member an admin, and so on. The last owner stays one."""
        chosen = fields.role(role)
        with self._directory.changing() as change:
            before = _present(change, organization_id, member_id)
            by_role = role_now(change, organization_id, actor, by_role)
            require_may_change(by_role, before)
            require_may_give(by_role, chosen)
            if chosen != Role.OWNER:
                _refuse_last_owner(change, before)
            after = msgspec.structs.replace(before, role=chosen)
            if after != before:
                change.update_member(after)
                self._audit(change, actor, "member.role", after, {"role": chosen})
                withdraw_exceeding(change, actor, self._clock(), after)
        return after

    def remove(self, organization_id: str, member_id: str, *, by_role: str, actor: Actor) -> None:
        """End a membership: nothing opens anything any more; the history stays under the name."""
        with self._directory.changing() as change:
            before = _present(change, organization_id, member_id)
            require_may_change(role_now(change, organization_id, actor, by_role), before)
            _refuse_last_owner(change, before)
            delete_access(change, actor, self._clock(), before)
            after = msgspec.structs.replace(before, removed_us=self._clock(), password_us=0)
            change.update_member(after)
            detail = {"email": after.email, "role": after.role}
            self._audit(change, actor, "member.remove", after, detail)
            withdraw_exceeding(change, actor, self._clock(), after)

    def _audit(
        self,
        change: DirectoryChange,
        actor: Actor,
        name: str,
        member: MemberRecord,
        detail: dict[str, str],
    ) -> None:
        action = Action(name, member.organization_id, member.member_id, detail)
        audit.record(change, actor, action, self._clock())


def _present(reads: DirectoryReads, organization_id: str, member_id: str) -> MemberRecord:
    member = reads.member(organization_id, member_id)
    if member is None or member.removed_us:
        raise NotFound("There is no such member in this organization.")
    return member


def _refuse_last_owner(reads: DirectoryReads, member: MemberRecord) -> None:
    owners = [
        m.member_id
        for m in reads.members(member.organization_id)
        if m.role == Role.OWNER and not m.removed_us
    ]
    if owners == [member.member_id]:
        raise Conflict("This is the last owner. Make someone else an owner first.", field="role")
