"""The agents that can be launched, by the name of their program."""

from typing import Final

from tidegate.cli.agents import claude_code, codex, opencode
from tidegate.cli.agents.setup import AgentSetup

AGENTS: Final[dict[str, AgentSetup]] = {
    setup.program: setup for setup in (claude_code.SETUP, codex.SETUP, opencode.SETUP)
}
