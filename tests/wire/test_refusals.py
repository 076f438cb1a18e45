"""Strangers and keys that may not: told in the caller's dialect, with the status it shows."""

from collections.abc import Iterator

import pytest
from tests.wire.http1 import Message
from tests.wire.local_gateway import KEY, LocalGateway, key_record
from tests.wire.raw import RawClient, chat_body, message_body, request, responses_body
from tests.wire.upstream import Upstream

pytestmark = pytest.mark.wire

WITH_KEY = f"Authorization: Bearer {KEY}"
BODY = message_body(stream=False)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[LocalGateway]:
    with LocalGateway(upstream) as running:
        yield running


def ask(gateway: LocalGateway, data: bytes, method: str = "POST") -> Message:
    with RawClient(gateway.port) as client:
        return client.send(data).response(method)


@pytest.mark.parametrize(
    "lines", [(), ("Authorization: Bearer tg_unknown",), ("X-Api-Key: sk-ant-x",)]
)
def test_strangers_are_turned_away_and_learn_nothing(
    lines: tuple[str, ...], gateway: LocalGateway, upstream: Upstream
) -> None:
    before = (len(upstream.book.exchanges), len(gateway.events))
    response = ask(gateway, request("/v1/messages", BODY, *lines))
    assert response.status == 403
    assert b"tidegate" not in response.raw.lower()
    assert b"acme" not in response.raw.lower()
    assert (len(upstream.book.exchanges), len(gateway.events)) == before


@pytest.mark.parametrize(
    ("agent", "path", "statuses"),
    [
        ("claude-cli/2.1.330 (external, sdk-cli)", "/v1/messages", (403, 403, 403)),
        ("codex_exec/0.169.0 (Debian)", "/v1/responses", (400, 400, 400)),
        ("opencode/1.18.33 ai-sdk", "/v1/messages", (403, 400, 400)),
        ("opencode/1.18.33 ai-sdk", "/v1/responses", (403, 400, 400)),
        ("opencode/1.18.33 ai-sdk", "/v1/chat/completions", (403, 400, 400)),
    ],
)
def test_refusals_have_the_status_that_each_agent_shows_at_once(
    agent: str, path: str, statuses: tuple[int, int, int], upstream: Upstream
) -> None:
    cases = [
        (key_record(disabled=True), ("anthropic", "openai"), "disabled"),
        (key_record(allowed_models=("other-*",)), ("anthropic", "openai"), "not allowed"),
        (key_record(), (), "credential"),
    ]
    body = {"/v1/messages": BODY, "/v1/responses": responses_body()}.get(path, chat_body())
    for (key, providers, told), status in zip(cases, statuses, strict=True):
        with LocalGateway(upstream, key=key, providers=providers) as gateway:
            response = ask(gateway, request(path, body, WITH_KEY, f"User-Agent: {agent}"))
            assert (response.status, told in response.body.decode()) == (status, True), told
            event = gateway.spool.wait(1)[0]
            assert (event.outcome, event.status, event.cost.total) == ("refused", status, 0)
