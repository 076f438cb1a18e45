"""Real agents through `tidegate login` and `launch`: a round trip, metered to the token."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from tests.wire.agents import CLAUDE_NEW, CLAUDE_OLD, CODEX, OPENCODE, Program, Run
from tests.wire.answers import Answer
from tests.wire.bills import Bill, totals
from tests.wire.book import Exchange
from tests.wire.scripts import COMMAND_OUTPUT, FINAL_TEXT, converse
from tests.wire.site import ORGANIZATION_SECRETS, Developer, Mark, Site

pytestmark = pytest.mark.wire


@dataclass(frozen=True)
class Case:
    """One agent, speaking one dialect, paid for in one way."""

    name: str
    program: Program
    arguments: tuple[str, ...] = ()
    own: bool = False
    path: str = "/v1/messages"
    session_header: str = "x-session-id"
    host: str = ""  # where an own credential goes
    upstream_path: str = ""  # if another than `path`


def claude(name: str, program: Program, *, own: bool = False) -> Case:
    host = "api.anthropic.com" if own else ""
    return Case(name, program, own=own, host=host, session_header="x-claude-code-session-id")


def codex(name: str, *arguments: str, own: bool = False) -> Case:
    return Case(
        name,
        CODEX,
        arguments,
        own=own,
        path="/v1/responses",
        session_header="session-id",
        host="chatgpt.com" if own else "",
        upstream_path="/backend-api/codex/responses" if own else "",
    )


CASES: list[Any] = [
    claude("claude-2.1.197", CLAUDE_OLD),
    claude("claude-2.1.330", CLAUDE_NEW),
    codex("codex"),
    codex("codex, tools in the input", "-c", 'model="gpt-6.1-sol"'),
    # Twenty seconds each; the chat dialect of OpenCode stands for them in `make test`.
    pytest.param(
        Case("opencode, messages", OPENCODE, ("-m", "anthropic/claude-sonnet-5-5")),
        marks=pytest.mark.soak,
    ),
    pytest.param(
        Case("opencode, responses", OPENCODE, ("-m", "openai/gpt-5.5"), path="/v1/responses"),
        marks=pytest.mark.soak,
    ),
    Case("opencode, chat", OPENCODE, ("-m", "tidegate/gpt-5.5"), path="/v1/chat/completions"),
    claude("claude-2.1.197, own", CLAUDE_OLD, own=True),
    claude("claude-2.1.330, own", CLAUDE_NEW, own=True),
    codex("codex, own", own=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_round_trip_is_served_and_metered(case: Case, site: Site) -> None:
    developer = site.hire(case.program)
    token = log_in(developer) if case.own else ""
    asked = len(site.proxy.asked)
    mark = site.mark()

    run = launch(developer, case)

    turns = [exchange for exchange in mark.exchanges if exchange.is_main]
    check_round_trip(turns, run)
    check_bytes(mark)
    check_credential(case, mark, token)
    if case.own:
        assert set(site.proxy.asked[asked:]) <= {f"{case.host}:443"}  # or a kept connection
        assert {exchange.alpn for exchange in mark.exchanges} == {"http/1.1"}
    else:
        assert len(site.proxy.asked) == asked
    check_ledger(case, developer, mark, turns[0])
    check_attribution(case, developer, mark, turns[0])
    requests = sum(exchange.metered for exchange in mark.exchanges)
    [summary] = [line for line in run.stderr.splitlines() if line.startswith("Tidegate: ")]
    assert summary.startswith(f"Tidegate: {requests} requests, ")
    assert summary.count("$") == 1
    assert ("on your own login" in summary) is case.own


def log_in(developer: Developer) -> str:
    if developer.program is CODEX:
        return developer.workplace.log_in_to_codex()
    return developer.workplace.log_in_to_claude()


def launch(developer: Developer, case: Case) -> Run:
    *options, prompt = case.program.headless()
    mode = ("--credential", "own") if case.own else ()
    return developer.launch(*_inserted(options, case.arguments), prompt, options=mode)


def _inserted(options: list[str], more: tuple[str, ...]) -> list[str]:
    """The case's own arguments, where the agent takes them: before the last option's value."""
    if "exec" in options:
        at = options.index("exec")
        return [*options[:at], *more, *options[at:]]
    return [*options, *more]


def check_round_trip(turns: list[Exchange], run: Run) -> None:
    assert run.status == 0, run.said
    assert FINAL_TEXT in run.stdout, run.said
    assert len(turns) == 2, run.said
    assert COMMAND_OUTPUT not in turns[0].request.body.decode()
    assert COMMAND_OUTPUT in turns[1].request.body.decode()


def check_bytes(mark: Mark) -> None:
    """What the agent sent is what the upstream got, to the byte, and the other way."""
    at_agent = sorted(
        (request.body, response.status if response else 0, response.body if response else b"")
        for request, response in mark.tapped
        if request.target.startswith("/v1/")
    )
    at_upstream = sorted(
        (exchange.request.body, 200, bytes(exchange.sent_body)) for exchange in mark.exchanges
    )
    assert at_agent == at_upstream


def check_credential(case: Case, mark: Mark, token: str) -> None:
    """The right secret went to the upstream, alone, and nothing of ours did."""
    for exchange in mark.exchanges:
        raw = exchange.request.raw
        assert b"tg_" not in raw
        assert b"x-tidegate" not in raw.lower()
        secret = token or _organization_secret(exchange)
        assert raw.count(secret.encode()) == 1
        others = {token, *ORGANIZATION_SECRETS.values()} - {secret, ""}
        assert not any(other.encode() in raw for other in others)
        assert exchange.tls is case.own
        if case.own:
            assert exchange.request.header("host") == case.host
    if case.own:
        paths = {exchange.path for exchange in mark.exchanges if exchange.metered}
        assert paths == {case.upstream_path or case.path}


def _organization_secret(exchange: Exchange) -> str:
    anthropic = exchange.path.startswith("/v1/messages")
    return ORGANIZATION_SECRETS["anthropic" if anthropic else "openai"]


def check_ledger(case: Case, developer: Developer, mark: Mark, turn: Exchange) -> None:
    """The ledger equals the upstream's book to the token and the nano-dollar."""
    bills = [exchange.bill for exchange in mark.exchanges if exchange.bill is not None]
    assert len(bills) == sum(exchange.metered for exchange in mark.exchanges)
    usage = developer.key.usage()
    due = expected(bills, own=case.own)
    assert {name: usage[name] for name in due} == due
    assert usage["estimated"] == usage["price_unknown"] == 0
    assert usage["reasoning_tokens"] == sum(bill.reasoning for bill in bills)
    [session] = usage["sessions"]
    assert {name: session[name] for name in due} == due
    assert session["client_session"] == turn.request.header(case.session_header)


def expected(bills: list[Bill], *, own: bool) -> dict[str, int]:
    """Sums of the book under the ledger's names."""
    due = totals(bills)
    return {**due, "subscription_cost_nusd": due["cost_nusd"] if own else 0}


def check_attribution(case: Case, developer: Developer, mark: Mark, turn: Exchange) -> None:
    events = developer.key.events()
    launches = {event["launch_id"] for event in events}
    assert len(launches) == 1
    assert launches.pop().startswith("lch_")
    for event in events:
        assert event["repository"] == "github.com/acme/tide"
        assert event["branch"] == "feature/tide"
        assert event["commit"] == developer.workplace.commit
        assert event["agent"] == case.program.enrolled_as
        assert event["client_version"] == case.program.version
        assert event["outcome"] == "ok"
        assert event["status"] == 200
        assert event["billing"] == ("subscription" if case.own else "api")
        assert event["duration_us"] >= event["first_byte_us"] > 0
    metered = [exchange for exchange in mark.exchanges if exchange.metered]
    assert sorted(event["request_bytes"] for event in events) == sorted(
        len(exchange.request.body) for exchange in metered
    )
    assert sorted(event["response_bytes"] for event in events) == sorted(
        len(exchange.sent_body) for exchange in metered
    )


def test_the_ledger_equals_the_whole_book(site: Site) -> None:
    """Over all agents and members that this set-up has seen, whatever tests ran before."""
    developer = site.hire(CODEX)
    assert launch(developer, CASES[2]).status == 0
    usage = site.server.admin("usage")
    due = totals(site.upstream.book.bills)
    due["requests"] = usage["requests"]  # some reported nothing
    assert {name: usage[name] for name in due} == due
    for group in ("by_key", "by_session"):
        assert sum(row["cost_nusd"] for row in usage[group]) == usage["cost_nusd"]


def test_the_users_own_settings_are_left_alone_and_lose(site: Site) -> None:
    """Settings that lead elsewhere, in the files that agents read, do not move the key."""
    developer = site.hire(CLAUDE_NEW)
    elsewhere = {
        "env": {
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
            "ANTHROPIC_CUSTOM_HEADERS": "X-Team: blue",
        }
    }
    file = developer.workplace.claude_home / "settings.json"
    file.write_text(json.dumps(elsewhere))
    mark = site.mark()
    run = launch(developer, CASES[1])
    assert run.status == 0, run.said
    assert {exchange.request.header("x-team") for exchange in mark.exchanges} == {"blue"}
    assert json.loads(file.read_text()) == elsewhere


def test_a_launch_with_a_disabled_key_says_so_and_starts_nothing(site: Site) -> None:
    developer = site.hire(CLAUDE_NEW)
    site.server.admin("key", "update", developer.key.key_id, "--disable")
    site.wait_told(developer.key.secret, "is disabled")
    mark = site.mark()
    run = launch(developer, CASES[1])
    assert run.status != 0
    assert "Claude Code" in run.stderr
    assert run.stdout == ""
    assert mark.exchanges == []


def test_a_key_disabled_between_two_turns_ends_the_session_with_its_message(site: Site) -> None:
    developer = site.hire(CLAUDE_NEW)

    def disable_after_the_first(exchange: Exchange) -> Answer:
        site.server.admin("key", "update", developer.key.key_id, "--disable")
        site.wait_told(developer.key.secret, "is disabled")
        return converse(exchange)

    with site.script(disable_after_the_first):
        run = launch(developer, CASES[1])
    assert run.status == 1, run.said
    assert "This key is disabled." in run.said
    usage = developer.key.usage()
    assert usage["requests"] == 2
    assert [event["outcome"] for event in developer.key.events()] == ["ok", "refused"]
