"""Provider credentials: what the organization's requests are paid with. Never shown again."""

from typing import Annotated

import msgspec

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery
from tidegate.console.api_v1.paging import Page, PageQuery, page_of
from tidegate.console.api_v1.table import act, create, delete, get, put
from tidegate.console.api_v1.times import Time, time
from tidegate.core.model import Provider
from tidegate.store.ports import StoredCredential

BaseUrl = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=500,
        description="Without user name, query or fragment.",
        examples=["https://api.anthropic.com"],
    ),
]
ApiKey = Annotated[
    str, msgspec.Meta(min_length=1, max_length=4096, description="The provider's secret.")
]
Label = Annotated[str, msgspec.Meta(max_length=100, description="Empty: the provider's name.")]


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """`hint` is the secret's end, empty for a short one."""

    id: str
    provider: Provider
    name: str
    base_url: str
    hint: str
    is_default: bool  # for keys that have chosen none
    price_table: str  # empty: list prices
    created_at: Time


class CredentialCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    provider: Provider
    base_url: BaseUrl
    api_key: ApiKey
    name: Label = ""


class CredentialReplace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    base_url: BaseUrl
    api_key: ApiKey


class CredentialTest(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider answered. `status` is 0 if it did not."""

    ok: bool
    detail: str
    status: int
    milliseconds: int


def list_credentials(call: Call[PageQuery, NoBody]) -> Page[Credential]:
    """List the provider credentials."""
    found = call.services.credentials.list(call.organization_id)
    page, after = page_of("credentials", call.query, found, lambda c: c.record.credential_id)
    return Page([_credential(c) for c in page], after)


def get_credential(call: Call[NoQuery, NoBody]) -> Credential:
    """One provider credential."""
    return _one(call, call.path["credential_id"])


def create_credential(call: Call[NoQuery, CredentialCreate]) -> Credential:
    """Add a provider credential.

    The first of a provider is its default.
    """
    body = call.body
    credential_id = call.services.credentials.add(
        call.organization_id,
        body.provider,
        body.base_url,
        body.api_key,
        name=body.name,
        actor=call.actor,
    )
    return _one(call, credential_id)


def replace_credential(call: Call[NoQuery, CredentialReplace]) -> Credential:
    """Put another secret in the place of the old one; keys that chose it stay with it."""
    credential_id = call.path["credential_id"]
    call.services.credentials.replace(
        call.organization_id,
        credential_id,
        base_url=call.body.base_url,
        api_key=call.body.api_key,
        actor=call.actor,
    )
    return _one(call, credential_id)


def make_credential_default(call: Call[NoQuery, NoBody]) -> Credential:
    """Send with this one what has chosen no other of its provider."""
    credential_id = call.path["credential_id"]
    call.services.credentials.make_default(call.organization_id, credential_id, actor=call.actor)
    return _one(call, credential_id)


def test_credential(call: Call[NoQuery, NoBody]) -> CredentialTest:
    """Ask the provider for its models with this credential."""
    result = call.services.credential_tests.test(
        call.organization_id, call.path["credential_id"], actor=call.actor
    )
    return CredentialTest(
        ok=result.ok,
        detail=result.sentence,
        status=result.status,
        milliseconds=result.milliseconds,
    )


def delete_credential(call: Call[NoQuery, NoBody]) -> None:
    """Delete a provider credential; keys that chose it fall back to the default one."""
    call.services.credentials.remove(
        call.organization_id, call.path["credential_id"], actor=call.actor
    )


def _one(call: Call[msgspec.Struct, msgspec.Struct], credential_id: str) -> Credential:
    return _credential(call.services.credentials.get(call.organization_id, credential_id))


def _credential(stored: StoredCredential) -> Credential:
    record = stored.record
    return Credential(
        id=record.credential_id,
        provider=Provider(record.provider),
        name=stored.name,
        base_url=record.base_url,
        hint=stored.hint,
        is_default=record.is_default,
        price_table=record.price_table,
        created_at=time(stored.created_us),
    )


_ITEM = "/credentials/{credential_id}"
_TAG = "Credentials"
OPERATIONS = (
    get("/credentials", list_credentials, need=Need.ADMIN, tag=_TAG),
    create(
        "/credentials", create_credential, need=Need.ADMIN, tag=_TAG, item=_ITEM, conflicts=True
    ),
    get(_ITEM, get_credential, need=Need.ADMIN, tag=_TAG),
    put(_ITEM, replace_credential, need=Need.ADMIN, tag=_TAG),
    delete(_ITEM, delete_credential, need=Need.ADMIN, tag=_TAG),
    act(f"{_ITEM}/default", make_credential_default, need=Need.ADMIN, tag=_TAG),
    act(f"{_ITEM}/test", test_credential, need=Need.ADMIN, tag=_TAG),
)
