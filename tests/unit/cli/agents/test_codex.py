"""Codex's `-c` arguments: valid TOML, and the secret only in the environment."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.agents.launching import BASE_URL, KEY, launching

from tidegate.cli.agents.codex import prepare
from tidegate.cli.agents.setup import Mode
from tidegate.cli.git_context import GitContext

HEADERS = {
    "x-tidegate-launch": "TIDEGATE_LAUNCH_ID",
    "x-tidegate-repository": "TIDEGATE_REPOSITORY",
    "x-tidegate-branch": "TIDEGATE_BRANCH",
    "x-tidegate-commit": "TIDEGATE_COMMIT",
}


def config(arguments: list[str]) -> dict[str, Any]:
    assert arguments[0::2] == ["-c"] * (len(arguments) // 2)
    return tomllib.loads("\n".join(arguments[1::2]))


@pytest.mark.parametrize(
    ("mode", "login", "headers"),
    [
        (Mode.ORGANIZATION, {"requires_openai_auth": False, "env_key": "TIDEGATE_KEY"}, HEADERS),
        (
            Mode.OWN,
            {"requires_openai_auth": True},
            {**HEADERS, "x-tidegate-key": "TIDEGATE_KEY"},
        ),
    ],
)
def test_provider(
    tmp_path: Path, mode: Mode, login: dict[str, object], headers: dict[str, str]
) -> None:
    result = prepare(launching(tmp_path, mode=mode), ["exec", "-c", "model=x", "hi"])
    assert result.arguments[4:] == ["exec", "-c", "model=x", "hi"]
    settings = config(result.arguments[:4])
    assert settings["model_provider"] == "tidegate"
    assert settings["model_providers"]["tidegate"] == {
        "name": "Tidegate",
        "base_url": f"{BASE_URL}/v1",
        "wire_api": "responses",
        "env_http_headers": headers,
        **login,
    }
    assert KEY not in " ".join(result.arguments)
    assert result.variables == {
        "TIDEGATE_KEY": KEY,
        "TIDEGATE_LAUNCH_ID": "lch_0123456789abcdef0123456789",
        "TIDEGATE_REPOSITORY": "github.com/acme/app",
        "TIDEGATE_BRANCH": "feat/%C3%A9%0Ax-evil:%201",
        "TIDEGATE_COMMIT": "64994bf856105700228b7927d11b68e985aaf101",
    }


def test_outside_a_repository(tmp_path: Path) -> None:
    result = prepare(launching(tmp_path, git=GitContext()), [])
    provider = config(result.arguments)["model_providers"]["tidegate"]
    assert provider["env_http_headers"] == {"x-tidegate-launch": "TIDEGATE_LAUNCH_ID"}
    # Those of a launch around this one must not be inherited.
    assert result.variables["TIDEGATE_BRANCH"] is None
