"""Which spellings of a model's name mean the same price."""

import pytest

from tidegate.core.price_names import family, family_or_of, normal, spellings


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("gpt-5.5-2026-04-23", "gpt-5.5"),
        ("claude-opus-5-latest", "claude-opus-5"),
    ],
)
def test_a_date_or_latest_can_be_taken_off(name: str, base: str) -> None:
    assert spellings(name) == (name, base)


@pytest.mark.parametrize(
    "name",
    [
        "claude-opus-4-8",
        "claude-opus-4-8-turbo-x",
        "gpt-5.5-codex",
        "gpt-4-0613",  # a version, not a date
        "model-20251301",  # no month 13
        "model-20251001-x",
        "model20251001",
        "-latest",
        "",
    ],
)
def test_nothing_else_can(name: str) -> None:
    assert spellings(name) == (name,)


def test_normal_names() -> None:
    assert normal(" Claude-Opus-4-8[1m] ") == "claude-opus-4-8"
    assert normal("gpt-5.5") == "gpt-5.5"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("claude-x", "claude"),
        ("us.anthropic.claude-opus-9-v1:0", "claude"),
        ("gpt-9", "gpt"),
        ("openai/gpt-9-codex", "gpt"),
        ("o3-mini", "gpt"),
        ("codex-mini", "gpt"),
        ("chatgpt-4o", "gpt"),
        ("opus", ""),
        ("o3dragon", ""),
        ("gptoid", ""),
        ("qwen3-coder", ""),
        ("", ""),
    ],
)
def test_family(name: str, expected: str) -> None:
    assert family(name) == expected


def test_a_strange_name_is_of_the_family_of_its_provider() -> None:
    assert family_or_of("qwen3-coder", "anthropic") == "claude"
    assert family_or_of("qwen3-coder", "openai") == "gpt"
    assert family_or_of("gpt-9", "anthropic") == "gpt"
