"""The organization: its name, its calendar, and what holds for everyone in it."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery, given
from tidegate.console.api_v1.table import get, patch
from tidegate.console.api_v1.texts import ModelPatterns, Name
from tidegate.core.model import OrganizationRecord

Weekday = Annotated[int, msgspec.Meta(ge=1, le=7, description="1 is Monday, 7 is Sunday.")]
ZoneName = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=64,
        description="A time zone of the IANA database.",
        examples=["Europe/Berlin"],
    ),
]


class Organization(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    time_zone: str
    week_start: Weekday
    allow_own_credential: bool  # developers may use their own subscription or key
    allowed_models: list[str]  # patterns; none: every model
    self_enrolment: bool  # members may enrol agents of their own


class OrganizationPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is left out stays as it is."""

    name: Name | UnsetType = UNSET
    time_zone: ZoneName | UnsetType = UNSET
    week_start: Weekday | UnsetType = UNSET
    allow_own_credential: bool | UnsetType = UNSET
    allowed_models: ModelPatterns | UnsetType = UNSET
    self_enrolment: bool | UnsetType = UNSET


def get_organization(call: Call[NoQuery, NoBody]) -> Organization:
    """The token's organization."""
    return _organization(call.services.organizations.get(call.organization_id))


def update_organization(call: Call[NoQuery, OrganizationPatch]) -> Organization:
    """Change the organization.

    Another time zone sums the reports anew, which takes a moment.
    """
    record = call.services.organizations.update(
        call.organization_id, actor=call.actor, **given(call.body)
    )
    return _organization(record)


def _organization(record: OrganizationRecord) -> Organization:
    return Organization(
        id=record.organization_id,
        name=record.name,
        time_zone=record.time_zone,
        week_start=record.week_start,
        allow_own_credential=record.allow_own_credential,
        allowed_models=list(record.allowed_models),
        self_enrolment=record.self_enrolment,
    )


OPERATIONS = (
    get("/organization", get_organization, need=Need.MEMBER, tag="Organization"),
    patch(
        "/organization",
        update_organization,
        need=Need.ADMIN,
        tag="Organization",
        conflicts=True,
        fields={"organization": "name"},
    ),
)
