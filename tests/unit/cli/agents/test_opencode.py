"""OpenCode's config content: providers of the organization, models, and what the developer has."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.agents.launching import BASE_URL, KEY, launching

from tidegate.cli.agents.opencode import prepare
from tidegate.cli.errors import CommandError

BOTH = frozenset({"anthropic", "openai"})


def content(
    root: Path,
    *words: str,
    providers: frozenset[str] = BOTH,
    environ: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    given, arguments = {"HOME": str(root / "home"), **(environ or {})}, ["run", *words, "hi"]
    result = prepare(launching(root, providers=providers, environ=given), arguments)
    assert result.arguments == arguments
    assert result.variables["TIDEGATE_KEY"] == KEY
    assert result.variables["OPENCODE_DISABLE_DEFAULT_PLUGINS"] == "true"
    text = result.variables["OPENCODE_CONFIG_CONTENT"]
    assert text is not None
    assert KEY not in text
    return json.loads(text), result.notes


@pytest.mark.parametrize(
    ("there", "offered", "small"),
    [
        (BOTH, ["anthropic", "openai", "tidegate"], "anthropic/claude-haiku-4-5"),
        (frozenset({"anthropic"}), ["anthropic"], "anthropic/claude-haiku-4-5"),
        (frozenset({"openai"}), ["openai", "tidegate"], "openai/gpt-5-mini"),
    ],
)
def test_providers(tmp_path: Path, there: frozenset[str], offered: list[str], small: str) -> None:
    config, notes = content(tmp_path, providers=there)
    assert list(config["provider"]) == offered
    assert config["enabled_providers"] == offered
    assert config["disabled_providers"] == []
    assert config["small_model"] == small
    assert "model" not in config
    assert notes == ()


def test_options_and_models(tmp_path: Path) -> None:
    config, _ = content(tmp_path)
    options = {
        "baseURL": f"{BASE_URL}/v1",
        "apiKey": "{env:TIDEGATE_KEY}",
        "headers": {
            "x-tidegate-launch": "{env:TIDEGATE_LAUNCH_ID}",
            "x-tidegate-repository": "{env:TIDEGATE_REPOSITORY}",
            "x-tidegate-branch": "{env:TIDEGATE_BRANCH}",
            "x-tidegate-commit": "{env:TIDEGATE_COMMIT}",
        },
    }
    assert [entry["options"] for entry in config["provider"].values()] == [options] * 3
    assert config["provider"]["anthropic"]["models"]["claude-sonnet-4-5"] == {
        "name": "Claude-Sonnet-4-5",
        "limit": {"context": 200_000, "output": 64_000},
        "cost": {"input": 3.0, "output": 15.0, "cache_read": 0.3},
    }
    chat = config["provider"]["tidegate"]
    assert chat["npm"] == "@ai-sdk/openai-compatible"
    assert list(chat["models"]) == ["gpt-5.5", "gpt-5-mini"]


def test_own_content_is_kept_below_ours(tmp_path: Path) -> None:
    own = """{
        // comments and trailing commas are allowed here
        "theme": "x", "enabled_providers": ["other"], "small_model": "other/x",
        "provider": {
            "anthropic": {"options": {"baseURL": "https://elsewhere.example", "timeout": 5}},
            "other": {"npm": "y"},
        },
    }"""
    config, _ = content(tmp_path, environ={"OPENCODE_CONFIG_CONTENT": own})
    assert config["theme"] == "x"
    assert config["provider"]["other"] == {"npm": "y"}
    assert config["provider"]["anthropic"]["options"]["timeout"] == 5
    assert config["provider"]["anthropic"]["options"]["baseURL"] == f"{BASE_URL}/v1"
    assert config["enabled_providers"] == ["anthropic", "openai", "tidegate"]
    assert config["small_model"] == "anthropic/claude-haiku-4-5"


@pytest.mark.parametrize("broken", ["[1]", "{", "x"])
def test_own_content_that_is_none_is_refused(tmp_path: Path, broken: str) -> None:
    with pytest.raises(CommandError, match="is not a JSON object"):
        content(tmp_path, environ={"OPENCODE_CONFIG_CONTENT": broken})


@pytest.mark.parametrize(
    "place",
    [
        "home/.config/opencode/opencode.json",
        "home/.config/opencode/opencode.jsonc",
        "work/opencode.json",
        "work/.opencode/opencode.json",
        "opencode.json",  # above the working directory, in the same repository
        "named.json",
    ],
)
@pytest.mark.parametrize(
    ("configured", "chosen"),
    [("anthropic/claude-x", None), ("elsewhere/x", "anthropic/claude-sonnet-4-5")],
)
def test_a_configured_model_is_kept_if_it_is_ours(
    tmp_path: Path, place: str, configured: str, chosen: str | None
) -> None:
    (tmp_path / ".git").mkdir()
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"model": configured}))
    environ = {"OPENCODE_CONFIG": str(file)} if place == "named.json" else {}
    config, notes = content(tmp_path, environ=environ)
    assert config.get("model") == chosen
    assert [note.split()[0] for note in notes] == ([configured] if chosen else [])


@pytest.mark.parametrize(
    ("words", "configured", "small"),
    [
        ((), "anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5"),
        ((), "openai/gpt-5.5", "openai/gpt-5-mini"),
        ((), "tidegate/gpt-5.5", "tidegate/gpt-5-mini"),
        ((), "elsewhere/x", "anthropic/claude-haiku-4-5"),
        (("-m", "tidegate/gpt-5.5"), "anthropic/x", "tidegate/gpt-5-mini"),
        (("--model", "openai/gpt-5.5"), "elsewhere/x", "openai/gpt-5-mini"),
        (("--model=openai/gpt-5.5",), "anthropic/x", "openai/gpt-5-mini"),
        (("-m",), "openai/gpt-5.5", "anthropic/claude-haiku-4-5"),  # "hi" is its value then
    ],
)
def test_titles_are_made_by_the_provider_of_the_session(
    tmp_path: Path, words: tuple[str, ...], configured: str, small: str
) -> None:
    environ = {"OPENCODE_CONFIG_CONTENT": json.dumps({"model": configured})}
    config, _ = content(tmp_path, *words, environ=environ)
    assert config["small_model"] == small


def test_the_nearest_config_counts(tmp_path: Path) -> None:
    (tmp_path / "work/.git").mkdir(parents=True)
    (tmp_path / "opencode.json").write_text('{"model": "elsewhere/x"}')  # another repository's
    (tmp_path / "work/opencode.json").write_text('{"model": "openai/gpt-5.5"}')
    config, _ = content(tmp_path)
    assert "model" not in config
