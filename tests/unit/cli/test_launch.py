"""`tidegate launch`, started as a program: arguments, secrets, signals, exit code, summary."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.cli.world import AGENT_OF, KEY, USAGE_REPLY, FakeServer, Machine, error_reply

from tidegate.cli.agents import AGENTS
from tidegate.cli.agents.setup import Mode
from tidegate.cli.errors import CommandError
from tidegate.cli.launch import ask_server, child_environ, choose_mode, print_summary
from tidegate.cli.profile import AgentKey
from tidegate.cli.server_api import LaunchFacts, ServerApi
from tidegate.wiring.runtime_dir import hold

pytestmark = pytest.mark.slow

AGENT_KEY = AgentKey("key_1", KEY)
TRICKY = ["--help", "--", "--credential", "own", "", "two words", "*", "--profile=x", "-c", "$HOME"]


@pytest.fixture
def ready(machine: Machine, server: FakeServer) -> Machine:
    """A machine with all three agents, logged in."""
    for program in AGENT_OF:
        machine.install_agent(program)
    machine.log_in(server.base_url)
    return machine


@pytest.mark.parametrize("program", AGENT_OF)
def test_arguments_pass_unchanged(ready: Machine, program: str) -> None:
    outcome = ready.run("launch", "--no-summary", program, *TRICKY)
    assert outcome.returncode == 0, outcome.stderr
    assert ready.started["arguments"][-len(TRICKY) :] == TRICKY
    assert ready.started["folder"] == str(ready.folder)


@pytest.mark.parametrize("program", AGENT_OF)
def test_nothing_stays_behind_and_own_config_is_untouched(ready: Machine, program: str) -> None:
    (ready.home / ".claude").mkdir()
    (ready.home / ".claude/settings.json").write_text('{"env": {"A": "1"}}')
    (ready.folder / "opencode.json").write_text('{"model": "anthropic/x"}')
    before = ready.snapshot()
    assert ready.run("launch", program, "exit:0").returncode == 0
    assert ready.snapshot() == before
    assert list(ready.temporary.iterdir()) == []
    started = ready.started
    assert started.get("modes", [0o600, 0o700]) == [0o600, 0o700]
    assert KEY not in json.dumps(started["arguments"])
    assert KEY in json.dumps([started["environ"], started.get("settings")])


def test_what_a_killed_launch_left_is_removed_by_the_next(ready: Machine) -> None:
    left = ready.temporary / "tidegate-run-killed"
    used = ready.temporary / "tidegate-run-used"
    for folder in (left, used):
        folder.mkdir(mode=0o700)
        (folder / "settings.json").write_text("{}")
    os.close(hold(left))
    mark = hold(used)
    assert ready.run("launch", "claude", "exit:0").returncode == 0
    assert list(ready.temporary.iterdir()) == [used]
    os.close(mark)


def test_the_folder_stays_while_the_agent_lives(ready: Machine) -> None:
    """The agent reads its settings again and again, even when its launcher was killed."""
    with ready.start("launch", "claude", "await:15") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
        agent = ready.started
        assert ready.run("launch", "codex", "exit:0").returncode == 0
        assert Path(agent["settings_file"]).exists()
        os.kill(agent["pid"], signal.SIGTERM)
        assert process.stdout.read() == "got it\n"
    assert ready.run("launch", "codex", "exit:0").returncode == 0
    assert list(ready.temporary.iterdir()) == []


@pytest.mark.parametrize(("action", "code"), [("exit:7", 7), ("die:15", 143), ("die:9", 137)])
def test_exit_code_is_the_agents(ready: Machine, action: str, code: int) -> None:
    assert ready.run("launch", "claude", action).returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_sent_to_us_reach_the_agent(ready: Machine, number: signal.Signals) -> None:
    with ready.start("launch", "claude", f"await:{int(number)}") as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            assert process.stdout.readline() == "got it\n"
            assert process.wait(timeout=30) == 33
        finally:
            process.kill()  # if it missed the signal, the end of this block would wait for ever
        process.communicate()


def test_terminal_job_control(ready: Machine) -> None:
    """Each Ctrl+C counts once; the shell sees a stop, can resume, and gets the exit code."""
    terminal = Path(__file__).with_name("terminal.py")
    command = [sys.executable, "-m", "tidegate", "launch", "--no-summary", "claude", "stop"]
    outcome = subprocess.run(
        [sys.executable, str(terminal), *command],
        env=ready.environ,
        cwd=ready.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(outcome.stdout) == {"stopped": True, "code": 45}


def test_the_summary_is_on_stderr_alone(ready: Machine, server: FakeServer) -> None:
    server.answer("usage", USAGE_REPLY)
    outcome = ready.run("launch", "claude")
    assert outcome.stdout == "the agent's own output\n"
    assert outcome.stderr == "Tidegate: 3 requests, 122 k tokens, $0.84\n"
    launch_id = ready.started["settings"]["env"]["ANTHROPIC_CUSTOM_HEADERS"].split("lch_")[1]
    _, path, headers, _ = server.asked[-1]
    assert path == f"/api/launches/lch_{launch_id.splitlines()[0]}/usage"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert len(launch_id.splitlines()[0]) >= 26


@pytest.mark.parametrize(
    ("body", "status"),
    [({**USAGE_REPLY, "requests": 0}, 200), ({}, 200), (b"<html>", 200), ({}, 500), ([], 404)],
)
def test_without_traffic_or_answer_there_is_no_summary(
    server: FakeServer, capsys: pytest.CaptureFixture[str], body: object, status: int
) -> None:
    server.answer("usage", body, status)
    print_summary(ServerApi(server.base_url), AGENT_KEY, "lch_1")
    assert capsys.readouterr() == ("", "")
    print_summary(ServerApi("http://127.0.0.1:9"), AGENT_KEY, "lch_1")
    assert capsys.readouterr() == ("", "")


def test_a_developer_is_told_of_debug_mode(ready: Machine, server: FakeServer) -> None:
    server.answer("usage", USAGE_REPLY)
    server.answer_launch(debug_until="2026-11-22T14:02:00Z")
    first, last = ready.run("launch", "codex").stderr.splitlines()
    assert re.fullmatch(
        r"tidegate: Debug mode is on until 2\d Nov 2026, \d\d:\d\d: your requests .* are stored.*",
        first,
    )
    assert last.endswith("Debug mode was on: requests and answers are stored.")


def test_no_summary_asks_nothing(ready: Machine, server: FakeServer) -> None:
    server.answer("usage", USAGE_REPLY)
    ids = set()
    for _ in range(2):
        assert ready.run("launch", "--no-summary", "codex").stderr == ""
        ids.add(ready.started["environ"]["TIDEGATE_LAUNCH_ID"])
    assert server.paths == ["/api/launch", "/api/launch"]
    assert len(ids) == 2  # new per run


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, error_reply("no"), "Your key for Claude Code is not valid any more."),
        (403, error_reply("no"), "Your key for Claude Code is not valid any more."),
        (503, error_reply("The directory is away."), "was not started. The directory is away."),
        (500, b"oops", "cannot answer at the moment (status 500)"),
        (200, b"<html>", "does not answer like a Tidegate server"),
        (200, {"agent": "x"}, "does not answer like a Tidegate server"),
    ],
)
def test_a_refusing_server_ends_the_launch(
    server: FakeServer, status: int, body: object, message: str
) -> None:
    server.answer("/api/launch", body, status)
    with pytest.raises(CommandError) as raised:
        ask_server(ServerApi(server.base_url), AGENT_KEY, AGENTS["claude"])
    assert message in str(raised.value)
    assert KEY not in str(raised.value)


def test_an_unreachable_server_ends_the_launch(machine: Machine) -> None:
    machine.install_agent("claude")
    machine.log_in("http://127.0.0.1:9")  # nothing listens on the discard port
    outcome = machine.run("launch", "claude")
    assert outcome.returncode == 1
    assert "127.0.0.1:9 cannot be reached" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert not machine.record.exists()


def test_not_logged_in_not_enrolled_not_installed(machine: Machine, server: FakeServer) -> None:
    assert "You are not logged in" in machine.run("launch", "claude").stderr
    machine.log_in(server.base_url, "codex")
    assert "not enrolled for Claude Code" in machine.run("launch", "claude").stderr
    assert "there is no `codex` on PATH" in machine.run("launch", "codex").stderr
    assert "There is no agent 'vim'" in machine.run("launch", "vim").stderr
    assert server.asked == []


def facts(mode: str, *providers: str, allow_own: bool = True) -> LaunchFacts:
    return LaunchFacts("x", mode, allow_own, frozenset(providers), ())


@pytest.mark.parametrize(
    ("program", "given", "asked", "chosen"),
    [
        ("claude", facts("auto", "anthropic"), None, Mode.ORGANIZATION),
        ("claude", facts("auto", "openai"), None, Mode.OWN),
        ("codex", facts("auto", "openai"), None, Mode.ORGANIZATION),
        ("codex", facts("auto", "anthropic"), None, Mode.OWN),
        ("opencode", facts("auto", "anthropic"), None, Mode.ORGANIZATION),
        ("claude", facts("auto", "anthropic"), Mode.OWN, Mode.OWN),
        ("claude", facts("own", "anthropic"), None, Mode.OWN),
        ("claude", facts("organization", "anthropic"), None, Mode.ORGANIZATION),
    ],
)
def test_mode(program: str, given: LaunchFacts, asked: Mode | None, chosen: Mode) -> None:
    assert choose_mode(AGENTS[program], given, asked) is chosen


@pytest.mark.parametrize(
    ("program", "given", "asked", "message"),
    [
        ("claude", facts("auto"), Mode.ORGANIZATION, "no credential for anthropic"),
        ("claude", facts("organization"), None, "no credential for anthropic"),
        ("claude", facts("auto", "anthropic", allow_own=False), Mode.OWN, "not allow own logins."),
        ("claude", facts("auto", allow_own=False), None, "has no credential that Claude Code"),
        ("claude", facts("own", "anthropic"), Mode.ORGANIZATION, "set this key to the own"),
        ("codex", facts("organization", "openai"), Mode.OWN, "set this key to the organization"),
        ("opencode", facts("auto", "openai"), Mode.OWN, "OpenCode cannot use your own login"),
        ("opencode", facts("own", "openai"), None, "OpenCode cannot use your own login"),
        ("opencode", facts("auto"), None, "no credential for anthropic or openai"),
    ],
)
def test_mode_refused(program: str, given: LaunchFacts, asked: Mode | None, message: str) -> None:
    with pytest.raises(CommandError) as raised:
        choose_mode(AGENTS[program], given, asked)
    assert message in str(raised.value)


def test_child_environ() -> None:
    environ = {"A": "1", "B": "2", "SSL_CERT_FILE": "/ca.pem"}
    assert child_environ(environ, {"B": None, "C": "3"}, "https://gw.example") == {
        "A": "1",
        "C": "3",
        "SSL_CERT_FILE": "/ca.pem",
        "NODE_EXTRA_CA_CERTS": "/ca.pem",
    }
    proxied = {"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "x.example"}
    local = child_environ(proxied, {}, "http://127.0.0.1:4180")
    assert local["NO_PROXY"] == "x.example,localhost,127.0.0.1,::1"
    assert child_environ(proxied, {}, "https://gw.example") == proxied
