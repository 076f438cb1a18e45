"""The people of the organization."""

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery
from tidegate.console.api_v1.paging import Page, PageQuery, page_of
from tidegate.console.api_v1.table import delete, get, patch
from tidegate.console.api_v1.texts import PersonName
from tidegate.console.api_v1.times import Time, time, time_or_none
from tidegate.core.model import Role
from tidegate.services import fields
from tidegate.store.people import MemberRecord


class Member(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    email: str
    name: str  # empty: none was given
    role: Role
    created_at: Time
    removed_at: Time | None


class MembersQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    removed: bool = False  # those who were removed, instead of those who are there


class MemberPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is left out stays as it is."""

    name: PersonName | UnsetType = UNSET
    role: Role | UnsetType = UNSET


def list_members(call: Call[MembersQuery, NoBody]) -> Page[Member]:
    """List the members."""
    found = [
        member
        for member in call.services.members.list(call.organization_id)
        if bool(member.removed_us) == call.query.removed
    ]
    page, after = page_of(f"members {call.query.removed}", call.query, found, lambda m: m.member_id)
    return Page([member_of(m) for m in page], after)


def get_member(call: Call[NoQuery, NoBody]) -> Member:
    """One member, removed or not."""
    return _one(call)


def update_member(call: Call[NoQuery, MemberPatch]) -> Member:
    """Change a member's name or role.

    Only owners change owners or make some; the last owner stays one.
    """
    organization_id, members = call.organization_id, call.services.members
    member_id, name, role = call.path["member_id"], call.body.name, call.body.role
    if name is not UNSET:
        fields.person_name(name)  # refused before anything is changed
    if role is not UNSET:
        by_role = call.viewer.role
        members.set_role(organization_id, member_id, role, by_role=by_role, actor=call.actor)
    if name is not UNSET:
        members.rename(organization_id, member_id, name, actor=call.actor)
    return _one(call)


def remove_member(call: Call[NoQuery, NoBody]) -> None:
    """Remove a member.

    The member's keys, logins and access tokens end at once; what was used stays in the reports.
    """
    call.services.members.remove(
        call.organization_id,
        call.path["member_id"],
        by_role=call.viewer.role,
        actor=call.actor,
    )


def _one(call: Call[msgspec.Struct, msgspec.Struct]) -> Member:
    return member_of(call.services.members.get(call.organization_id, call.path["member_id"]))


def member_of(record: MemberRecord) -> Member:
    return Member(
        id=record.member_id,
        email=record.email,
        name=record.name,
        role=Role(record.role),
        created_at=time(record.created_us),
        removed_at=time_or_none(record.removed_us),
    )


OPERATIONS = (
    get("/members", list_members, need=Need.ADMIN, tag="Members"),
    get("/members/{member_id}", get_member, need=Need.ADMIN, tag="Members"),
    patch("/members/{member_id}", update_member, need=Need.ADMIN, tag="Members", conflicts=True),
    delete("/members/{member_id}", remove_member, need=Need.ADMIN, tag="Members", conflicts=True),
)
