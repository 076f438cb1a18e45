"""How the API says no: problem details (RFC 9457), one kind per remedy."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

import msgspec
from starlette.responses import Response

from tidegate.services.errors import (
    Conflict,
    Forbidden,
    InvalidCode,
    InvalidField,
    NotFound,
    Refused,
)

PROBLEM_TYPE: Final = "application/problem+json"
PROBLEMS_PATH: Final = "/api/v1/problems"
_RETRY_AFTER_S: Final = 5


class Kind(Enum):
    """Name, status, title, and what to do about it."""

    MALFORMED = ("malformed", 400, "The request is not well-formed", "Correct what is named.")
    UNAUTHENTICATED = (
        "unauthenticated",
        401,
        "No valid access token",
        "Send a personal access token: Authorization: Bearer tgp_…",
    )
    READ_ONLY_TOKEN = (
        "read-only-token",
        403,
        "This access token may only read",
        "Use an access token that may read and write.",
    )
    FORBIDDEN = ("forbidden", 403, "Not allowed for your role", "Ask an admin or owner.")
    NOT_FOUND = ("not-found", 404, "Not found", "Look the id up in its list.")
    METHOD = ("method-not-allowed", 405, "Method not allowed", "See the Allow header.")
    NOT_ACCEPTABLE = ("not-acceptable", 406, "Not acceptable", "Accept application/json.")
    CONFLICT = (
        "conflict",
        409,
        "The state of things forbids it",
        "Look what is there, then retry.",
    )
    IDEMPOTENCY = (
        "idempotency-conflict",
        409,
        "The Idempotency-Key is taken",
        "Repeat the very same request with it, or make a new key.",
    )
    TOO_LARGE = ("too-large", 413, "The body is too large", "Send less.")
    MEDIA_TYPE = (
        "unsupported-media-type",
        415,
        "Unsupported media type",
        "Send application/json, not encoded.",
    )
    INVALID = ("invalid", 422, "A value cannot be taken", "Correct the fields named in errors.")
    FAILED = ("failed", 500, "Something failed here", "It was written down; try again in a moment.")
    UNAVAILABLE = (
        "unavailable",
        503,
        "The database cannot be reached",
        "Try again as Retry-After says.",
    )

    def __init__(self, code: str, status: int, title: str, remedy: str) -> None:
        self.code = code
        self.status = status
        self.title = title
        self.remedy = remedy

    @property
    def uri(self) -> str:
        """Identifies the kind, and leads to its description."""
        return f"{PROBLEMS_PATH}#{self.code}"


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of the body or one parameter of the query."""

    field: str
    detail: str


class Problem(msgspec.Struct, frozen=True):
    """Problem details as of RFC 9457; `type` is one of those that /api/v1/problems lists."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError]  # empty unless fields are at fault


class ProblemRaised(Exception):
    """An answer of the API that is no success."""

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        errors: tuple[FieldError, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or kind.remedy)
        self.kind = kind
        self.detail = detail or kind.remedy
        self.errors = errors
        self.headers = dict(headers or {})

    @property
    def problem(self) -> Problem:
        kind = self.kind
        return Problem(kind.uri, kind.title, kind.status, self.detail, list(self.errors))


def respond(raised: ProblemRaised) -> Response:
    """The answer on the wire."""
    headers = dict(raised.headers)
    if raised.kind is Kind.UNAUTHENTICATED:
        headers.setdefault("www-authenticate", 'Bearer realm="tidegate"')
    if raised.kind is Kind.READ_ONLY_TOKEN:
        headers.setdefault(
            "www-authenticate", 'Bearer realm="tidegate", error="insufficient_scope"'
        )
    body = msgspec.json.encode(raised.problem)
    return Response(body, raised.kind.status, headers, PROBLEM_TYPE)


def unavailable() -> ProblemRaised:
    """The database is away for now."""
    return ProblemRaised(Kind.UNAVAILABLE, headers={"retry-after": str(_RETRY_AFTER_S)})


def at_field(field: str, detail: str) -> ProblemRaised:
    """A refusal for one field."""
    return ProblemRaised(Kind.INVALID, f"{field}: {detail}", errors=(FieldError(field, detail),))


def of_refusal(refused: Refused, known: Mapping[str, str]) -> ProblemRaised:
    """A service's refusal; `known` maps its field names to those of the body or query.

    What a body refers to and is not there is a value that cannot be taken; only what the path
    names is not found.
    """
    field = known.get(refused.field, "")
    errors = (FieldError(field, refused.message),) if field else ()
    return ProblemRaised(_kind(refused, field), refused.message, errors=errors)


def _kind(refused: Refused, field: str) -> Kind:
    match refused:
        case Forbidden():
            return Kind.FORBIDDEN
        case Conflict():
            return Kind.CONFLICT
        case NotFound() if not field:
            return Kind.NOT_FOUND
        case InvalidField() | InvalidCode() | NotFound():
            return Kind.INVALID
    return Kind.CONFLICT
