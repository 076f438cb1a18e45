"""Finding the agent: the first real program, never a shim of ours, never the working directory."""

import os
from pathlib import Path

import pytest

from tidegate.cli.errors import CommandError
from tidegate.cli.programs import agent_command, check_arguments, find_program


def program(file: Path, text: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    "shim",
    [
        '#!/bin/sh\nexec tidegate launch claude "$@"\n',
        '#!/bin/sh\nexec "/home/x/.local/bin/tidegate" launch --profile x claude "$@"\n',
        "@echo off\r\ntidegate.exe launch claude %*\r\n",
    ],
)
def test_the_first_real_program_counts(tmp_path: Path, shim: str) -> None:
    program(tmp_path / "a/claude", shim)
    program(tmp_path / "b/claude", mode=0o644)
    (tmp_path / "c/claude").mkdir(parents=True)
    real = program(tmp_path / "d/claude")
    program(tmp_path / "e/claude")
    path = os.pathsep.join(str(tmp_path / name) for name in ("none", "a", "b", "c", "d", "e"))
    assert agent_command("claude", "Claude Code", {"PATH": path}) == [str(real)]


def test_relative_folders_are_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "claude")
    monkeypatch.chdir(tmp_path)
    assert find_program("claude", {"PATH": ".::bin"}) is None


def test_usual_places_behind_path(tmp_path: Path) -> None:
    real = program(tmp_path / ".opencode/bin/opencode")
    environ = {"PATH": "/nowhere", "HOME": str(tmp_path)}
    assert agent_command("opencode", "OpenCode", environ) == [str(real)]


def test_override(tmp_path: Path) -> None:
    real = program(tmp_path / "my claude")
    environ = {"PATH": "", "TIDEGATE_CLAUDE_BIN": str(real)}
    assert agent_command("claude", "Claude Code", environ) == [str(real)]
    with pytest.raises(CommandError, match=r"TIDEGATE_CLAUDE_BIN=/nowhere is not a program"):
        agent_command("claude", "Claude Code", {"TIDEGATE_CLAUDE_BIN": "/nowhere"})
    with pytest.raises(CommandError, match="Claude Code is not installed"):
        agent_command("claude", "Claude Code", {"PATH": ""})


NPM_JS = (
    '@ECHO off\r\nIF EXIST "%dp0%\\node.exe" (\r\n  SET "_prog=%dp0%\\node.exe"\r\n)\r\n'
    'endLocal & "%_prog%"  "%dp0%\\node_modules\\@openai\\codex\\bin\\codex.js" %*\r\n'
)
NPM_EXE = '@ECHO off\r\n"%dp0%\\node_modules\\@anthropic-ai\\claude-code\\bin\\claude.exe"   %*\r\n'


def test_npm_batch_files_on_windows(tmp_path: Path) -> None:
    node = program(tmp_path / "node.exe")
    program(tmp_path / "codex.cmd", NPM_JS)
    program(tmp_path / "claude.cmd", NPM_EXE)
    program(tmp_path / "opencode.cmd", "@ECHO off\r\nsomething else\r\n")
    environ = {"PATH": f"{tmp_path};relative"}

    def command(name: str) -> list[str]:
        return agent_command(name, name, environ, windows=True)

    modules = tmp_path / "node_modules"
    assert command("codex") == [str(node), str(modules / "@openai/codex/bin/codex.js")]
    assert command("claude") == [str(modules / "@anthropic-ai/claude-code/bin/claude.exe")]
    assert command("opencode") == [str(tmp_path / "opencode.cmd")]


@pytest.mark.parametrize("argument", ['a"b', "100%", "a&b", "two\nlines", "!x!"])
def test_batch_files_are_not_given_what_they_garble(argument: str) -> None:
    check_arguments(["/bin/opencode"], [argument])
    check_arguments(["C:/opencode.cmd"], ["plain", "two words"])
    with pytest.raises(CommandError, match="cannot be given"):
        check_arguments(["C:/opencode.cmd"], [argument])
