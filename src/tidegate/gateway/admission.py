"""From a complete request to a ticket: whose it is, what it asks for, whether it may go on."""

from typing import Final

import msgspec

from tidegate.core import errors
from tidegate.core.dialects import MalformedBody, Members, RequestFacts, read_members
from tidegate.core.encodings import DecodedTooLarge, EncodingFault, decode_body
from tidegate.core.errors import Failure
from tidegate.core.identity import Headers, find_key
from tidegate.core.model import KeyRecord, OrganizationRecord
from tidegate.core.policy import refuse
from tidegate.core.routing import Endpoint, Route, own_credential, own_route
from tidegate.gateway.directory import Directory, wants_own
from tidegate.gateway.request import Request

_PLAIN: Final = {"", "identity"}


class Reading(msgspec.Struct, frozen=True):
    """What a request's body says: facts, or why it cannot be read."""

    facts: RequestFacts | None = None
    failure: Failure | None = None
    plain: bytes = b""  # the body, once decoded
    members: Members | None = None  # of the body


class Caller(msgspec.Struct, frozen=True):
    """A known key, its organization, and whether it left room for a login of the developer's."""

    key: KeyRecord
    organization: OrganizationRecord
    own_header: bool


def identify(directory: Directory, headers: Headers, now_us: int) -> Caller | None:
    """Whose request this is; None for a stranger."""
    secret, own_header = find_key(headers)
    found = directory.find(secret, now_us)
    return Caller(found[0], found[1], own_header) if found else None


def body_encoding(request: Request) -> str:
    """The body's content coding, empty for a plain one."""
    coding = request.first.get(b"content-encoding", b"").decode("latin-1").strip().lower()
    return "" if coding in _PLAIN else coding


def read_body(point: Endpoint, request: Request, limit_bytes: int) -> Reading:
    """Read the facts that a decision needs; pure, and so fit for a thread. Never raises."""
    try:
        return _read_body(point, request, limit_bytes)
    except Exception:  # noqa: BLE001  no content may leave a request unanswered
        return Reading(failure=errors.unreadable_body())


def _read_body(point: Endpoint, request: Request, limit_bytes: int) -> Reading:
    request.close_body()
    body = request.body
    if coding := body_encoding(request):
        try:
            body = decode_body(coding, body, limit_bytes)
        except DecodedTooLarge:
            return Reading(failure=errors.body_too_large(limit_bytes))
        except EncodingFault as exc:
            known = coding in {"gzip", "zstd", "deflate"}
            return Reading(
                failure=errors.malformed_body(f"it is no valid {coding}: {exc}")
                if known
                else errors.unsupported_encoding(coding[:60])
            )
    try:
        facts, members = read_members(point.dialect, body)
        return Reading(facts=facts, plain=body, members=members)
    except MalformedBody as exc:
        return Reading(failure=errors.malformed_body(str(exc)))


def decide(
    directory: Directory, caller: Caller, point: Endpoint, headers: Headers, model: str | None
) -> Route | Failure:
    """Where the request may go, or why it may not. `model` is None where none is asked for."""
    squad_models = directory.squad_models(caller.key)
    refusal = refuse(caller.key, caller.organization, model, squad_models)
    if refusal is not None:
        return refusal
    _, own = own_credential(headers)
    if not wants_own(caller.key, key_in_own_header=caller.own_header, brings_own=bool(own)):
        return directory.organization_route(caller.key, point)
    if not caller.organization.allow_own_credential:
        return errors.own_credential_forbidden()
    return own_route(point, headers)
