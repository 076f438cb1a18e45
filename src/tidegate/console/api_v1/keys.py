"""Keys: a member's enrolments with coding agents."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery, given
from tidegate.console.api_v1.paging import Page, PageQuery, page_of
from tidegate.console.api_v1.table import act, create, delete, get, patch
from tidegate.console.api_v1.texts import Id, ModelPatterns
from tidegate.console.api_v1.times import Time, time, time_or_none
from tidegate.core.model import Agent, CredentialMode, OrganizationRecord, Provider
from tidegate.services.enrolment import MAX_DEBUG_HOURS, may_enroll, may_manage
from tidegate.services.errors import Forbidden, NotFound
from tidegate.store.ports import StoredKey

_MAX_OVERLAP_S = 30 * 86_400
Overlap = Annotated[
    int,
    msgspec.Meta(
        ge=0, le=_MAX_OVERLAP_S, description="For how many seconds the present secret stays valid."
    ),
]
Hours = Annotated[
    int,
    msgspec.Meta(ge=1, le=MAX_DEBUG_HOURS, description="For how long from now on, 7 days at most."),
]


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A member's enrolment with an agent. The id lasts; its secret changes by rotation."""

    id: str
    member_id: str
    agent: Agent
    prefix: str  # the secret's beginning
    compression: bool  # whether tool results of new sessions are to be compressed
    compression_locked: bool  # the organization decides so, whatever the key's own switch says
    debug: bool  # whether bodies are captured
    debug_until: Time | None  # it ends by itself then
    disabled: bool  # refused by the gateway
    credential_mode: CredentialMode
    credential_ids: dict[str, str]  # provider → chosen credential
    allowed_models: list[str]  # patterns; none: as the organization says
    created_at: Time
    last_used_at: Time | None


class EnrolledKey(Key, frozen=True, kw_only=True):
    """A new key, with its secret and the code for `tidegate login`, good once for 24 hours."""

    secret: str
    login_code: str


class KeysQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    member_id: Annotated[Id, msgspec.Meta(description="Of this member alone.")] | UnsetType = UNSET


class KeyCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    member_id: Id
    agent: Agent


class ChosenCredentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """By provider; what is left out uses the default one."""

    anthropic: Id | UnsetType = UNSET
    openai: Id | UnsetType = UNSET


class KeyPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is left out stays as it is. Members change the two switches of their own keys.

    `debug` true is for an hour, unless it is on already; `POST …/debug` takes another time.
    """

    compression: bool | UnsetType = UNSET
    debug: bool | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    credential_mode: CredentialMode | UnsetType = UNSET
    credential_ids: ChosenCredentials | UnsetType = UNSET
    allowed_models: ModelPatterns | UnsetType = UNSET


class KeyDebug(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    hours: Hours


class KeyRotate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    overlap_s: Overlap = 0


class KeySecret(msgspec.Struct, frozen=True):
    secret: str


class LoginCode(msgspec.Struct, frozen=True):
    """For `tidegate login`; good once, for 24 hours."""

    code: str


def list_keys(call: Call[KeysQuery, NoBody]) -> Page[Key]:
    """List the keys that you may manage: as an admin all, as a member your own."""
    wanted = call.query.member_id
    found = [
        key
        for key in call.services.enrolment.list_keys(call.organization_id)
        if may_manage(call.viewer, key.record) and wanted in (UNSET, key.record.member_id)
    ]
    name = f"keys {wanted or ''}"
    page, after = page_of(name, call.query, found, lambda k: k.record.key_id)
    uses, organization = _uses(call, page), _organization(call)
    return Page([_key(call, k, uses, organization) for k in page], after)


def get_key(call: Call[NoQuery, NoBody]) -> Key:
    """One key."""
    return _shown(call, _mine(call))


def enrol_agent(call: Call[NoQuery, KeyCreate]) -> EnrolledKey:
    """Enrol a member with an agent.

    Members enrol themselves if the organization allows it. A member has one key per agent.
    """
    body = call.body
    if not may_enroll(call.viewer, body.member_id):
        raise Forbidden("Only admins and owners may enrol this member.")
    try:
        enrolled = call.services.enrolment.enroll_member(
            call.organization_id, body.member_id, body.agent, actor=call.actor
        )
    except NotFound as refused:
        raise NotFound(refused.message, field="member_id") from None
    stored = call.services.enrolment.key(call.organization_id, enrolled.key_id)
    key = _key(call, stored, {}, _organization(call))
    return EnrolledKey(
        **msgspec.structs.asdict(key), secret=enrolled.key, login_code=enrolled.login_code
    )


def update_key(call: Call[NoQuery, KeyPatch]) -> Key:
    """Change a key's switches, models, credentials, or whether it works at all."""
    key_id = _mine(call).record.key_id
    policy = given(call.body)
    switches = {name: policy.pop(name) for name in ("compression", "debug") if name in policy}
    enrolment, organization_id = call.services.enrolment, call.organization_id
    if policy:
        if not call.viewer.is_admin:
            raise Forbidden(f"Only admins and owners may change {', '.join(policy)}.")
        if isinstance(chosen := policy.get("credential_ids"), ChosenCredentials):
            policy["credential_ids"] = given(chosen)
        enrolment.set_key(organization_id, key_id, actor=call.actor, **policy)
    if "compression" in switches:
        enrolment.switch(
            organization_id, key_id, actor=call.actor, compression=switches["compression"]
        )
    if "debug" in switches:
        _switch_debug(call, key_id, on=switches["debug"])
    return _shown(call, _mine(call))


def debug_key(call: Call[NoQuery, KeyDebug]) -> Key:
    """Turn on debug mode for a time, or give it another.

    Every request of the key is stored then, with its answer. Known forms of secrets are blacked
    out; prompts and code are not. It ends by itself, or by `debug` false.
    """
    key_id, hours = _mine(call).record.key_id, call.body.hours
    call.services.enrolment.set_debug(call.organization_id, key_id, hours=hours, actor=call.actor)
    return _shown(call, _mine(call))


def reveal_key(call: Call[NoQuery, NoBody]) -> KeySecret:
    """Show a key's secret. That it was shown is written to the audit log."""
    key_id = _mine(call).record.key_id
    return KeySecret(call.services.enrolment.reveal(call.organization_id, key_id, actor=call.actor))


def rotate_key(call: Call[NoQuery, KeyRotate]) -> KeySecret:
    """Give a key a new secret."""
    key_id, overlap_s = _mine(call).record.key_id, call.body.overlap_s
    return KeySecret(
        call.services.enrolment.rotate(call.organization_id, key_id, overlap_s, actor=call.actor)
    )


def create_login_code(call: Call[NoQuery, NoBody]) -> LoginCode:
    """Make another code for `tidegate login`."""
    key_id = _mine(call).record.key_id
    return LoginCode(
        call.services.enrolment.login_code(call.organization_id, key_id, actor=call.actor)
    )


def unenrol_agent(call: Call[NoQuery, NoBody]) -> None:
    """Delete a key for good. Within a second no gateway takes it; its usage stays."""
    key_id = _mine(call).record.key_id
    call.services.enrolment.unenroll(call.organization_id, key_id, actor=call.actor)


def _switch_debug(call: Call[NoQuery, KeyPatch], key_id: str, *, on: bool) -> None:
    enrolment, organization_id = call.services.enrolment, call.organization_id
    if not on:
        enrolment.end_debug(organization_id, key_id, actor=call.actor)
    elif not _mine(call).record.captures(call.now_us):
        enrolment.set_debug(organization_id, key_id, hours=1, actor=call.actor)


def _mine(call: Call[msgspec.Struct, msgspec.Struct]) -> StoredKey:
    """The key of the path, if the caller may manage it."""
    key = call.services.enrolment.key(call.organization_id, call.path["key_id"])
    if not may_manage(call.viewer, key.record):
        raise Forbidden("This key belongs to another member. Ask an admin or owner.")
    return key


def _uses(call: Call[msgspec.Struct, msgspec.Struct], keys: list[StoredKey]) -> dict[str, int]:
    members = sorted({key.record.member_id for key in keys})
    return call.services.team.key_uses(call.organization_id, members)


def _shown(call: Call[msgspec.Struct, msgspec.Struct], key: StoredKey) -> Key:
    return _key(call, key, _uses(call, [key]), _organization(call))


def _organization(call: Call[msgspec.Struct, msgspec.Struct]) -> OrganizationRecord:
    return call.services.organizations.get(call.organization_id)


def _key(
    call: Call[msgspec.Struct, msgspec.Struct],
    stored: StoredKey,
    uses: dict[str, int],
    organization: OrganizationRecord,
) -> Key:
    record = stored.record
    return Key(
        id=record.key_id,
        member_id=record.member_id,
        agent=Agent(record.agent),
        prefix=stored.prefix,
        compression=organization.compresses(record),
        compression_locked=organization.compression_locked,
        debug=record.captures(call.now_us),
        debug_until=time(record.debug_until_us) if record.captures(call.now_us) else None,
        disabled=record.disabled,
        credential_mode=CredentialMode(record.credential_mode),
        credential_ids={p.value: c for p in Provider if (c := record.credential_ids.get(p))},
        allowed_models=list(record.allowed_models),
        created_at=time(stored.created_us),
        last_used_at=time_or_none(uses.get(record.key_id, 0)),
    )


_ITEM = "/keys/{key_id}"
_TAG = "Keys"
OPERATIONS = (
    get("/keys", list_keys, need=Need.MEMBER, tag=_TAG),
    create(
        "/keys",
        enrol_agent,
        need=Need.MEMBER,
        tag=_TAG,
        item=_ITEM,
        conflicts=True,
        forbids=True,
    ),
    get(_ITEM, get_key, need=Need.MEMBER, tag=_TAG, forbids=True),
    patch(
        _ITEM,
        update_key,
        need=Need.MEMBER,
        tag=_TAG,
        conflicts=True,
        forbids=True,
        fields={"credential": "credential_ids"},
    ),
    delete(_ITEM, unenrol_agent, need=Need.MEMBER, tag=_TAG, forbids=True),
    act(f"{_ITEM}/debug", debug_key, need=Need.MEMBER, tag=_TAG, forbids=True),
    act(f"{_ITEM}/reveal", reveal_key, need=Need.MEMBER, tag=_TAG, forbids=True),
    act(f"{_ITEM}/rotate", rotate_key, need=Need.MEMBER, tag=_TAG, forbids=True),
    act(f"{_ITEM}/login-code", create_login_code, need=Need.MEMBER, tag=_TAG, forbids=True),
)
