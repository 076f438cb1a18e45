"""Sessions with compression on: real agents edit what they read, and what was sent stays sent."""

import http.client
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from tests.tool_requests import body, reading, sent
from tests.wire.agents import CLAUDE_NEW, CLAUDE_OLD, CODEX, OPENCODE
from tests.wire.answers import Answer, Content, Text, ToolCall
from tests.wire.book import Exchange, is_turn
from tests.wire.scripts import FINAL_TEXT, converse_with, next_content
from tests.wire.serving import RunningServer, enroll, start_server
from tests.wire.site import Developer, Site
from tests.wire.test_agents import Case, claude, codex, launch
from tests.wire.test_crashes import wait_until
from tests.wire.upstream import Upstream

from tidegate.core.compression.requests import place
from tidegate.core.compression.splice import elements
from tidegate.core.model import Dialect
from tidegate.services.audit import COMMAND_LINE
from tidegate.services.compression_settings import CompressionSettings
from tidegate.services.vault import derive
from tidegate.store.sql.database import open_store

pytestmark = pytest.mark.wire

LINES = [f"    level_{n} = tide.measure({n})  # at the \u201cgate\u201d\t" for n in range(1, 61)]
OLD, NEW = LINES[30], "    level_31 = tide.guess(31)"
DIALECTS = {
    "/v1/messages": Dialect.MESSAGES,
    "/v1/responses": Dialect.RESPONSES,
    "/v1/chat/completions": Dialect.CHAT,
}
CASES = [
    (claude("claude-2.1.197", CLAUDE_OLD), "lossless"),
    (claude("claude-2.1.330", CLAUDE_NEW), "references"),
    (codex("codex"), "lossless"),
    pytest.param(
        Case("opencode, messages", OPENCODE, ("-m", "anthropic/claude-sonnet-5-5")),
        "trims",
        marks=pytest.mark.soak,
    ),
    (
        Case("opencode, chat", OPENCODE, ("-m", "tidegate/gpt-5.5"), path="/v1/chat/completions"),
        "lossless",
    ),
]
_PATCH = f"*** Begin Patch\n*** Update File: tide.py\n@@\n-{OLD}\n+{NEW}\n*** End Patch"
_MARK = re.compile(rb',"cache_control":\{[^{}]*\}')
_ONE_TEXT = re.compile(rb'"content":\[\{"type":"text","text":("[^"\\]*(?:\\.[^"\\]*)*")\}\]')


def steps(case: Case, file: Path) -> list[dict[str, Any]]:
    """The calls of a session: read, read again, edit by exact match, read what came of it."""
    if case.program is CODEX:
        show = "grep -n '' tide.py /dev/null"
        commands = (show, show, f"apply_patch <<'EOF'\n{_PATCH}\nEOF", show)
        return [{"name": "exec_command", "arguments": {"cmd": command}} for command in commands]
    read: dict[str, Any]
    if case.program is OPENCODE:
        read = {"name": "read", "arguments": {"filePath": str(file)}}
        if case.path != "/v1/messages":
            patch = {"name": "apply_patch", "arguments": {"patchText": _PATCH}}
            return [read, read, patch, read]
        arguments = {"filePath": str(file), "oldString": OLD, "newString": NEW}
        return [read, read, {"name": "edit", "arguments": arguments}, read]
    read = {"name": "Read", "arguments": {"file_path": str(file)}}
    again = {"name": "Read", "arguments": {"file_path": str(file), "offset": 2}}
    arguments = {"file_path": str(file), "old_string": OLD, "new_string": NEW}
    return [read, again, {"name": "Edit", "arguments": arguments}, read]


class Session:
    """The script of one session: a call a turn, then the last word."""

    def __init__(self, calls: list[dict[str, Any]]) -> None:
        self._calls = calls

    def __call__(self, exchange: Exchange) -> Answer:
        return converse_with(exchange, self._next)

    def _next(self, exchange: Exchange) -> list[Content]:
        if not exchange.is_main:
            return next_content(exchange)
        done = len(set(re.findall(rb"call_step\d+", exchange.request.body)))
        if done == len(self._calls):
            return [Text(FINAL_TEXT)]
        call = self._calls[done]
        return [Text("On. "), ToolCall(call["name"], call["arguments"], f"call_step{done}")]


@pytest.mark.parametrize(("case", "level"), CASES, ids=lambda value: getattr(value, "name", value))
def test_an_agent_edits_what_it_read(case: Case, level: str, site: Site) -> None:
    change_organization(site.server, level)
    developer = site.hire(case.program)
    file = developer.workplace.repository / "tide.py"
    file.write_text("\n".join(LINES) + "\n")
    mark = site.mark()
    with site.script(Session(steps(case, file))):
        run = launch(developer, case)
    assert run.status == 0, run.said
    assert FINAL_TEXT in run.stdout
    assert file.read_text() == "\n".join(LINES).replace(OLD, NEW) + "\n"

    turns = [exchange.request.body for exchange in mark.exchanges if exchange.is_main]
    asked = [request.body for request, _ in mark.tapped if is_turn(request)]
    dialect = DIALECTS[case.path]
    assert len(turns) == len(asked) == 5
    assert_prefixes_stay(dialect, turns)
    assert turns[0] == asked[0]
    assert len(turns[-1]) < len(asked[-1]) - 100
    assert saved(developer, level) > 20


def saved(developer: Developer, level: str) -> int:
    """Tokens that the last turn did not send again; all turns but the first are compressed."""
    developer.key.usage()
    events = [event for event in developer.key.events() if event["compression"] == level]
    assert len(events) == 4
    assert all(event["compression_faults"] == 0 for event in events)
    return int(events[-1]["saved_tokens_again"])


def messages_of(dialect: Dialect, request: bytes) -> list[bytes]:
    """The raw messages, without the cache marks that clients move, and the lists around them."""
    span = place(request, None, dialect)
    assert span is not None
    raw = request[slice(*span)]
    unmarked = [_MARK.sub(b"", raw[start:end]) for start, end in elements(raw)]
    return [_ONE_TEXT.sub(rb'"content":\1', message) for message in unmarked]


def assert_prefixes_stay(dialect: Dialect, requests: list[bytes]) -> None:
    """What was sent once is sent again to the byte, with more after it."""
    before: list[bytes] = []
    for request in requests:
        messages = messages_of(dialect, request)
        assert messages[: len(before)] == before
        assert len(messages) > len(before)
        before = messages


def change_organization(server: RunningServer, level: str) -> None:
    """Have its new sessions compressed so."""
    store = open_store(data_dir=server.data_dir, migrate=False)
    [organization] = store.directory.snapshot().organizations
    settings = CompressionSettings(store, derive(bytes(32)))
    settings.set(organization.organization_id, level=level, actor=COMMAND_LINE)
    store.close()


MESSAGES = Dialect.MESSAGES
TURNS = [reading(number) for number in range(1, 5)]


def test_a_session_stays_as_it_began_over_workers_restarts_and_switches(tmp_path: Path) -> None:
    """New sessions go by the new settings, in all workers; those that run do not."""
    with Upstream() as upstream:
        with start_server(tmp_path, workers=2) as server:
            key = enroll(server, upstream.url)
            for count in (0, 1, 2):
                for _ in range(4):  # connections of their own, so both workers get some
                    ask(server, key, "old", body(MESSAGES, TURNS[:count]))
            change_organization(server, "references")
            server.stop()
        with start_server(tmp_path, workers=2) as server:
            for count in (2, 3, 4):
                for _ in range(4):
                    ask(server, key, "old", body(MESSAGES, TURNS[:count]))
            repeated = [TURNS[0], reading(9, str(TURNS[0].result))]
            for session in ("old", "new"):
                ask(server, key, session, body(MESSAGES, repeated))
            server.stop()
        out = [exchange.request.body for exchange in upstream.book.exchanges if exchange.metered]
    expected = [sent(MESSAGES, body(MESSAGES, TURNS[:count])) for count in (0, 1, 2, 2, 3, 4)]
    assert out[:-2] == [request for request in expected for _ in range(4)]
    assert out[-1] != out[-2]
    assert out[-2:] == [
        sent(MESSAGES, body(MESSAGES, repeated), level) for level in ("lossless", "references")
    ]


def ask(server: RunningServer, key: str, session: str, request: bytes) -> None:
    """Be answered, by a worker that may have to learn of the key first."""
    status = 0

    def answered() -> bool:
        nonlocal status
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        headers = {"x-tidegate-key": key, "x-claude-code-session-id": session}
        connection.request("POST", "/v1/messages", request, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        status = answer.status
        return status != HTTPStatus.FORBIDDEN

    wait_until(answered)
    assert status == HTTPStatus.OK
