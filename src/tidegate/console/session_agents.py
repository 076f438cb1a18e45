"""The agents of a session: the main one, and those that it began, as a tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.console import formats
from tidegate.console.figures_view import Value, money_value, token_value
from tidegate.console.session_buckets import cost_of
from tidegate.services.session_reports import AgentSums, Lane

MOST_SHOWN: Final = 60
_MAIN: Final = "main"
_TAIL: Final = 6
_DEEPEST: Final = 4  # deeper ones are drawn as deep


@dataclass(frozen=True, slots=True)
class AgentLine:
    name: str
    depth: int
    model: str
    models: str
    requests: str
    tokens: Value
    cost: Value | None
    errors: int


def agent_names(agents: Sequence[AgentSums]) -> dict[Lane, str]:
    """What each is called, in the order of the tree."""
    counted = 0
    names = {}
    for agent, depth in _tree(agents):
        lane = Lane(agent.session_id, agent.subagent_id)
        if not depth:
            names[lane] = _MAIN
            continue
        counted += 1
        names[lane] = f"sub-agent {counted}"
    return names


def agent_lines(agents: Sequence[AgentSums], *, shows_costs: bool = True) -> list[AgentLine]:
    """The main agent first, each followed by those that it began."""
    names = agent_names(agents)
    return [
        AgentLine(
            name=names[Lane(agent.session_id, agent.subagent_id)],
            depth=min(depth, _DEEPEST),
            model=agent.models[0].model if agent.models else "",
            models=", ".join(model.model for model in agent.models),
            requests=formats.plural(sum(model.requests for model in agent.models), "request"),
            tokens=token_value(sum(model.tokens.total for model in agent.models)),
            cost=money_value(cost_of(agent.models)) if shows_costs and agent.models else None,
            errors=sum(model.errors for model in agent.models),
        )
        for agent, depth in _tree(agents)[:MOST_SHOWN]
    ]


def _tree(agents: Sequence[AgentSums]) -> list[tuple[AgentSums, int]]:
    """Depth first; an agent of which nobody knows the parent is the main one's."""
    by_lane = {Lane(each.session_id, each.subagent_id): each for each in agents}
    roots = [each for each in agents if _is_main(each)] or list(agents[:1])
    root_lanes = [Lane(each.session_id, each.subagent_id) for each in roots]
    below: dict[Lane, list[AgentSums]] = {}
    for agent in agents:
        lane = Lane(agent.session_id, agent.subagent_id)
        if lane in root_lanes:
            continue
        parent = Lane(agent.parent_session_id, agent.parent_agent_id)
        known = parent in by_lane and parent != lane
        below.setdefault(parent if known else root_lanes[0], []).append(agent)
    found: list[tuple[AgentSums, int]] = []
    seen: set[Lane] = set()
    waiting = [(each, 0) for each in reversed(roots)]
    waiting = [(each, 1) for each in _circling(agents, root_lanes, below)] + waiting
    while waiting:
        agent, depth = waiting.pop()
        lane = Lane(agent.session_id, agent.subagent_id)
        if lane in seen:
            continue
        seen.add(lane)
        found.append((agent, depth))
        children = sorted(below.get(lane, ()), key=lambda each: each.first_us, reverse=True)
        waiting += [(each, depth + 1) for each in children]
    return found


def _circling(
    agents: Sequence[AgentSums], roots: Sequence[Lane], below: "dict[Lane, list[AgentSums]]"
) -> list[AgentSums]:
    """Those that no root leads to, as their parents name each other."""
    reached, waiting = set(roots), list(roots)
    while waiting:
        for child in below.get(waiting.pop(), ()):
            lane = Lane(child.session_id, child.subagent_id)
            if lane not in reached:
                reached.add(lane)
                waiting.append(lane)
    return [a for a in agents if Lane(a.session_id, a.subagent_id) not in reached]


def _is_main(agent: AgentSums) -> bool:
    return not agent.subagent_id and not agent.parent_session_id
