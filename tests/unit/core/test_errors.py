"""The error table: what each agent is told so that a permanent fault is shown once."""

import json

import pytest

from tidegate.core import errors
from tidegate.core.errors import Failure, render
from tidegate.core.model import Agent, Dialect

KEY = errors.unknown_key()
PERMISSION = errors.model_not_allowed("m")
REQUEST = errors.malformed_body("it is no JSON")
SIZE = errors.body_too_large(32 << 20)
RETRY = errors.upstream_unreachable("h")


@pytest.mark.parametrize(
    ("failure", "dialect", "agent", "status"),
    [
        (KEY, Dialect.MESSAGES, Agent.CLAUDE_CODE, 403),
        (PERMISSION, Dialect.MESSAGES, Agent.CLAUDE_CODE, 403),
        (REQUEST, Dialect.MESSAGES, Agent.CLAUDE_CODE, 400),
        (SIZE, Dialect.MESSAGES, Agent.CLAUDE_CODE, 413),
        (KEY, Dialect.RESPONSES, Agent.CODEX, 400),
        (PERMISSION, Dialect.RESPONSES, Agent.CODEX, 400),
        (SIZE, Dialect.RESPONSES, Agent.CODEX, 400),
        (KEY, Dialect.CHAT, Agent.OPENCODE, 403),
        (KEY, Dialect.MESSAGES, Agent.OPENCODE, 403),
        (KEY, Dialect.RESPONSES, Agent.OPENCODE, 403),
        (PERMISSION, Dialect.RESPONSES, Agent.OPENCODE, 400),
        (KEY, Dialect.MESSAGES, None, 403),
        (KEY, Dialect.RESPONSES, None, 400),
        (KEY, Dialect.CHAT, None, 403),
        (RETRY, Dialect.MESSAGES, Agent.CLAUDE_CODE, 502),
        (RETRY, Dialect.RESPONSES, Agent.CODEX, 502),
        (errors.upstream_timeout("h"), Dialect.CHAT, Agent.OPENCODE, 504),
        (errors.directory_stale(), Dialect.CHAT, None, 503),
    ],
)
def test_status(failure: Failure, dialect: Dialect, agent: Agent | None, status: int) -> None:
    reply = render(failure, dialect, agent)
    assert reply.status == status
    assert failure.message in (reply.body.decode() if reply.status == 400 else _message(reply.body))


def _message(body: bytes) -> str:
    found = json.loads(body)["error"]["message"]
    assert isinstance(found, str)
    return found


def test_codex_prints_a_plain_sentence() -> None:
    reply = render(KEY, Dialect.RESPONSES, Agent.CODEX)
    assert reply.body.decode() == KEY.message
    assert reply.content_type.startswith(b"text/plain")


def test_an_sdk_gets_the_dialects_envelope() -> None:
    assert json.loads(render(KEY, Dialect.RESPONSES, None).body)["error"]["code"] == "unknown_key"
    body = json.loads(render(KEY, Dialect.MESSAGES, None, "req_1").body)
    assert body["type"] == "error"
    assert body["error"]["type"] == "permission_error"
    assert body["request_id"] == "req_1"


def test_permanent_faults_ask_not_to_be_retried_and_transient_ones_do_not() -> None:
    assert (b"x-should-retry", b"false") in render(KEY, Dialect.MESSAGES, None).headers
    assert not render(RETRY, Dialect.MESSAGES, None).headers


def test_a_stranger_learns_nothing_about_the_product() -> None:
    for dialect in Dialect:
        for agent in (None, *Agent):
            assert b"tidegate" not in render(KEY, dialect, agent).body.lower()


def test_a_malformed_body_is_told_in_one_sentence() -> None:
    said = errors.malformed_body("The request body must be a JSON object.").message
    assert said == "The request body must be a JSON object."
    said = errors.malformed_body('"stream" must be true or false.').message
    assert said == 'The request body: "stream" must be true or false.'
