"""Where requests go: base URLs joined as the SDKs do, own logins to their issuer only."""

import pytest

from tidegate.core.errors import Failure
from tidegate.core.headers import client_headers, upstream_headers
from tidegate.core.model import Billing, Provider
from tidegate.core.routing import (
    BadBaseUrl,
    BadSecret,
    Route,
    endpoint,
    organization_header,
    organization_path,
    own_route,
    parse_base_url,
)


@pytest.mark.parametrize(
    ("url", "provider", "path", "expected"),
    [
        ("https://api.anthropic.com", Provider.ANTHROPIC, "/v1/messages", "/v1/messages"),
        ("https://api.anthropic.com/v1/", Provider.ANTHROPIC, "/v1/messages", "/v1/messages"),
        (
            "https://x.example/anthropic",
            Provider.ANTHROPIC,
            "/v1/messages",
            "/anthropic/v1/messages",
        ),
        ("https://api.openai.com/v1", Provider.OPENAI, "/v1/responses", "/v1/responses"),
        ("https://api.openai.com", Provider.OPENAI, "/v1/responses", "/v1/responses"),
        (
            "https://x.example/api/paas/v4",
            Provider.OPENAI,
            "/v1/chat/completions",
            "/api/paas/v4/chat/completions",
        ),
        ("https://x.example/openai/v1", Provider.OPENAI, "/v1/models", "/openai/v1/models"),
    ],
)
def test_base_urls_join_as_the_sdks_join_them(
    url: str, provider: Provider, path: str, expected: str
) -> None:
    assert organization_path(parse_base_url(url).path, provider, path) == expected


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://h.example", "h.example"),
        ("https://h.example:443", "h.example"),
        ("http://127.0.0.1:8080/x", "127.0.0.1:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://h.example", "h.example"),
    ],
)
def test_authority(url: str, authority: str) -> None:
    assert parse_base_url(url).origin.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x/?a=1",
        "https://x/#f",
        "https://x:99999",
        "https://x/a b",
        "https://x/\r\nHost: y",
    ],
)
def test_bad_base_urls_are_refused(url: str) -> None:
    with pytest.raises(BadBaseUrl):
        parse_base_url(url)


def _own(method: str, path: str, headers: dict[bytes, bytes]) -> Route | Failure:
    point = endpoint(method.encode(), path, headers)
    assert point is not None
    return own_route(point, headers)


@pytest.mark.parametrize(
    ("path", "headers", "host", "target", "keeps"),
    [
        (
            "/v1/messages",
            {b"authorization": b"Bearer sk-ant-oat01-x"},
            "api.anthropic.com",
            "/v1/messages",
            b"authorization",
        ),
        (
            "/v1/messages/count_tokens",
            {b"x-api-key": b"sk-ant-api03-x"},
            "api.anthropic.com",
            "/v1/messages/count_tokens",
            b"x-api-key",
        ),
        (
            "/v1/responses",
            {b"authorization": b"Bearer eyJ.x.y", b"chatgpt-account-id": b"a"},
            "chatgpt.com",
            "/backend-api/codex/responses",
            b"authorization",
        ),
        (
            "/v1/responses/compact",
            {b"authorization": b"Bearer eyJ.x.y", b"chatgpt-account-id": b"a"},
            "chatgpt.com",
            "/backend-api/codex/responses/compact",
            b"authorization",
        ),
        (
            "/v1/chat/completions",
            {b"authorization": b"Bearer sk-proj-x"},
            "api.openai.com",
            "/v1/chat/completions",
            b"authorization",
        ),
    ],
)
def test_an_own_login_goes_to_its_issuer(
    path: str, headers: dict[bytes, bytes], host: str, target: str, keeps: bytes
) -> None:
    route = _own("POST", path, headers)
    assert isinstance(route, Route)
    assert (route.origin.host, route.path, route.keep_credential) == (host, target, keeps)
    assert route.origin.secure
    assert route.set_header is None
    assert route.billing is Billing.SUBSCRIPTION


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("/v1/messages", {}, "own_credential_missing"),
        ("/v1/messages", {b"authorization": b"Bearer tg_x"}, "own_credential_missing"),
        ("/v1/messages", {b"authorization": b"Bearer sk-proj-x"}, "own_credential_refused"),
        ("/v1/messages", {b"authorization": b"Bearer eyJ"}, "own_credential_refused"),
        (
            "/v1/messages",
            {b"authorization": b"Bearer eyJ", b"chatgpt-account-id": b"a"},
            "own_credential_refused",
        ),
        ("/v1/responses", {b"authorization": b"Bearer sk-ant-oat01-x"}, "own_credential_refused"),
        ("/v1/responses", {b"authorization": b"Bearer eyJ"}, "own_credential_refused"),
        (
            "/v1/chat/completions",
            {b"authorization": b"Bearer eyJ", b"chatgpt-account-id": b"a"},
            "own_credential_refused",
        ),
        ("/v1/responses", {b"x-api-key": b"sk-proj-x"}, "own_credential_refused"),
    ],
)
def test_a_login_without_its_issuer_goes_nowhere(
    path: str, headers: dict[bytes, bytes], code: str
) -> None:
    failure = _own("POST", path, headers)
    assert isinstance(failure, Failure)
    assert failure.code == code


def test_models_go_where_the_client_asks() -> None:
    chatgpt = {b"authorization": b"Bearer eyJ", b"chatgpt-account-id": b"a"}
    route = _own("GET", "/v1/models", chatgpt)
    assert isinstance(route, Route)
    assert route.path == "/backend-api/codex/models"
    anthropic = {b"authorization": b"Bearer sk-ant-oat01-x", b"anthropic-version": b"2023-06-01"}
    route = _own("GET", "/v1/models", anthropic)
    assert isinstance(route, Route)
    assert route.origin.host == "api.anthropic.com"


def test_all_else_is_no_endpoint() -> None:
    for method, path in [
        (b"GET", "/v1/messages"),
        (b"POST", "/v1/models"),
        (b"POST", "/v1/messages/"),
        (b"POST", "/v1/messages/../responses"),
        (b"POST", "/V1/messages"),
        (b"POST", "/v1/files"),
    ]:
        assert endpoint(method, path, {}) is None


def _triples(pairs: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes, bytes]]:
    return [(name.lower(), name, value) for name, value in pairs]


SENT = _triples(
    [
        (b"Host", b"gate"),
        (b"Authorization", b"Bearer sk-ant-own"),
        (b"X-Api-Key", b"tg_secret"),
        (b"X-Other", b"Bearer tg_secret"),
        (b"x-tidegate-key", b"tg_secret"),
        (b"Cookie", b"a=b"),
        (b"Forwarded", b"for=1"),
        (b"X-Forwarded-For", b"1"),
        (b"Via", b"x"),
        (b"Origin", b"x"),
        (b"Referer", b"x"),
        (b"Sec-Fetch-Mode", b"cors"),
        (b"Connection", b"keep-alive, X-Hop"),
        (b"X-Hop", b"1"),
        (b"TE", b"trailers"),
        (b"Accept-Encoding", b"gzip, br"),
        (b"Content-Length", b"12"),
        (b"OpenAI-Organization", b"org-1"),
        (b"Anthropic-Beta", b"a,b"),
        (b"Anthropic-Beta", b"c"),
        (b"X-Unknown", b"kept"),
    ]
)


def test_upstream_headers_with_the_organizations_credential() -> None:
    lines = upstream_headers(
        SENT,
        connection=b"keep-alive, X-Hop",
        keep_credential=b"",
        set_header=(b"x-api-key", b"secret"),
    )
    assert lines == [
        b"Anthropic-Beta: a,b\r\n",
        b"Anthropic-Beta: c\r\n",
        b"X-Unknown: kept\r\n",
        b"accept-encoding: identity\r\n",
        b"x-api-key: secret\r\n",
    ]


def test_upstream_headers_with_an_own_credential() -> None:
    lines = upstream_headers(
        SENT, connection=b"X-Hop", keep_credential=b"authorization", set_header=None
    )
    assert b"Authorization: Bearer sk-ant-own\r\n" in lines
    assert b"OpenAI-Organization: org-1\r\n" in lines
    assert not any(b"tg_secret" in line for line in lines)


def test_of_two_own_credentials_only_the_deciding_one_leaves() -> None:
    sent = _triples([(b"Authorization", b"Bearer sk-ant-x"), (b"X-Api-Key", b"sk-other")])
    lines = upstream_headers(
        sent, connection=b"", keep_credential=b"authorization", set_header=None
    )
    assert not any(b"sk-other" in line for line in lines)


def test_of_two_equal_credential_headers_only_the_judged_one_leaves() -> None:
    sent = _triples([(b"Authorization", b"Bearer sk-ant-x"), (b"authorization", b"Bearer sk-y")])
    lines = upstream_headers(
        sent, connection=b"", keep_credential=b"authorization", set_header=None
    )
    assert b"Authorization: Bearer sk-ant-x\r\n" in lines
    assert not any(b"sk-y" in line for line in lines)


@pytest.mark.parametrize("provider", Provider)
@pytest.mark.parametrize("secret", ["", "a\r\nx-evil: 1", "a b", "a\0", "ключ", "a\n"])
def test_a_secret_that_no_header_can_carry_is_refused(provider: Provider, secret: str) -> None:
    with pytest.raises(BadSecret):
        organization_header(provider, secret)


ANSWERED = _triples(
    [
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"3"),
        (b"Set-Cookie", b"a=b"),
        (b"Strict-Transport-Security", b"x"),
        (b"Content-Security-Policy", b"x"),
        (b"Access-Control-Allow-Origin", b"*"),
        (b"Alt-Svc", b"h3"),
        (b"Transfer-Encoding", b"chunked"),
        (b"anthropic-ratelimit-requests-remaining", b"1"),
        (b"x-ratelimit-limit-tokens", b"1"),
        (b"anthropic-organization-id", b"o"),
        (b"openai-organization", b"o"),
        (b"anthropic-priority-input-tokens-limit", b"1"),
        (b"anthropic-fast-input-tokens-remaining", b"1"),
        (b"X-Tidegate-Request-Id", b"req_forged"),
        (b"request-id", b"req_1"),
        (b"retry-after", b"3"),
    ]
)


def test_client_headers() -> None:
    lines = client_headers(ANSWERED, connection=b"", organization_credential=True)
    assert lines == [
        b"Content-Type: application/json\r\n",
        b"request-id: req_1\r\n",
        b"retry-after: 3\r\n",
    ]
    own = client_headers(ANSWERED, connection=b"", organization_credential=False)
    assert b"anthropic-ratelimit-requests-remaining: 1\r\n" in own
    assert not any(b"Cookie" in line for line in own)
