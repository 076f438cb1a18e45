"""The organization: its name, its calendar, and what holds for everyone in it."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery, given
from tidegate.console.api_v1.problems import at_field
from tidegate.console.api_v1.table import get, patch
from tidegate.console.api_v1.texts import ModelPatterns, Name
from tidegate.core.model import OrganizationRecord
from tidegate.services.compression_settings import LEVELS, MAX_HOLDOUT_PERMILLE
from tidegate.services.retention import CAPTURE_DAYS, LEDGER_DAYS

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
LedgerDays = Annotated[
    int,
    msgspec.Meta(
        ge=0,
        le=LEDGER_DAYS[1],
        description=f"0, to keep all, or at least {LEDGER_DAYS[0]}. What is older is deleted.",
    ),
]
CaptureDays = Annotated[int, msgspec.Meta(ge=CAPTURE_DAYS[0], le=CAPTURE_DAYS[1])]
CompressionLevel = Annotated[
    str, msgspec.Meta(pattern=f"^({'|'.join(LEVELS)})$", examples=[*LEVELS])
]
Holdout = Annotated[int, msgspec.Meta(ge=0, le=MAX_HOLDOUT_PERMILLE, description="In thousandths.")]
_COMPRESSION = {
    "compression_level": "level",
    "compression_default": "default",
    "compression_locked": "locked",
    "holdout_permille": "holdout_permille",
}


class Organization(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    time_zone: str
    week_start: Weekday
    allow_own_credential: bool  # developers may use their own subscription or key
    allowed_models: list[str]  # patterns; none: every model
    self_enrolment: bool  # members may enrol agents of their own
    session_tools: bool  # agents get tools to say what their sessions are about
    ledger_days: int  # for how long requests are kept; 0: for ever
    capture_days: int  # the same of what debug mode stored
    compression_level: CompressionLevel  # of new sessions
    compression_default: bool  # whether new keys compress
    compression_locked: bool  # whether all keys do as `compression_default` says
    holdout_permille: Holdout  # of new sessions, left uncompressed to compare with


class OrganizationPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is left out stays as it is."""

    name: Name | UnsetType = UNSET
    time_zone: ZoneName | UnsetType = UNSET
    week_start: Weekday | UnsetType = UNSET
    allow_own_credential: bool | UnsetType = UNSET
    allowed_models: ModelPatterns | UnsetType = UNSET
    self_enrolment: bool | UnsetType = UNSET
    session_tools: bool | UnsetType = UNSET
    ledger_days: LedgerDays | UnsetType = UNSET
    capture_days: CaptureDays | UnsetType = UNSET
    compression_level: CompressionLevel | UnsetType = UNSET
    compression_default: bool | UnsetType = UNSET
    compression_locked: bool | UnsetType = UNSET
    holdout_permille: Holdout | UnsetType = UNSET


def get_organization(call: Call[NoQuery, NoBody]) -> Organization:
    """The token's organization."""
    return _organization(call.services.organizations.get(call.organization_id))


def update_organization(call: Call[NoQuery, OrganizationPatch]) -> Organization:
    """Change the organization.

    Another time zone sums the reports anew, which takes a moment. Fewer days of requests or
    captures delete what is older for good, within the hour. What is said of compression counts
    for new sessions.
    """
    changes = given(call.body)
    days = {name: changes.pop(name) for name in ("ledger_days", "capture_days") if name in changes}
    if 0 < days.get("ledger_days", 0) < LEDGER_DAYS[0]:
        raise at_field("ledger_days", f"Take 0, to keep all, or at least {LEDGER_DAYS[0]}.")
    compression = {
        _COMPRESSION[name]: changes.pop(name) for name in _COMPRESSION if name in changes
    }
    record = call.services.organizations.update(call.organization_id, actor=call.actor, **changes)
    if days:
        record = call.services.retention.set(call.organization_id, actor=call.actor, **days)
    if compression:
        record = call.services.compression.set(
            call.organization_id, actor=call.actor, **compression
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
        session_tools=record.session_tools,
        ledger_days=record.ledger_days,
        capture_days=record.capture_days,
        compression_level=record.compression_level,
        compression_default=record.compression_default,
        compression_locked=record.compression_locked,
        holdout_permille=record.holdout_permille,
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
