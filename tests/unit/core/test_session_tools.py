"""Calls of our tools are known by name and arguments, however an agent writes them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples

from tidegate.core.session_tools import NEEDLES, TOOLS, digest, tool_of


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("before", ["", "mcp__tidegate__", "mcp__our-gateway__", "tidegate_"])
def test_names(tool: str, before: str) -> None:
    assert tool_of(before + tool) == tool
    assert any(needle in tool.encode() for needle in NEEDLES)


@pytest.mark.parametrize(
    "name", ["", "Bash", "setSessionNames", "resetSessionName", "setsessionname"]
)
def test_other_tools(name: str) -> None:
    assert tool_of(name) == ""


@pytest.mark.parametrize(
    "same",
    [
        {"pullRequest": 12, "repository": "acme/app"},
        {"repository": "acme/app", "pullRequest": "12"},
        {"repository": " acme/app\n", "pullRequest": 12.0},
        {"repository": "acme/app", "pullRequest": 12, "sessionId": "abc"},
        {"repository": "acme/app", "pullRequest": 12, "title": None},
    ],
)
def test_the_same_arguments(same: dict[str, object]) -> None:
    assert digest(same) == digest({"repository": "acme/app", "pullRequest": 12})


def test_other_arguments() -> None:
    assert len({digest({}), digest({"name": "a"}), digest({"name": "b"}), digest({"n": "a"})}) == 4


_ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=examples(100))
@given(st.dictionaries(st.text(), _ODD, max_size=4))
def test_odd_arguments_have_a_digest(arguments: dict[str, object]) -> None:
    assert len(digest(arguments)) == 32
