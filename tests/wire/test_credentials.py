"""Where a request goes and with whose secret: a login only to its issuer, a key to nobody."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.wire.answers import document
from tests.wire.authority import Authority
from tests.wire.connect_proxy import ConnectProxy
from tests.wire.http1 import Message
from tests.wire.local_gateway import (
    KEY,
    ORGANIZATION,
    PROVIDER_SECRETS,
    LocalGateway,
    key_record,
)
from tests.wire.raw import RawClient, chat_body, message_body, request, responses_body
from tests.wire.scripts import converse
from tests.wire.upstream import Upstream

from tidegate.core.model import KeyRecord, OrganizationRecord

pytestmark = pytest.mark.wire

JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1In0."
BODIES = {
    "/v1/messages": message_body(stream=False),
    "/v1/messages/count_tokens": message_body(stream=False),
    "/v1/responses": responses_body(stream=False),
    "/v1/responses/compact": responses_body(stream=False),
    "/v1/chat/completions": chat_body(stream=False),
}


@dataclass
class World:
    """The providers' hosts, as the gateway sees them."""

    upstream: Upstream
    proxy: ConnectProxy
    authority: Authority

    def gateway(
        self,
        key: KeyRecord | None = None,
        organization: OrganizationRecord | None = None,
        **options: Any,
    ) -> LocalGateway:
        settings = {"https_proxy": self.proxy.url, "upstream_ca": str(self.authority.ca_file)}
        return LocalGateway(
            self.upstream, key=key, organization=organization, **{**settings, **options}
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with Upstream(authority=authority) as upstream, ConnectProxy(upstream.tls_port) as proxy:
        yield World(upstream, proxy, authority)


def ask(gateway: LocalGateway, path: str, *lines: str) -> Message:
    with RawClient(gateway.port) as client:
        if path == "/v1/models":
            return client.send(request(path, b"", *lines, method="GET")).response("GET")
        return client.send(request(path, BODIES[path], *lines)).response()


BESIDE = f"x-tidegate-key: {KEY}"
CLAUDE = "Authorization: Bearer sk-ant-oat01-mine"
CLAUDE_KEY = "X-Api-Key: sk-ant-api03-mine"
CHATGPT = (f"Authorization: Bearer {JWT}", "ChatGPT-Account-Id: acc-1")
OPENAI = "Authorization: Bearer sk-proj-mine"

ROUTES = [
    # path, lines, host, path there
    ("/v1/messages", (CLAUDE,), "api.anthropic.com", "/v1/messages"),
    ("/v1/messages", (CLAUDE_KEY,), "api.anthropic.com", "/v1/messages"),
    ("/v1/messages/count_tokens", (CLAUDE,), "api.anthropic.com", "/v1/messages/count_tokens"),
    ("/v1/models", (CLAUDE, "anthropic-version: 1"), "api.anthropic.com", "/v1/models"),
    ("/v1/responses", CHATGPT, "chatgpt.com", "/backend-api/codex/responses"),
    ("/v1/responses/compact", CHATGPT, "chatgpt.com", "/backend-api/codex/responses/compact"),
    ("/v1/models", CHATGPT, "chatgpt.com", "/backend-api/codex/models"),
    ("/v1/responses", (OPENAI,), "api.openai.com", "/v1/responses"),
    ("/v1/chat/completions", (OPENAI,), "api.openai.com", "/v1/chat/completions"),
    ("/v1/models", (OPENAI,), "api.openai.com", "/v1/models"),
]


@pytest.mark.parametrize(("path", "lines", "host", "there"), ROUTES)
def test_an_own_login_goes_untouched_to_its_issuer(
    path: str, lines: tuple[str, ...], host: str, there: str, world: World
) -> None:
    with world.gateway() as gateway:
        response = ask(gateway, path, BESIDE, *lines)
        exchange = world.upstream.book.exchanges[-1]
        assert response.status == 200
        assert response.body == bytes(exchange.sent_body)
        assert world.proxy.asked[-1] == f"{host}:443"
        assert (exchange.tls, exchange.alpn) == (True, "http/1.1")
        assert exchange.request.header("host") == host
        assert exchange.request.target == there
        for line in lines:
            name, _, value = line.partition(": ")
            assert exchange.request.values(name.lower()) == [value]
        raw = exchange.request.raw.decode()
        assert "tg_" not in raw
        assert not any(secret in raw for secret in PROVIDER_SECRETS.values())
        assert [event.billing for event in gateway.events] in ([], ["subscription"])
        assert all(event.credential_id == "" for event in gateway.events)


def test_the_ratelimit_headers_of_an_own_login_are_its_owners(world: World) -> None:
    world.upstream.script = lambda exchange: document(
        {}, headers=(("anthropic-ratelimit-unified-status", "allowed"), ("set-cookie", "a=b"))
    )
    try:
        with world.gateway() as gateway:
            response = ask(gateway, "/v1/messages", BESIDE, CLAUDE)
    finally:
        world.upstream.script = converse
    assert response.header("anthropic-ratelimit-unified-status") == "allowed"
    assert response.header("set-cookie") is None


REFUSED = [
    ("/v1/responses", (CLAUDE,)),
    ("/v1/chat/completions", (CLAUDE_KEY,)),
    ("/v1/models", (CLAUDE_KEY,)),
    ("/v1/messages", (OPENAI,)),
    ("/v1/messages", CHATGPT),
    ("/v1/chat/completions", CHATGPT),
    ("/v1/responses", (f"Authorization: Bearer {JWT}",)),
    ("/v1/messages", ("Authorization: Bearer something-else",)),
    ("/v1/messages", ("X-Api-Key: AIza-another-providers",)),
    ("/v1/messages", ("Authorization: Basic c2stYW50LXg6",)),
    ("/v1/responses", ("X-Api-Key: sk-proj-mine",)),
]


@pytest.mark.parametrize(("path", "lines"), REFUSED)
def test_any_other_login_goes_nowhere(path: str, lines: tuple[str, ...], world: World) -> None:
    before = (len(world.upstream.book.exchanges), len(world.proxy.asked))
    with world.gateway(key_record(credential_mode="own")) as gateway:
        response = ask(gateway, path, BESIDE, *lines)
        assert response.status in {400, 403}
        assert all(event.outcome == "refused" for event in gateway.events)
    assert (len(world.upstream.book.exchanges), len(world.proxy.asked)) == before


@pytest.mark.parametrize(
    ("mode", "lines", "used"),
    [
        ("auto", (BESIDE, CLAUDE), "own"),
        ("auto", (BESIDE,), "organization"),
        ("auto", (f"Authorization: Bearer {KEY}",), "organization"),
        ("auto", (f"X-Api-Key: {KEY}", CLAUDE), "organization"),
        ("organization", (BESIDE, CLAUDE), "organization"),
        ("own", (BESIDE, CLAUDE), "own"),
        ("own", (BESIDE,), "refused"),
        ("own", (f"Authorization: Bearer {KEY}",), "refused"),
    ],
)
def test_the_mode_decides_which_credential_is_used(
    mode: str, lines: tuple[str, ...], used: str, world: World
) -> None:
    asked = len(world.proxy.asked)
    with world.gateway(key_record(credential_mode=mode)) as gateway:
        response = ask(gateway, "/v1/messages", *lines)
        event = gateway.spool.wait(1)[0]
    assert response.status == (403 if used == "refused" else 200)
    assert (len(world.proxy.asked) > asked) is (used == "own")
    if used != "refused":
        raw = world.upstream.book.exchanges[-1].request.raw.decode()
        assert ("sk-ant-oat01-mine" in raw) is (used == "own")
        assert (PROVIDER_SECRETS["anthropic"] in raw) is (used == "organization")
        assert event.billing == ("subscription" if used == "own" else "api")


def test_an_organization_can_forbid_own_logins(world: World) -> None:
    organization = OrganizationRecord(
        organization_id=ORGANIZATION, name="Acme", allow_own_credential=False
    )
    before = len(world.upstream.book.exchanges)
    with world.gateway(organization=organization) as gateway:
        response = ask(gateway, "/v1/messages", BESIDE, CLAUDE)
    assert response.status == 403
    assert b"does not allow own provider logins" in response.body
    assert len(world.upstream.book.exchanges) == before


def test_an_account_header_of_the_caller_does_not_choose_the_organizations_account(
    world: World,
) -> None:
    lines = ("chatgpt-account-id: acc-1", "OpenAI-Organization: o", "OpenAI-Project: p")
    with world.gateway() as gateway:
        ask(gateway, "/v1/responses", f"Authorization: Bearer {KEY}", *lines)
    names = {name for name, _ in world.upstream.book.exchanges[-1].request.headers}
    assert not names & {"chatgpt-account-id", "openai-organization", "openai-project"}


def test_a_certificate_of_nobody_known_is_refused(world: World) -> None:
    before = len(world.upstream.book.exchanges)
    with world.gateway(upstream_ca="") as gateway:
        response = ask(gateway, "/v1/messages", BESIDE, CLAUDE)
    assert response.status == 502
    assert len(world.upstream.book.exchanges) == before


def test_a_proxy_that_refuses_is_a_502(world: World) -> None:
    with ConnectProxy(world.upstream.tls_port, hosts=()) as deaf:
        with world.gateway(https_proxy=deaf.url) as gateway:
            assert ask(gateway, "/v1/messages", BESIDE, CLAUDE).status == 502
        assert set(deaf.asked) == {"api.anthropic.com:443"}


def test_a_proxys_password_goes_to_the_proxy_only(world: World) -> None:
    url = world.proxy.url.replace("http://", "http://me:p%40ss@")
    with world.gateway(https_proxy=url) as gateway:
        assert ask(gateway, "/v1/messages", BESIDE, CLAUDE).status == 200
    assert b"proxy-authorization: Basic bWU6cEBzcw==" in world.proxy.heads[-1]
    assert b"proxy-authorization" not in world.upstream.book.exchanges[-1].request.raw.lower()


@pytest.mark.parametrize(
    ("base_url", "allowed", "status"),
    [
        ("http://127.0.0.1:{port}", (), 403),
        ("http://localhost:{port}", (), 403),
        ("http://[::ffff:127.0.0.1]:{port}", (), 403),
        ("http://127.0.0.1:{port}", ("127.0.0.1:1",), 403),
        ("http://127.0.0.1:{port}", ("127.0.0.1:{port}",), 200),
        ("http://127.0.0.1:{port}", ("127.0.0.1:*",), 200),
        ("http://localhost:{port}", ("localhost:*",), 200),
        ("http://169.254.169.254", ("169.254.169.254:*",), 403),
        ("http://metadata.google.internal", ("metadata.google.internal:*",), 403),
        ("http://10.1.2.3", (), 403),
    ],
)
def test_private_addresses_need_the_operators_permission(
    base_url: str, allowed: tuple[str, ...], status: int, world: World
) -> None:
    port = world.upstream.port
    before = len(world.upstream.book.exchanges)
    entries = tuple(entry.format(port=port) for entry in allowed)
    with LocalGateway(base_url.format(port=port), allow_upstreams=entries) as gateway:
        response = ask(gateway, "/v1/messages", f"Authorization: Bearer {KEY}")
        assert gateway.spool.wait(1)[0].outcome == ("ok" if status == 200 else "refused")
    assert response.status == status
    assert (len(world.upstream.book.exchanges) > before) is (status == 200)


@pytest.mark.parametrize(
    "base_url", ["https://10.1.2.3", "https://169.254.169.254", "https://metadata.google.internal"]
)
def test_the_operators_proxy_is_no_way_to_a_literal_private_address(
    base_url: str, world: World
) -> None:
    before = len(world.proxy.asked)
    with LocalGateway(base_url, https_proxy=world.proxy.url) as gateway:
        response = ask(gateway, "/v1/messages", f"Authorization: Bearer {KEY}")
    assert response.status == 403
    assert len(world.proxy.asked) == before
