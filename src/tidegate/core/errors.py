"""Every failure that we tell a caller about, and how each dialect and agent is told.

An agent shows our sentence or hides it, gives up or retries eleven times, by the status that it
gets. The tables below hold what was measured with the real agents: a permanent fault ends the turn
at once with its message on the screen, a transient one is retried as the agent sees fit.
"""

import json
from enum import Enum
from typing import Final

import msgspec

from tidegate.core.model import Agent, Dialect


class Remedy(Enum):
    """What has to happen before the same request can succeed; it decides on the status."""

    KEY = "key"  # another key, or this one enabled again
    PERMISSION = "permission"  # an admin has to allow or add something
    REQUEST = "request"  # another request
    SIZE = "size"  # a smaller request
    RETRY = "retry"  # nothing: try again
    BUDGET = "budget"  # a new window, or more of the budget


class Failure(msgspec.Struct, frozen=True):
    """One failure: a code for the ledger, a remedy, a sentence for the developer.

    `status` is set for transient failures only, where it does not depend on the caller. `headers`
    go with a 429.
    """

    code: str
    remedy: Remedy
    message: str
    status: int = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Reply(msgspec.Struct, frozen=True):
    """A failure as rendered for one caller."""

    status: int
    content_type: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def unknown_key() -> Failure:
    return Failure(
        "unknown_key",
        Remedy.KEY,
        "This key is not valid. Ask an admin of your organization for a new one.",
    )


def key_disabled() -> Failure:
    return Failure(
        "key_disabled",
        Remedy.KEY,
        "This key is disabled. Ask an admin of your organization to enable it again.",
    )


def model_not_allowed(model: str) -> Failure:
    return Failure(
        "model_not_allowed",
        Remedy.PERMISSION,
        f"The model {model!r} is not allowed for this key. Choose another one with your agent's"
        " model setting, or ask an admin of your organization to allow it.",
    )


def no_credential(provider_title: str) -> Failure:
    return Failure(
        "no_credential",
        Remedy.PERMISSION,
        f"Your organization has no {provider_title} credential. Ask an admin to add one.",
    )


def own_credential_forbidden() -> Failure:
    return Failure(
        "own_credential_forbidden",
        Remedy.PERMISSION,
        "Your organization does not allow own provider logins through this gateway. Start your"
        " agent with --credential organization, or ask an admin.",
    )


def own_credential_missing() -> Failure:
    return Failure(
        "own_credential_missing",
        Remedy.PERMISSION,
        "This key works with your own provider login, and the request brought none. Sign in to"
        " the provider in your agent, or ask an admin to change the key's credential.",
    )


def own_credential_refused() -> Failure:
    return Failure(
        "own_credential_refused",
        Remedy.PERMISSION,
        "The provider login that your agent sent does not belong to a provider of this API, so it"
        " was sent nowhere. Use the login of the model's own provider.",
    )


def malformed_body(problem: str) -> Failure:
    whole = problem if problem.startswith("The request body") else f"The request body: {problem}"
    return Failure("malformed_body", Remedy.REQUEST, whole)


def unreadable_body() -> Failure:
    return Failure(
        "unreadable_body",
        Remedy.RETRY,
        "The request body could not be read for a reason of the gateway's own. Try again, or tell"
        " the operator.",
        500,
    )


def unsupported_encoding(encoding: str) -> Failure:
    return Failure(
        "unsupported_encoding",
        Remedy.REQUEST,
        f"The request body is encoded as {encoding!r}. Send it plain, as gzip or as zstd.",
    )


def body_too_large(limit_bytes: int) -> Failure:
    return Failure(
        "body_too_large",
        Remedy.SIZE,
        f"The request is larger than {limit_bytes >> 20} MB. Start a new conversation, compact"
        " this one, or leave large files out.",
    )


def upstream_forbidden(host: str) -> Failure:
    return Failure(
        "upstream_forbidden",
        Remedy.PERMISSION,
        f"The provider address {host} leads to a private network and is not allowed."
        " Ask the operator to allow it.",
    )


def upstream_unreachable(host: str) -> Failure:
    return Failure(
        "upstream_unreachable",
        Remedy.RETRY,
        f"The provider at {host} could not be reached. Try again in a moment.",
        502,
    )


def upstream_garbled(host: str) -> Failure:
    return Failure(
        "upstream_garbled",
        Remedy.RETRY,
        f"The provider at {host} did not give a usable answer. Try again in a moment.",
        502,
    )


def upstream_timeout(host: str) -> Failure:
    return Failure(
        "upstream_timeout",
        Remedy.RETRY,
        f"The provider at {host} did not answer in time. Try again.",
        504,
    )


def directory_stale() -> Failure:
    return Failure(
        "directory_stale",
        Remedy.RETRY,
        "Keys cannot be checked at the moment. Try again in a minute.",
        503,
    )


def usage_not_recordable() -> Failure:
    return Failure(
        "usage_not_recordable",
        Remedy.RETRY,
        "Usage cannot be recorded at the moment. Try again in a minute, or tell the operator.",
        503,
    )


def budget_exceeded(message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Failure:
    return Failure("budget_exceeded", Remedy.BUDGET, message, headers=headers)


def cost_unbounded(problem: str) -> Failure:
    return Failure(
        "cost_unbounded",
        Remedy.PERMISSION,
        f"A strict budget lets no request pass whose cost has no bound: {problem}, or ask an admin"
        " to make the budget a typical one.",
    )


def budget_unknown() -> Failure:
    return Failure(
        "budget_unknown",
        Remedy.RETRY,
        "Whether your budget allows this request cannot be told at the moment. Try again in a"
        " moment, or tell an admin.",
        503,
    )


def rate_limited(what: str, retry_after_s: int) -> Failure:
    return Failure(
        "rate_limited",
        Remedy.RETRY,
        f"{what} Try again in a few seconds.",
        429,
        ((b"retry-after", b"%d" % retry_after_s),),
    )


_STATUS: Final[dict[Agent, dict[Remedy, int]]] = {
    # Newer versions take a 400 for "capability refused" and repeat the turn with fewer betas.
    Agent.CLAUDE_CODE: {
        Remedy.KEY: 403,
        Remedy.PERMISSION: 403,
        Remedy.REQUEST: 400,
        Remedy.SIZE: 413,
        Remedy.BUDGET: 429,
    },
    # 401 to 404 and 413 cost six requests.
    Agent.CODEX: {
        Remedy.KEY: 400,
        Remedy.PERMISSION: 400,
        Remedy.REQUEST: 400,
        Remedy.SIZE: 400,
        Remedy.BUDGET: 400,
    },
    Agent.OPENCODE: {
        Remedy.KEY: 403,
        Remedy.PERMISSION: 400,
        Remedy.REQUEST: 400,
        Remedy.SIZE: 400,
        Remedy.BUDGET: 400,
    },
}

_TYPICAL_AGENT: Final = {
    Dialect.MESSAGES: Agent.CLAUDE_CODE,
    Dialect.RESPONSES: Agent.CODEX,
    Dialect.CHAT: Agent.OPENCODE,
}

_TYPE: Final = {
    Remedy.KEY: "permission_error",
    Remedy.PERMISSION: "permission_error",
    Remedy.REQUEST: "invalid_request_error",
    Remedy.SIZE: "request_too_large",
    Remedy.RETRY: "api_error",
    Remedy.BUDGET: "billing_error",
}
_TOO_MANY: Final = 429

_NO_RETRY: Final = (b"x-should-retry", b"false")


def render(failure: Failure, dialect: Dialect, agent: Agent | None, request_id: str = "") -> Reply:
    """Word a failure for the caller.

    `agent` is the program that asks, as it names itself; where it is unknown, the agent that
    typically speaks the dialect stands in for it.
    """
    status = failure.status or _STATUS[agent or _TYPICAL_AGENT[dialect]][failure.remedy]
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if failure.remedy is not Remedy.RETRY:
        headers = (_NO_RETRY,)
    if status == _TOO_MANY:
        headers += failure.headers
    if agent is Agent.CODEX and dialect is Dialect.RESPONSES and status == 400:
        # Codex prints the raw body of a 400: plain text is all that a person wants to see there.
        return Reply(status, b"text/plain; charset=utf-8", failure.message.encode(), headers)
    return Reply(
        status, b"application/json", _json_body(failure, dialect, request_id).encode(), headers
    )


def _json_body(failure: Failure, dialect: Dialect, request_id: str) -> str:
    kind = "rate_limit_error" if failure.status == _TOO_MANY else _TYPE[failure.remedy]
    if dialect is Dialect.MESSAGES:
        body: dict[str, object] = {
            "type": "error",
            "error": {"type": kind, "message": failure.message},
        }
        if request_id:
            body["request_id"] = request_id
        return json.dumps(body)
    error = {"message": failure.message, "type": kind, "param": None, "code": failure.code}
    return json.dumps({"error": error})
