"""Estimates against a real tokenizer: requests in the agents' form, answers cut off."""

import importlib
import json
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from tidegate.core import estimate
from tidegate.core.dialects import usage_reader
from tidegate.core.model import Dialect

REQUESTS: Final = Path(__file__).parent / "requests"
AGENTS: Final = [
    ("claude_code", Dialect.MESSAGES, "claude-opus-4-8"),
    ("codex", Dialect.RESPONSES, "gpt-5.5"),
    ("opencode", Dialect.CHAT, "gpt-5"),
]
TOLERANCE: Final = 0.25


@cache
def tokenizer() -> Any:
    with warnings.catch_warnings():  # it reads its own files by a deprecated function
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("bpe_openai").get_encoding("o200k_base")


def tokens(text: str) -> int:
    return len(tokenizer().encode_ordinary(text))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from texts(member)


def prompt_tokens(agent: str) -> int:
    """What is said in the conversation, and the tools as they are described to the model."""
    request = json.loads((REQUESTS / f"{agent}.json").read_bytes())
    tools = json.dumps(request["tools"], separators=(",", ":"), ensure_ascii=False)
    said = [request.get("system"), request.get("messages"), request.get("input")]
    return tokens(tools) + sum(tokens(text) for text in texts(said))


def delivered_tokens() -> int:
    files = (REQUESTS / "delivered.txt", REQUESTS / "delivered_arguments.txt")
    return sum(tokens(file.read_text()) for file in files)


def estimated(agent: str, dialect: Dialect, model: str) -> tuple[int, int]:
    body = (REQUESTS / f"{agent}.json").read_bytes()
    reader = usage_reader(dialect, event_stream=True)
    reader.feed((REQUESTS / f"{agent}.cut.sse").read_bytes())
    prompt = estimate.prompt_tokens(dialect, estimate.text_bytes(body), model)
    return prompt, estimate.output_tokens(reader.reported().output_bytes, model)


@pytest.mark.parametrize(("agent", "dialect", "model"), AGENTS)
def test_each_estimate_is_near_a_real_count(agent: str, dialect: Dialect, model: str) -> None:
    prompt, output = estimated(agent, dialect, model)
    assert prompt == pytest.approx(prompt_tokens(agent), rel=TOLERANCE)
    assert output == pytest.approx(delivered_tokens(), rel=TOLERANCE)


def test_the_summed_estimate_is_near_a_real_count() -> None:
    real = sum(prompt_tokens(agent) + delivered_tokens() for agent, _, _ in AGENTS)
    assert sum(sum(estimated(*agent)) for agent in AGENTS) == pytest.approx(real, rel=TOLERANCE)


@pytest.mark.parametrize(("agent", "dialect", "model"), AGENTS)
def test_delivered_text_is_measured_to_the_byte(agent: str, dialect: Dialect, model: str) -> None:
    delivered = (REQUESTS / "delivered.txt").read_bytes()
    arguments = (REQUESTS / "delivered_arguments.txt").read_bytes()
    reader = usage_reader(dialect, event_stream=True)
    reader.feed((REQUESTS / f"{agent}.cut.sse").read_bytes())
    tool_name = 0 if dialect is Dialect.RESPONSES else len("edit")
    assert reader.reported().output_bytes == len(delivered) + len(arguments) + tool_name
