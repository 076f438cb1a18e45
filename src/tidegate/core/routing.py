"""Where a request goes and with which credential. Pure: records and headers in, a route out.

An organization's credential goes to the base URL that an admin gave it. A developer's own login
goes to the host that issued it and nowhere else: its form decides, and the hosts are constants.
"""

from typing import Final
from urllib.parse import urlsplit

import msgspec

from tidegate.core import errors
from tidegate.core.errors import Failure
from tidegate.core.identity import Headers, bearer, holds_key
from tidegate.core.model import Billing, Dialect, Provider


class Endpoint(msgspec.Struct, frozen=True):
    """One path of the data plane. Only metered ones make usage events."""

    path: str
    dialect: Dialect
    metered: bool


ENDPOINTS: Final = {
    (b"POST", "/v1/messages"): Endpoint("/v1/messages", Dialect.MESSAGES, True),
    (b"POST", "/v1/messages/count_tokens"): Endpoint(
        "/v1/messages/count_tokens", Dialect.MESSAGES, False
    ),
    (b"POST", "/v1/responses"): Endpoint("/v1/responses", Dialect.RESPONSES, True),
    (b"POST", "/v1/responses/compact"): Endpoint("/v1/responses/compact", Dialect.RESPONSES, True),
    (b"POST", "/v1/chat/completions"): Endpoint("/v1/chat/completions", Dialect.CHAT, True),
}
_ANTHROPIC_MODELS: Final = Endpoint("/v1/models", Dialect.MESSAGES, False)
_OPENAI_MODELS: Final = Endpoint("/v1/models", Dialect.RESPONSES, False)

PROVIDER_OF: Final = {
    Dialect.MESSAGES: Provider.ANTHROPIC,
    Dialect.RESPONSES: Provider.OPENAI,
    Dialect.CHAT: Provider.OPENAI,
}
PROVIDER_TITLE: Final = {Provider.ANTHROPIC: "Anthropic", Provider.OPENAI: "OpenAI"}

_CHATGPT_PATHS: Final = {
    "/v1/responses": "/responses",
    "/v1/responses/compact": "/responses/compact",
    "/v1/models": "/models",
}


class Origin(msgspec.Struct, frozen=True):
    """A server to connect to; the key of the connection pool."""

    secure: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


class Base(msgspec.Struct, frozen=True):
    """A parsed base URL: the origin and the path before the API's own."""

    origin: Origin
    path: str


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Where one request goes. `set_header` replaces the credential; None leaves the caller's."""

    origin: Origin
    path: str
    provider: Provider
    billing: Billing
    credential_id: str = ""
    price_table: str = ""
    set_header: tuple[bytes, bytes] | None = None
    keep_credential: bytes = b""  # lower-case name of the caller's header that goes along


class BadSecret(ValueError):
    """A credential's secret holds characters that a header cannot carry."""


class BadBaseUrl(ValueError):
    """The base URL of a credential cannot be used; the message says why."""


_ANTHROPIC: Final = Origin(True, "api.anthropic.com", 443)
_OPENAI: Final = Origin(True, "api.openai.com", 443)
_CHATGPT: Final = Origin(True, "chatgpt.com", 443)


def endpoint(method: bytes, path: str, headers: Headers) -> Endpoint | None:
    """The data plane's endpoint of a request, or None: then it is the console's."""
    found = ENDPOINTS.get((method, path))
    if found is None and path == "/v1/models" and method == b"GET":
        return _ANTHROPIC_MODELS if b"anthropic-version" in headers else _OPENAI_MODELS
    return found


def parse_base_url(url: str) -> Base:
    """Split a provider's base URL, with or without the version segment. Raises BadBaseUrl."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as exc:
        raise BadBaseUrl(f"{url!r} is not a URL: {exc}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadBaseUrl(f"{url!r} is not a URL such as https://api.example.com")
    if parts.username is not None or parts.query or parts.fragment:
        raise BadBaseUrl("a base URL has no user, query or fragment; give the secret apart")
    if any(not 33 <= ord(c) <= 126 for c in parts.hostname + parts.path):
        raise BadBaseUrl(f"{url!r} holds characters that a URL cannot have")
    secure = parts.scheme == "https"
    origin = Origin(secure, parts.hostname, port or (443 if secure else 80))
    return Base(origin, parts.path.rstrip("/"))


def organization_path(base_path: str, provider: Provider, path: str) -> str:
    """Join a base path and ours the way the providers' SDKs do.

    Anthropic's base comes before `/v1`; OpenAI's includes its version segment, so that a
    compatible service may have another one (`/api/paas/v4`). A base ending in `/v1` suits both.
    """
    if base_path.endswith("/v1"):
        return base_path[:-3] + path
    if provider is Provider.OPENAI and base_path:
        return base_path + path.removeprefix("/v1")
    return base_path + path


def organization_header(provider: Provider, secret: str) -> tuple[bytes, bytes]:
    """The header that carries an organization's secret. Raises BadSecret."""
    if not secret or any(not 33 <= ord(c) <= 126 for c in secret):
        raise BadSecret("the secret is empty or holds characters that a header cannot carry")
    if provider is Provider.ANTHROPIC:
        return b"x-api-key", secret.encode()
    return b"authorization", b"Bearer " + secret.encode()


def own_credential(headers: Headers) -> tuple[bytes, bytes]:
    """The caller's own provider login as (header name, secret), or (b"", b"").

    Where both headers hold one, only the bearer goes along: the other may be another issuer's.
    """
    if (value := bearer(headers)) and not holds_key(value):
        return b"authorization", value
    value = headers.get(b"x-api-key", b"").strip()
    if value and not holds_key(value):
        return b"x-api-key", value
    return b"", b""


def own_route(point: Endpoint, headers: Headers) -> Route | Failure:
    """Route a request that travels with the developer's own login."""
    name, secret = own_credential(headers)
    if not secret:
        return errors.own_credential_missing()
    found = _issuer(point, headers, name, secret)
    if found is None:
        return errors.own_credential_refused()
    origin, path, provider = found
    return Route(
        origin=origin,
        path=path,
        provider=provider,
        billing=Billing.SUBSCRIPTION,
        keep_credential=name,
    )


def _issuer(
    point: Endpoint, headers: Headers, name: bytes, secret: bytes
) -> tuple[Origin, str, Provider] | None:
    if secret.startswith(b"sk-ant-"):
        if point.dialect is not Dialect.MESSAGES:
            return None
        return _ANTHROPIC, point.path, Provider.ANTHROPIC
    if name == b"authorization" and b"chatgpt-account-id" in headers:
        path = _CHATGPT_PATHS.get(point.path)
        if path is None or point.dialect is Dialect.MESSAGES:
            return None
        return _CHATGPT, "/backend-api/codex" + path, Provider.OPENAI
    if (
        name == b"authorization"
        and secret.startswith(b"sk-")
        and point.dialect is not Dialect.MESSAGES
    ):
        return _OPENAI, point.path, Provider.OPENAI
    return None
