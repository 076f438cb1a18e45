"""What is measured: how large a request is, what comes back, on how many connections."""

import json
import random
from typing import Any, Final, NamedTuple

# fmt: off
_WORDS: Final = (
    "def", "return", "import", "self", "async", "await", "result", "value", "index",
    "path", "file", "error", "line", "test", "assert", "None", "True", "config",
    "request", "response", "tokens", "stream", "buffer", "the", "a", "of", "to",
    "in", "and", "function", "class", "module",
)
# fmt: on
_TOOLS: Final = 20
_TURNS: Final = 30


class Workload(NamedTuple):
    """One kind of traffic. Without `events` the reply is one JSON body of about 1 KB."""

    name: str
    title: str
    request_bytes: int
    events: int
    rate: int  # events a second on each stream; 0: the upstream writes all at once
    connections: int  # of the phase whose CPU time counts
    least: int  # requests of that phase

    @property
    def model(self) -> str:
        """By this name the mock upstream knows what to answer; gateways keep it."""
        return f"bench-e{self.events}-r{self.rate}"

    @property
    def stream_s(self) -> float:
        """How long the upstream takes over one paced answer."""
        return self.events / self.rate if self.rate else 0.0


WORKLOADS: Final = (
    Workload("A", "1 KB request, 1 KB JSON reply", 1_000, 0, 0, 16, 160),
    Workload("B", "150 KB agent turn, 300 events in one write", 150_000, 300, 0, 8, 40),
    Workload("BP", "150 KB agent turn, 300 events at 100/s, 32 streams", 150_000, 300, 100, 32, 32),
    Workload("C", "1 MB agent turn, 1,000 events in one write", 1_000_000, 1000, 0, 4, 16),
    Workload("D", "200 open streams at 20 events/s, for 10 s", 30_000, 206, 20, 200, 200),
)


def shortened(workload: Workload) -> Workload:
    """The same with paced answers that end after three seconds at most."""
    if workload.stream_s <= 3:
        return workload
    return workload._replace(
        events=3 * workload.rate, title=workload.title.replace("10 s", "3 s (short form)")
    )


def request_body(workload: Workload) -> bytes:
    """A Messages request as a coding agent sends it: compact JSON, the model first."""
    text = _Text(random.Random(7))
    if workload.request_bytes < 5_000:
        return _json(_small_request(workload, text))
    return _json(_agent_turn(workload, text))


def _small_request(workload: Workload, text: "_Text") -> dict[str, Any]:
    return {
        "model": workload.model,
        "max_tokens": 1024,
        "stream": False,
        "metadata": {"user_id": "user_bench_account__session_0001"},
        "messages": [{"role": "user", "content": text.of(workload.request_bytes - 170)}],
    }


def _agent_turn(workload: Workload, text: "_Text") -> dict[str, Any]:
    """System prompt, tools, and turns of tool calls with their results, to the wanted size."""
    size = workload.request_bytes
    request: dict[str, Any] = {
        "model": workload.model,
        "max_tokens": 32_000,
        "stream": True,
        "metadata": {"user_id": "user_bench_account__session_0001"},
        "system": [
            {"type": "text", "text": text.of(size // 12), "cache_control": {"type": "ephemeral"}}
        ],
        "tools": [_tool(number, text, min(700, size // 100)) for number in range(_TOOLS)],
        "messages": [{"role": "user", "content": text.of(200)}],
    }
    result_bytes = max(100, (size - len(_json(request))) // _TURNS - 330)
    for number in range(_TURNS):
        request["messages"] += _turn(number, text, result_bytes)
    return request


def _tool(number: int, text: "_Text", description_bytes: int) -> dict[str, Any]:
    properties = {
        name: {"type": "string", "description": text.of(60)}
        for name in ("path", "pattern", "limit")
    }
    return {
        "name": f"tool_{number}",
        "description": text.of(description_bytes),
        "input_schema": {"type": "object", "properties": properties, "required": ["path"]},
    }


def _turn(number: int, text: "_Text", result_bytes: int) -> list[dict[str, Any]]:
    call = f"toolu_{number:05d}"
    path = {"path": f"src/app/m{number}.py"}
    use = {"type": "tool_use", "id": call, "name": f"tool_{number % _TOOLS}", "input": path}
    result = [{"type": "text", "text": text.of(result_bytes)}]
    return [
        {"role": "assistant", "content": [{"type": "text", "text": text.of(80)}, use]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call, "content": result}],
        },
    ]


class _Text:
    """Words and code-like tokens, the same on every run."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def of(self, size: int) -> str:
        """Text that takes about `size` bytes as JSON."""
        words, length = [], 0
        while length < size:
            word = self._chance.choice(_WORDS)
            kind = self._chance.random()
            if kind < 0.12:
                word += "\n    "
            elif kind < 0.2:
                word = f'"{word}"'
            words.append(word)
            length += len(_json(word)) - 1
        return " ".join(words)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
