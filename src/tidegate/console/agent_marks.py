"""How agents are marked: a letter on a colour, and the name."""

from dataclasses import dataclass
from typing import Final

from tidegate.core.model import Agent

_LETTERS: Final = {Agent.CLAUDE_CODE: "C", Agent.CODEX: "X", Agent.OPENCODE: "O"}


@dataclass(frozen=True, slots=True)
class AgentMark:
    slug: str
    title: str
    letter: str


def agent_mark(agent: str) -> AgentMark:
    known = Agent(agent)
    return AgentMark(agent, known.title, _LETTERS[known])
