"""What a session worked on, told by real agents in a real repository: by tools, and without."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.wire.agents import CLAUDE_NEW, CLAUDE_OLD, OPENCODE, Workplace
from tests.wire.answers import Answer, Content, Text, ToolCall
from tests.wire.book import Exchange
from tests.wire.scripts import FINAL_TEXT, TITLE_TEXT, converse_with
from tests.wire.site import Developer, Site
from tests.wire.test_agents import Case, claude, codex, launch, log_in

from tidegate.core.attribution import TimedLink
from tidegate.store.sessions import SessionRow
from tidegate.store.sql.database import open_store

pytestmark = pytest.mark.wire

NAME = "Mend the tide"
COMMANDS = (
    "git switch -c mend/tide",
    "git -c user.name=Dev -c user.email=dev@acme.example commit --allow-empty -m 'Mend the tide'",
    "gh pr create --title 'Mend the tide' --body ''",
)
PULL_REQUEST = "github.com/acme/tide#12"
GH = "#!/bin/sh\necho 'Creating pull request for mend/tide into main in acme/tide' >&2\necho\n"
GH += "echo https://github.com/acme/tide/pull/12\n"


@dataclass(frozen=True)
class Words:
    """How an agent's model calls a tool of MCP, and the shell."""

    tool: str
    shell: str
    namespace: str = ""
    argument: str = "command"

    def calls(self) -> Iterator[ToolCall]:
        name = {"name": NAME}
        yield ToolCall(self.tool.format("tidegate"), name, "call_name", self.namespace)
        for number, command in enumerate(COMMANDS):
            described = {} if self.argument == "cmd" else {"description": "Do it"}
            yield ToolCall(self.shell, {self.argument: command, **described}, f"call_{number}")


CLAUDES = Words("mcp__{}__setSessionName", "Bash")
CODEXS = Words("setSessionName", "exec_command", namespace="mcp__tidegate", argument="cmd")
OPENCODES = Words("{}_setSessionName", "bash")
CASES = [
    (claude("claude-2.1.330", CLAUDE_NEW), CLAUDES),
    (claude("claude-2.1.197, own", CLAUDE_OLD, own=True), CLAUDES),
    (codex("codex", "-c", 'model="gpt-5"'), CODEXS),
    (Case("opencode, chat", OPENCODE, ("-m", "tidegate/gpt-5.5")), OPENCODES),
]


@pytest.mark.parametrize(("case", "words"), CASES, ids=lambda value: getattr(value, "name", ""))
def test_a_session_tells_what_it_worked_on(case: Case, words: Words, site: Site) -> None:
    """Named by the model; repository from the launch; branch, commit and PR from the shell."""
    developer = site.hire(case.program)
    if case.own:
        log_in(developer)
    begun = developer.workplace.commit
    install_gh(developer.workplace)
    configure_another_server(developer.workplace, f"{site.tap.url}/mcp", developer.key.secret)
    calls = list(words.calls())

    def contents(exchange: Exchange) -> list[Content]:
        if not exchange.is_main:
            return [Text(TITLE_TEXT)]
        return (
            [calls[done]]
            if (done := results(exchange.payload)) < len(calls)
            else [Text(FINAL_TEXT)]
        )

    def script(exchange: Exchange) -> Answer:
        return converse_with(exchange, contents)

    mark = site.mark()
    with site.script(script):
        run = launch(developer, case)

    assert run.status == 0, run.said
    assert FINAL_TEXT in run.stdout, run.said
    turns = [exchange for exchange in mark.exchanges if exchange.is_main]
    last = turns[-1].request.body.decode()
    assert f"The session is called “{NAME}” now." in last.replace("\\u201c", "“").replace(
        "\\u201d", "”"
    ), last[-3_000:]
    offered = turns[0].request.body.decode()
    for server in ("tidegate", "mine"):  # the developer's own is not lost
        assert words.tool.format(server) in offered if "{}" in words.tool else server in offered
    made = developer.workplace.commit
    assert made != begun

    row, links = told(developer)
    assert (row.name, row.name_method) == (NAME, "mcp")
    assert (row.repository, row.branch) == ("github.com/acme/tide", "mend/tide")
    assert row.pull_requests == (PULL_REQUEST,)
    found = {(link.kind, link.value, link.method) for link in links}
    assert ("repository", "github.com/acme/tide", "launch") in found
    assert ("branch", "feature/tide", "launch") in found
    assert ("branch", "mend/tide", "tool") in found
    assert ("pull_request", PULL_REQUEST, "tool") in found
    commits = {link.value for link in links if (link.kind, link.method) == ("commit", "tool")}
    assert commits
    assert all(made.startswith(commit) for commit in commits)
    for event in developer.key.events():
        assert (event["repository"], event["pull_request"]) == ("github.com/acme/tide", "12")


def test_without_the_tools(site: Site) -> None:
    """An organization or an environment may do without them."""
    developer = site.hire(CLAUDE_NEW)
    case = CASES[0][0]
    site.server.admin("organization", "update", "--no-session-tools")
    try:
        assert silent(site, developer, case)
    finally:
        site.server.admin("organization", "update", "--session-tools")
    assert silent(site, developer, case, "off")


def install_gh(workplace: Workplace) -> None:
    """A `gh` that opens the same pull request each time, also in Codex's login shells."""
    gh = workplace.bin / "gh"
    gh.write_text(GH)
    gh.chmod(0o755)
    (workplace.home / ".profile").write_text(f'PATH="{workplace.bin}:$PATH"\n')


def silent(site: Site, developer: Developer, case: Case, switch: str = "") -> bool:
    """Whether a launch offers its model no tools of ours, and asks us for none."""
    mark = site.mark()
    run = developer.launch(*case.program.headless(), TIDEGATE_MCP=switch)
    assert run.status == 0, run.said
    turns = [exchange for exchange in mark.exchanges if exchange.is_main]
    asked = [
        request.target
        for connection in site.tap.connections[mark.connection_count :]
        for request, _ in connection.exchanges()
    ]
    return "/mcp" not in asked and not any(
        "mcp__tidegate" in turn.request.body.decode() for turn in turns
    )


def results(payload: dict[str, Any]) -> int:
    """How many results of tools a conversation has, in any dialect."""
    items = payload.get("input") or []
    found = sum(str(item.get("type", "")).endswith("_call_output") for item in items)
    for message in payload.get("messages") or []:
        blocks = message["content"] if isinstance(message.get("content"), list) else []
        found += message.get("role") == "tool"
        found += sum(block.get("type") == "tool_result" for block in blocks)
    return found


def configure_another_server(workplace: Workplace, url: str, key: str) -> None:
    """A server of the developer's own, in the files of every agent."""
    headers = {"x-tidegate-key": key}
    mine = {"type": "http", "url": url, "headers": headers}
    (workplace.claude_home / ".claude.json").write_text(json.dumps({"mcpServers": {"mine": mine}}))
    (workplace.codex_home / "config.toml").write_text(
        f'[mcp_servers.mine]\nurl = "{url}"\nhttp_headers = {{ "x-tidegate-key" = "{key}" }}\n'
    )
    folder = workplace.home / ".config/opencode"
    folder.mkdir(parents=True, exist_ok=True)
    remote = {"type": "remote", "url": url, "enabled": True, "oauth": False, "headers": headers}
    (folder / "opencode.json").write_text(json.dumps({"mcp": {"mine": remote}}))


def told(developer: Developer) -> tuple[SessionRow, list[TimedLink]]:
    """The key's one session, and all that is known of it."""
    [session] = developer.key.usage()["sessions"]
    event = developer.key.events()[0]
    store = open_store(data_dir=developer.key.site.server.data_dir)
    try:
        row = store.usage.sessions.one(event["organization_id"], session["session_id"])
        assert row is not None
        return row, store.usage.links.of(event["organization_id"], row.session_id)
    finally:
        store.close()
