"""The session tools in each agent's set-up: beside the developer's own servers, or not at all."""

import json
import stat
import tomllib
from pathlib import Path

import pytest
from tests.unit.cli.agents.launching import BASE_URL, KEY, launching

from tidegate.cli.agents import AGENTS, claude_code, codex, opencode
from tidegate.cli.agents.setup import Mode

LAUNCH = "lch_0123456789abcdef0123456789"
BOTH = [Mode.ORGANIZATION, Mode.OWN]


@pytest.mark.parametrize("mode", BOTH)
def test_claude_code(tmp_path: Path, mode: Mode) -> None:
    own = '--settings={"permissions": {"allow": ["Bash(ls)"], "deny": ["Read"]}}'
    environ = {"CLAUDE_CONFIG_DIR": str(tmp_path / "claude")}
    launch = launching(tmp_path, mode=mode, mcp=True, environ=environ)
    result = claude_code.prepare(launch, [own, "--mcp-config", "mine.json", "-p", "hi"])
    ours, theirs = result.arguments[:4], result.arguments[4:]
    assert ours[0::2] == ["--mcp-config", "--settings"]  # the first one takes many values
    assert theirs == ["--mcp-config", "mine.json", "-p", "hi"]
    servers, settings = (json.loads(Path(file).read_text()) for file in ours[1::2])
    assert servers == {
        "mcpServers": {
            "tidegate": {
                "type": "http",
                "url": f"{BASE_URL}/mcp",
                "headers": {"x-tidegate-key": KEY, "x-tidegate-launch": LAUNCH},
            }
        }
    }
    assert stat.S_IMODE(Path(ours[1]).stat().st_mode) == 0o600
    assert settings["permissions"] == {"allow": ["Bash(ls)", "mcp__tidegate"], "deny": ["Read"]}


@pytest.mark.parametrize("broken", [None, "x", {"allow": "all"}])
def test_claude_codes_odd_permissions_do_no_harm(tmp_path: Path, broken: object) -> None:
    own = ["--settings", json.dumps({"permissions": broken})]
    result = claude_code.prepare(launching(tmp_path, mcp=True), own)
    settings = json.loads(Path(result.arguments[3]).read_text())
    assert settings["permissions"] == {"allow": ["mcp__tidegate"]}


@pytest.mark.parametrize("mode", BOTH)
def test_codex(tmp_path: Path, mode: Mode) -> None:
    result = codex.prepare(launching(tmp_path, mode=mode, mcp=True), ["exec", "hi"])
    assert result.arguments[-2:] == ["exec", "hi"]
    settings = tomllib.loads("\n".join(result.arguments[1:-2:2]))
    assert settings["mcp_servers"] == {
        "tidegate": {
            "url": f"{BASE_URL}/mcp",
            "bearer_token_env_var": "TIDEGATE_KEY",
            "env_http_headers": {"x-tidegate-launch": "TIDEGATE_LAUNCH_ID"},
        }
    }
    assert KEY not in " ".join(result.arguments)
    assert result.variables["TIDEGATE_KEY"] == KEY


def test_opencode(tmp_path: Path) -> None:
    mine = {"type": "local", "command": ["mine"]}
    environ = {
        "HOME": str(tmp_path / "home"),
        "OPENCODE_CONFIG_CONTENT": json.dumps({"mcp": {"mine": mine}}),
    }
    result = opencode.prepare(launching(tmp_path, mcp=True, environ=environ), ["run", "hi"])
    text = result.variables["OPENCODE_CONFIG_CONTENT"]
    assert text is not None
    assert KEY not in text
    assert json.loads(text)["mcp"] == {
        "mine": mine,
        "tidegate": {
            "type": "remote",
            "url": f"{BASE_URL}/mcp",
            "enabled": True,
            "oauth": False,
            "headers": {
                "x-tidegate-key": "{env:TIDEGATE_KEY}",
                "x-tidegate-launch": "{env:TIDEGATE_LAUNCH_ID}",
            },
        },
    }


@pytest.mark.parametrize("program", AGENTS)
def test_without(tmp_path: Path, program: str) -> None:
    result = AGENTS[program].prepare(launching(tmp_path), [])
    assert "mcp" not in " ".join(map(str, [*result.arguments, *result.variables.values()]))
    assert not (tmp_path / "private/mcp.json").exists()
