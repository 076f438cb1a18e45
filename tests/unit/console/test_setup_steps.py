"""What a developer is told to type."""

import shlex

import pytest

from tidegate.console.setup_steps import setup_steps
from tidegate.core.model import Agent

URL = "https://tidegate.example/"
COMMANDS = {Agent.CLAUDE_CODE: "claude", Agent.CODEX: "codex", Agent.OPENCODE: "opencode"}


@pytest.mark.parametrize("agent", list(Agent))
def test_the_steps_are_commands_that_a_shell_takes(agent: Agent) -> None:
    steps = setup_steps(URL, agent, "ABCD-EFGH", "23 Nov 2026, 12:00")
    assert shlex.split(steps.login) == [
        "tidegate",
        "login",
        "https://tidegate.example",
        "ABCD-EFGH",
    ]
    assert shlex.split(steps.launch) == ["tidegate", "launch", COMMANDS[agent]]
    assert steps.install == "curl -fsSL https://tidegate.example/install/install.sh | sh"
    assert steps.install_windows == "irm https://tidegate.example/install/install.ps1 | iex"


def test_the_instructions_are_plain_text_with_every_command() -> None:
    steps = setup_steps(URL, Agent.CODEX, "ABCD-EFGH", "23 Nov 2026, 12:00")
    for command in (steps.install, steps.install_windows, steps.login, steps.launch):
        assert command in steps.text
    assert steps.text.startswith("Set up Codex with Tidegate\n")
    assert "once, until 23 Nov 2026, 12:00" in steps.text
    assert "<" not in steps.text
    assert steps.text.isascii()


def test_without_a_code_there_is_nothing_to_send() -> None:
    steps = setup_steps(URL, Agent.CODEX)
    assert (steps.login, steps.text) == ("", "")
    assert steps.launch == "tidegate launch codex"
