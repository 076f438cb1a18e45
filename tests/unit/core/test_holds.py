"""How much is held for a request: what it cannot cost more than, or what such ones cost."""

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples

from tidegate.core.dialects import read_members
from tidegate.core.holds import _FIELDS, Hold, Priceable, bound, first_typical, size_bound, typical
from tidegate.core.model import Dialect, TokenCounts, Usage
from tidegate.core.pricing import price
from tidegate.services.price_book import compile_price_book

BOOK = compile_price_book()
NOW_US = time.time_ns() // 1000
MESSAGES, RESPONSES, CHAT = Dialect.MESSAGES, Dialect.RESPONSES, Dialect.CHAT
PROVIDER = {MESSAGES: "anthropic", RESPONSES: "openai", CHAT: "openai"}
MODEL = {MESSAGES: "claude-opus-4-8", RESPONSES: "gpt-5.5", CHAT: "gpt-5.5"}


def what(dialect: Dialect, model: str = "", table: str = "") -> Priceable:
    return Priceable(
        provider=PROVIDER[dialect],
        model=model or MODEL[dialect],
        price_table=table,
        at_us=NOW_US,
    )


def hold(dialect: Dialect, fields: dict[str, Any], raw: bytes = b"") -> Hold:
    asked = {"model": MODEL[dialect], "messages": [], **fields}
    body = raw or json.dumps(asked).encode()
    members = read_members(dialect, body)[1]
    return bound(BOOK, what(dialect, asked["model"]), dialect, body, members)


PLAIN = {dialect: hold(dialect, {}).amount_nusd for dialect in (MESSAGES, RESPONSES, CHAT)}


def test_what_is_asked_for_is_held() -> None:
    less = hold(MESSAGES, {"max_tokens": 10}).amount_nusd
    more = hold(MESSAGES, {"max_tokens": 10_010}).amount_nusd
    # 50 USD a million in fast mode, 1.1 times that in the US
    assert more - less == pytest.approx(10_000 * 55_000, rel=0.01)
    assert 0 < less < more < PLAIN[MESSAGES]


@pytest.mark.parametrize("nonsense", [None, -1, 0, 1.5, "9", True, [], 10**12, 10**400])
def test_nonsense_asks_for_the_longest_answer(nonsense: Any) -> None:
    held = hold(MESSAGES, {"max_tokens": nonsense}).amount_nusd
    assert held >= PLAIN[MESSAGES] * 99 // 100


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        (MESSAGES, {"tools": [{"type": "web_search_20250305", "max_uses": -1}]}),
        (MESSAGES, {"tools": [{"type": "web_search_20250305", "max_uses": "3"}]}),
        (MESSAGES, {"tools": [{"type": "code_execution_20250825"}]}),
        (MESSAGES, {"tools": [{"type": "some_later_tool_20290101", "max_uses": 1}]}),
        (MESSAGES, {"tools": "web_search"}),
        (MESSAGES, {"mcp_servers": [{"type": "url", "url": "https://m.example"}]}),
        (RESPONSES, {"tools": [{"type": "web_search"}]}),
        (RESPONSES, {"tools": [{"type": "web_search"}], "max_tool_calls": -1}),
        (RESPONSES, {"tools": [{"type": "web_search"}], "max_tool_calls": 10**9}),
        (RESPONSES, {"tools": [{"type": "code_interpreter"}], "max_tool_calls": 2}),
        (RESPONSES, {"tools": [{"type": "function"}, {"type": "mcp"}]}),
        (RESPONSES, {"input": [{"type": "additional_tools", "tools": [{"type": "web_search"}]}]}),
        (RESPONSES, {"background": True}),
        (CHAT, {"web_search_options": {"search_context_size": "low"}}),
        (MESSAGES, {"model": "claude-of-nobodys"}),
    ],
)
def test_what_has_no_bound(dialect: Dialect, fields: dict[str, Any]) -> None:
    found = hold(dialect, fields)
    assert found.amount_nusd == 0
    assert found.problem


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (MESSAGES, {"tools": [{"name": "web_search", "input_schema": {}}]}),
        (MESSAGES, {"tools": [{"type": "custom", "name": "a"}, {"type": "bash_20250124"}]}),
        (MESSAGES, {"messages": [{"role": "user", "content": '{"type": "web_search"}'}]}),
        (MESSAGES, {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}),
        (MESSAGES, {"context_management": "?"}),
        (RESPONSES, {"tools": [{"type": "function", "name": "x"}, {"type": "tool_search"}]}),
        (RESPONSES, {"input": [{"type": "web_search_call"}], "background": False}),
        (CHAT, {"tools": [{"type": "function", "function": {"name": "web_search"}}]}),
    ],
)
def test_what_only_looks_like_it(dialect: Dialect, fields: dict[str, Any]) -> None:
    assert hold(dialect, fields).problem == ""


@pytest.mark.parametrize(
    ("dialect", "fields", "times"),
    [
        (CHAT, {"n": 5}, 4.9),
        (CHAT, {"n": -5}, 100),
        (MESSAGES, {"tools": [{"type": "web_search_20250305", "max_uses": 4}]}, 4.9),
        (MESSAGES, {"messages": [{"content": [{"type": "document"}]}]}, 2),
        (MESSAGES, {"messages": [{"content": [{"type": "image", "source": {"type": "url"}}]}]}, 2),
        (RESPONSES, {"tools": [{"type": "web_search"}], "max_tool_calls": 4}, 4.9),
        (MESSAGES, {"context_management": {"edits": [{"type": "compact_20260112"}]}}, 1.9),
        (RESPONSES, {"context_management": [{"type": "compaction"}]}, 1.9),
        (RESPONSES, {"previous_response_id": "resp_1"}, 2),
        (RESPONSES, {"input": [{"type": "item_reference", "id": "x"}]}, 2),
        (CHAT, {"messages": [{"content": [{"type": "image_url", "image_url": {}}]}]}, 1.05),
    ],
)
def test_what_costs_more_than_its_bytes(
    dialect: Dialect, fields: dict[str, Any], times: float
) -> None:
    assert hold(dialect, fields).amount_nusd > PLAIN[dialect] * times


def test_a_name_in_other_letters_is_the_same_name() -> None:
    raw = b'{"model":"claude-opus-4-8","messages":[{"content":[{"ty\\u0070e":"docu\\u006dent"}]}]}'
    assert hold(MESSAGES, {}, raw).amount_nusd > PLAIN[MESSAGES] * 2


def test_a_body_that_only_python_reads_is_bounded_too() -> None:
    raw = b'{"model":"claude-opus-4-8","messages":["\\ud800"],"max_tokens":5}'
    assert 0 < hold(MESSAGES, {}, raw).amount_nusd < PLAIN[MESSAGES]


def test_the_typical_amount_is_the_99th_percentile_of_the_last_200() -> None:
    assert typical([]) == 0
    assert typical([7]) == 7
    assert typical(list(range(1, 101))) == 99
    assert typical([10**9] * 50 + [1] * 198 + [5, 9]) == 1
    assert typical([1] * 197 + [5, 6, 7]) == 5


def test_the_first_typical_amount_expects_an_answer_of_4000_tokens() -> None:
    asked = what(MESSAGES)
    assert first_typical(BOOK, asked, 500, 64_000) == first_typical(BOOK, asked, 500, None)
    assert first_typical(BOOK, asked, 500, 10) < first_typical(BOOK, asked, 500, None)
    assert first_typical(BOOK, asked, 500, 10) == size_bound(BOOK, asked, 500, 10)
    assert first_typical(BOOK, what(MESSAGES, "claude-of-nobodys"), 500, 10) > 0
    assert size_bound(BOOK, what(MESSAGES, "claude-of-nobodys"), 500, 10) == 0


MODELS = [
    (MESSAGES, name)
    for name in ("claude-opus-4-8", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-6")
] + [
    (dialect, name)
    for dialect in (RESPONSES, CHAT)
    for name in ("gpt-5.5", "gpt-5.4-mini", "gpt-4o", "gpt-6-luna")
]


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(data=st.data())
def test_no_answer_within_its_limits_costs_more_than_the_bound(data: Any) -> None:
    dialect, model = data.draw(st.sampled_from(MODELS))
    max_tokens = data.draw(st.integers(1, 64_000))
    size = data.draw(st.sampled_from((1, 1_000, 190_000, 300_000)))
    field = {MESSAGES: "max_tokens", RESPONSES: "max_output_tokens", CHAT: "max_tokens"}[dialect]
    body = json.dumps({"model": model, field: max_tokens, "messages": ["a" * size]}).encode()
    members = read_members(dialect, body)[1]
    asked = msgspec.structs.replace(
        what(dialect, model), at_us=NOW_US + data.draw(st.integers(0, 86_400_000_000))
    )
    found = bound(BOOK, asked, dialect, body, members)
    assert not found.problem
    written = data.draw(st.integers(0, len(body)))
    read = data.draw(st.integers(0, len(body) - written))
    tokens = TokenCounts(
        input=len(body) - written - read,
        cache_write_1h=written,
        cache_read=read,
        output=data.draw(st.integers(0, max_tokens)),
    )
    usage = Usage(
        tokens=tokens,
        service_tier=data.draw(st.sampled_from(("", "priority", "flex", "batch", "other", "fast"))),
        speed=data.draw(st.sampled_from(("", "fast"))),
        region=data.draw(st.sampled_from(("", "us", "global"))),
    )
    priced = price(BOOK, provider=PROVIDER[dialect], model=model, usage=usage, at_us=asked.at_us)
    assert priced.cost.total <= found.amount_nusd
    assert priced.cost.total <= size_bound(BOOK, asked, len(body), max_tokens)


def test_it_says_how_to_turn_off_what_has_no_bound() -> None:
    searching = hold(RESPONSES, {"tools": [{"type": "web_search"}]}).problem
    assert searching.endswith('in your agent (Codex: web_search = "disabled" in its config.toml)')
    running = hold(MESSAGES, {"tools": [{"type": "code_execution_20250825"}]}).problem
    assert running.endswith("in your agent")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**20) | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("type", "edits", "max_uses", "name")), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(
    dialect=st.sampled_from((MESSAGES, RESPONSES, CHAT)),
    fields=st.dictionaries(st.sampled_from((*_FIELDS, "tools")), JSON, max_size=3),
)
def test_every_body_has_a_bound_or_a_problem(dialect: Dialect, fields: dict[str, Any]) -> None:
    found = hold(dialect, fields)
    assert bool(found.problem) != bool(found.amount_nusd)
