"""Squads: named groups of members, with models of their own."""

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery, given
from tidegate.console.api_v1.paging import Page, PageQuery, page_of
from tidegate.console.api_v1.table import create, delete, get, patch, put
from tidegate.console.api_v1.texts import ModelPatterns, Name
from tidegate.console.api_v1.times import Time, time
from tidegate.services import squads
from tidegate.services.errors import NotFound


class Squad(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    allowed_models: list[str]  # patterns; none: as the organization says
    member_ids: list[str]  # a member is in one squad at most
    created_at: Time


class SquadCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Name


class SquadPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is left out stays as it is."""

    name: Name | UnsetType = UNSET
    allowed_models: ModelPatterns | UnsetType = UNSET


def list_squads(call: Call[PageQuery, NoBody]) -> Page[Squad]:
    """List the squads."""
    found = sorted(_squads(call).list(call.organization_id), key=lambda s: s.record.squad_id)
    page, after = page_of("squads", call.query, found, lambda s: s.record.squad_id)
    return Page([_squad(each) for each in page], after)


def create_squad(call: Call[NoQuery, SquadCreate]) -> Squad:
    """Make a squad, with nobody in it."""
    made = _squads(call).create(
        call.organization_id, call.body.name, by_role=call.viewer.role, actor=call.actor
    )
    return _squad(squads.Squad(made, ()))


def get_squad(call: Call[NoQuery, NoBody]) -> Squad:
    """One squad."""
    return _one(call)


def update_squad(call: Call[NoQuery, SquadPatch]) -> Squad:
    """Change a squad's name or models."""
    _squads(call).change(
        call.organization_id,
        call.path["squad_id"],
        by_role=call.viewer.role,
        actor=call.actor,
        **given(call.body),
    )
    return _one(call)


def delete_squad(call: Call[NoQuery, NoBody]) -> None:
    """Delete a squad that no budget is for.

    Its members stay, in no squad; what was spent in it stays in the reports.
    """
    _squads(call).delete(
        call.organization_id, call.path["squad_id"], by_role=call.viewer.role, actor=call.actor
    )


def put_squad_member(call: Call[NoQuery, NoBody]) -> Squad:
    """Put a member into a squad, out of any other.

    Requests from then on count for it; what was spent before stays where it was.
    """
    _place(call, call.path["squad_id"])
    return _one(call)


def remove_squad_member(call: Call[NoQuery, NoBody]) -> None:
    """Take a member out of a squad."""
    if call.path["member_id"] not in _one(call).member_ids:
        raise NotFound("This member is not in the squad.", field="member")
    _place(call, "")


def _place(call: Call[NoQuery, NoBody], squad_id: str) -> None:
    _squads(call).place(
        call.organization_id,
        call.path["member_id"],
        squad_id,
        by_role=call.viewer.role,
        actor=call.actor,
    )


def _squads(call: Call[msgspec.Struct, msgspec.Struct]) -> squads.Squads:
    return call.services.squads


def _one(call: Call[msgspec.Struct, msgspec.Struct]) -> Squad:
    return _squad(_squads(call).get(call.organization_id, call.path["squad_id"]))


def _squad(squad: squads.Squad) -> Squad:
    return Squad(
        id=squad.record.squad_id,
        name=squad.record.name,
        allowed_models=list(squad.record.allowed_models),
        member_ids=sorted(squad.member_ids),
        created_at=time(squad.record.created_us),
    )


_TAG = "Squads"
_SQUAD = "/squads/{squad_id}"
_MEMBER = f"{_SQUAD}/members/{{member_id}}"
_ADMIN = Need.ADMIN
OPERATIONS = (
    get("/squads", list_squads, need=_ADMIN, tag=_TAG),
    create("/squads", create_squad, need=_ADMIN, tag=_TAG, item=_SQUAD, conflicts=True),
    get(_SQUAD, get_squad, need=_ADMIN, tag=_TAG),
    patch(_SQUAD, update_squad, need=_ADMIN, tag=_TAG, conflicts=True),
    delete(_SQUAD, delete_squad, need=_ADMIN, tag=_TAG, conflicts=True),
    put(_MEMBER, put_squad_member, need=_ADMIN, tag=_TAG),
    delete(_MEMBER, remove_squad_member, need=_ADMIN, tag=_TAG),
)
