"""The caller: who it is, where it is signed in, and its access tokens."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery
from tidegate.console.api_v1.paging import Page, PageQuery, page_of
from tidegate.console.api_v1.table import create, delete, get, patch
from tidegate.console.api_v1.texts import Name, PersonName
from tidegate.console.api_v1.times import Time, time, time_or_none
from tidegate.core.model import Role
from tidegate.services.access_tokens import MAX_DAYS, Scope
from tidegate.services.logins import Viewer
from tidegate.store.people import AccessTokenRecord, LoginRecord

Days = Annotated[
    int | None,
    msgspec.Meta(description=f"How long it is good, at most {MAX_DAYS} days; null: no end."),
]


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who the token acts as, and what it may do."""

    id: str
    email: str
    name: str
    role: Role
    organization_id: str
    organization_name: str
    scope: Scope  # of this very token


class MePatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is left out stays as it is."""

    name: PersonName | UnsetType = UNSET


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that is signed in."""

    id: str
    address: str
    user_agent: str
    created_at: Time
    last_seen_at: Time
    expires_at: Time


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    scope: Scope
    prefix: str  # the secret's beginning
    created_at: Time
    expires_at: Time | None  # null: no end
    last_used_at: Time | None


class CreatedAccessToken(AccessToken, frozen=True, kw_only=True):
    """A new token with its secret, which is shown this once."""

    secret: str


class AccessTokenCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Name
    scope: Scope = Scope.READ
    days: Annotated[int, msgspec.Meta(ge=1, le=MAX_DAYS)] | None = None


def get_me(call: Call[NoQuery, NoBody]) -> Me:
    """Who this token acts as."""
    return _me(call.viewer)


def update_me(call: Call[NoQuery, MePatch]) -> Me:
    """Change your own name."""
    if call.body.name is UNSET:
        return _me(call.viewer)
    member = call.services.members.rename(
        call.organization_id, call.viewer.member_id, call.body.name, actor=call.actor
    )
    return _me(msgspec.structs.replace(call.viewer, name=member.name))


def list_logins(call: Call[PageQuery, NoBody]) -> Page[Login]:
    """List the browsers that you are signed in with."""
    found = call.services.logins.list(call.organization_id, call.viewer.member_id)
    page, after = page_of("logins", call.query, found, lambda login: login.login_id)
    return Page([_login(login) for login in page], after)


def revoke_login(call: Call[NoQuery, NoBody]) -> None:
    """Sign one of your browsers out of this organization."""
    call.services.logins.revoke(
        call.organization_id, call.viewer.member_id, call.path["login_id"], actor=call.actor
    )


def list_access_tokens(call: Call[PageQuery, NoBody]) -> Page[AccessToken]:
    """List your access tokens, expired ones too."""
    found = call.services.access_tokens.list(call.organization_id, call.viewer.member_id)
    page, after = page_of("access tokens", call.query, found, lambda token: token.token_id)
    return Page([AccessToken(**_token(token)) for token in page], after)


def create_access_token(call: Call[NoQuery, AccessTokenCreate]) -> CreatedAccessToken:
    """Make another access token of yours."""
    made = call.services.access_tokens.create(
        call.organization_id,
        call.viewer.member_id,
        call.body.name,
        call.body.scope,
        days=call.body.days,
        actor=call.actor,
    )
    return CreatedAccessToken(**_token(made.record), secret=made.secret)


def revoke_access_token(call: Call[NoQuery, NoBody]) -> None:
    """End one of your access tokens, this one too if you name it."""
    call.services.access_tokens.revoke(
        call.organization_id,
        call.path["token_id"],
        by=call.viewer.member_id,
        actor=call.actor,
    )


def _me(viewer: Viewer) -> Me:
    return Me(
        id=viewer.member_id,
        email=viewer.email,
        name=viewer.name,
        role=Role(viewer.role),
        organization_id=viewer.organization_id,
        organization_name=viewer.organization_name,
        scope=Scope(viewer.scope),
    )


def _login(record: LoginRecord) -> Login:
    return Login(
        id=record.login_id,
        address=record.address,
        user_agent=record.user_agent,
        created_at=time(record.created_us),
        last_seen_at=time(record.last_seen_us),
        expires_at=time(record.expires_us),
    )


def _token(record: AccessTokenRecord) -> dict[str, Any]:
    return {
        "id": record.token_id,
        "name": record.name,
        "scope": Scope(record.scope),
        "prefix": record.prefix,
        "created_at": time(record.created_us),
        "expires_at": time_or_none(record.expires_us),
        "last_used_at": time_or_none(record.last_used_us),
    }


_TOKEN = "/me/access-tokens/{token_id}"  # noqa: S105  no secret
_TAG = "Me"
OPERATIONS = (
    get("/me", get_me, need=Need.MEMBER, tag=_TAG),
    patch("/me", update_me, need=Need.MEMBER, tag=_TAG),
    get("/me/logins", list_logins, need=Need.MEMBER, tag=_TAG),
    delete("/me/logins/{login_id}", revoke_login, need=Need.MEMBER, tag=_TAG),
    get("/me/access-tokens", list_access_tokens, need=Need.MEMBER, tag=_TAG),
    create(
        "/me/access-tokens",
        create_access_token,
        need=Need.MEMBER,
        tag=_TAG,
        item=_TOKEN,
        conflicts=True,
    ),
    delete(_TOKEN, revoke_access_token, need=Need.MEMBER, tag=_TAG),
)
