"""Which headers pass, and how a head is written. Names are compared in lower case."""

from collections.abc import Iterable
from typing import Final

from tidegate.core.identity import holds_key

Header = tuple[bytes, bytes, bytes]
"""Lower-case name, name as received, value."""

HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    )
)
OF_THE_BODY: Final = frozenset(
    (b"content-encoding", b"content-md5", b"digest", b"content-digest", b"repr-digest")
)
"""What holds of a body's bytes as they came only."""

# Written anew, or answered by us.
_REPLACED: Final = frozenset((b"host", b"content-length", b"expect", b"accept-encoding"))
_CREDENTIALS: Final = frozenset((b"authorization", b"x-api-key"))
# They name an account: with our credential the caller's must not choose another one.
_ACCOUNT: Final = frozenset((b"chatgpt-account-id", b"openai-organization", b"openai-project"))
_PRIVATE: Final = frozenset((b"cookie", b"forwarded", b"via", b"origin", b"referer"))
_PRIVATE_PREFIXES: Final = (b"x-tidegate-", b"x-forwarded-", b"sec-")
_NOT_FOR_CONSOLE: Final = frozenset((b"content-length", b"expect", b"forwarded", b"x-request-id"))
# Of ours, what an agent says of itself; all else the console believes, so only we may say it.
_AGENTS_OWN: Final = frozenset((b"x-tidegate-key", b"x-tidegate-launch"))
_DROP_UPSTREAM: Final = HOP_BY_HOP | _REPLACED | _PRIVATE

_DROP_DOWNSTREAM: Final = HOP_BY_HOP | frozenset(
    (
        b"content-length",
        b"set-cookie",
        b"set-cookie2",
        b"strict-transport-security",
        b"content-security-policy",
        b"content-security-policy-report-only",
        b"alt-svc",
        b"server",
    )
)
_OURS_ONLY: Final = frozenset(
    (b"anthropic-organization-id", b"openai-organization", b"openai-project")
)
_RATE_PREFIXES: Final = (
    b"anthropic-ratelimit-",
    b"anthropic-priority-",
    b"anthropic-fast-",
    b"x-ratelimit-",
)


def nominated(connection: bytes) -> frozenset[bytes]:
    """Header names that the Connection headers, joined by commas, declare hop-by-hop."""
    if not connection or connection.lower() in {b"keep-alive", b"close"}:
        return frozenset()
    return frozenset(name.strip().lower() for name in connection.split(b","))


def upstream_headers(
    headers: Iterable[Header],
    *,
    connection: bytes,
    keep_credential: bytes,
    set_header: tuple[bytes, bytes] | None,
) -> list[bytes]:
    """The lines of a request's headers as they go to the provider, without Host and length.

    `keep_credential` names the caller's header that goes along untouched, the first of its name
    only: that one was judged. `set_header` carries the organization's secret in place of all that
    the caller sent.
    """
    dropped = _DROP_UPSTREAM | nominated(connection)
    lines = []
    for name, raw, value in headers:
        if name in dropped or name.startswith(_PRIVATE_PREFIXES) or holds_key(value):
            continue
        if name in _CREDENTIALS:
            if name != keep_credential:
                continue
            keep_credential = b""
        if set_header is not None and name in _ACCOUNT:
            continue
        lines.append(b"%b: %b\r\n" % (raw, value))
    lines.append(b"accept-encoding: identity\r\n")
    if set_header is not None:
        lines.append(b"%b: %b\r\n" % set_header)
    return lines


def client_headers(
    headers: Iterable[Header], *, connection: bytes, organization_credential: bool
) -> list[bytes]:
    """The lines of an answer's headers as they go to the agent, without length and framing."""
    dropped = _DROP_DOWNSTREAM | nominated(connection)
    lines = []
    for name, raw, value in headers:
        if name in dropped or name.startswith((b"access-control-", b"x-tidegate-")):
            continue
        if organization_credential and (name in _OURS_ONLY or name.startswith(_RATE_PREFIXES)):
            continue
        lines.append(b"%b: %b\r\n" % (raw, value))
    return lines


def console_headers(headers: Iterable[Header], *, connection: bytes) -> list[bytes]:
    """The lines of a request's headers as they go to the console, which trusts what we add."""
    dropped = HOP_BY_HOP | nominated(connection) | _NOT_FOR_CONSOLE
    return [
        b"%b: %b\r\n" % (raw, value)
        for name, raw, value in headers
        if name not in dropped
        and (name in _AGENTS_OWN or not name.startswith((b"x-tidegate-", b"x-forwarded-")))
    ]


def from_console_headers(headers: Iterable[Header], *, connection: bytes) -> list[bytes]:
    """The lines of the console's answer; its cookies and policies are its own and pass."""
    dropped = HOP_BY_HOP | nominated(connection) | {b"content-length", b"server", b"x-request-id"}
    return [b"%b: %b\r\n" % (raw, value) for name, raw, value in headers if name not in dropped]
