"""Claude Code's settings for one run: ours win, the developer's own are kept."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.agents.launching import BASE_URL, KEY, launching

from tidegate.cli.agents.claude_code import check_managed, prepare
from tidegate.cli.agents.setup import Mode
from tidegate.cli.errors import CommandError

OURS = [
    "x-tidegate-launch: lch_0123456789abcdef0123456789",
    "x-tidegate-repository: github.com/acme/app",
    "x-tidegate-branch: feat/%C3%A9%0Ax-evil:%201",
    "x-tidegate-commit: 64994bf856105700228b7927d11b68e985aaf101",
]


def prepared(
    root: Path,
    *arguments: str,
    mode: Mode = Mode.ORGANIZATION,
    environ: Mapping[str, str] | None = None,
) -> tuple[list[str], dict[str, Any], dict[str, str | None]]:
    """The arguments behind ours, the settings, the variables."""
    given = {"CLAUDE_CONFIG_DIR": str(root / "claude"), **(environ or {})}
    result = prepare(launching(root, mode=mode, environ=given), arguments)
    option, file, *rest = result.arguments
    assert option == "--settings"
    return rest, json.loads(Path(file).read_text()), result.variables


def write(file: Path, settings: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(settings if isinstance(settings, str) else json.dumps(settings))


def headers(settings: Mapping[str, Any]) -> list[str]:
    lines: list[str] = settings["env"]["ANTHROPIC_CUSTOM_HEADERS"].split("\n")
    return lines


def test_organization(tmp_path: Path) -> None:
    rest, settings, variables = prepared(
        tmp_path, "-p", "hi", environ={"ANTHROPIC_API_KEY": "sk-ant-own"}
    )
    assert rest == ["-p", "hi"]
    env = settings["env"]
    assert env["ANTHROPIC_BASE_URL"] == BASE_URL
    assert env["ANTHROPIC_AUTH_TOKEN"] == KEY
    assert headers(settings) == OURS
    for name in ("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK"):
        assert env[name] == ""
        assert variables[name] is None
    assert settings["apiKeyHelper"] == ""
    assert variables["ANTHROPIC_AUTH_TOKEN"] == KEY


def test_own_login_gets_base_url_and_headers_only(tmp_path: Path) -> None:
    _, settings, variables = prepared(tmp_path, mode=Mode.OWN)
    named = {name for name, value in settings["env"].items() if value}
    assert named == {"ANTHROPIC_BASE_URL", "ANTHROPIC_CUSTOM_HEADERS"}
    assert headers(settings) == [*OURS, f"x-tidegate-key: {KEY}"]
    assert "apiKeyHelper" not in settings
    assert "ANTHROPIC_API_KEY" not in variables
    assert "ANTHROPIC_AUTH_TOKEN" not in variables


SOURCES = ["environment", "user", "project", "local", "argument"]


@pytest.mark.parametrize("last", range(len(SOURCES)), ids=SOURCES)
def test_the_last_source_of_headers_replaces_the_others(tmp_path: Path, last: int) -> None:
    files = [
        tmp_path / "claude/settings.json",
        tmp_path / "work/.claude/settings.json",
        tmp_path / "work/.claude/settings.local.json",
        tmp_path / "work/given.json",
    ]
    for number, file in enumerate(files[:last], start=1):
        write(file, {"env": {"ANTHROPIC_CUSTOM_HEADERS": f"X-Team: {SOURCES[number]}"}})
    arguments = ["--settings", "given.json"] if last == 4 else []
    environ = {"ANTHROPIC_CUSTOM_HEADERS": "X-Team: environment"}
    _, settings, _ = prepared(tmp_path, *arguments, environ=environ)
    assert headers(settings) == [f"X-Team: {SOURCES[last]}", *OURS]


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        (Mode.ORGANIZATION, ["X-A: 1", "X-B: a: b"]),
        (Mode.OWN, ["X-A: 1", "X-B: a: b", "Authorization: Bearer x", "x-api-key: y"]),
    ],
)
def test_headers_that_are_carried(tmp_path: Path, mode: Mode, kept: list[str]) -> None:
    lines = [
        "X-A: 1",
        "  X-B : a: b ",
        "X-Tidegate-Key: tg_other",
        "x-tidegate-launch: lch_other",
        "Host: evil.example",
        "no header",
        "",
        "Authorization: Bearer x",
        "x-api-key: y",
    ]
    _, settings, _ = prepared(
        tmp_path, mode=mode, environ={"ANTHROPIC_CUSTOM_HEADERS": "\n".join(lines)}
    )
    assert headers(settings)[: -len(OURS) - (mode is Mode.OWN)] == kept


@pytest.mark.parametrize("form", ["file", "json", "equals", "twice"])
def test_own_settings_argument_is_merged(tmp_path: Path, form: str) -> None:
    given = {
        "model": "opus",
        "apiKeyHelper": "echo sk-other",
        "env": {"A": "1", "ANTHROPIC_BASE_URL": "https://elsewhere.example"},
    }
    write(tmp_path / "work/given.json", given)
    arguments = {
        "file": ["--settings", "given.json"],
        "json": ["--settings", json.dumps(given)],
        "equals": [f"--settings={tmp_path}/work/given.json"],
        "twice": ["--settings", '{"model": "haiku"}', "--settings", "given.json"],
    }[form]
    rest, settings, _ = prepared(tmp_path, "-p", *arguments, "hi")
    assert rest == ["-p", "hi"]
    assert settings["model"] == "opus"
    assert settings["env"]["A"] == "1"
    assert settings["env"]["ANTHROPIC_BASE_URL"] == BASE_URL
    assert settings["apiKeyHelper"] == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--settings", "/nowhere.json"],
        ["--settings", "{broken"],
        ["--settings"],
        ["-p", "--", "--settings", "{}"],
        ["mcp", "add", "x", "--", "cmd", "--settings={}"],
    ],
)
def test_what_is_not_readable_settings_stays(tmp_path: Path, arguments: list[str]) -> None:
    rest, _, _ = prepared(tmp_path, *arguments)
    assert rest == arguments


def test_settings_of_an_ended_launch_are_dropped(tmp_path: Path) -> None:
    arguments = ["--settings", str(tmp_path / "tidegate-run-x1/settings.json"), "--resume", "ID"]
    rest, _, _ = prepared(tmp_path, *arguments)
    assert rest == ["--resume", "ID"]


def test_a_socket_in_the_settings_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "claude/settings.json", {"env": {"ANTHROPIC_UNIX_SOCKET": "/tmp/x"}})
    with pytest.raises(CommandError, match="leads Claude Code past Tidegate"):
        prepared(tmp_path)


@pytest.mark.parametrize(
    ("managed", "accepted"),
    [
        ({}, True),
        ({"env": {"ANTHROPIC_BASE_URL": BASE_URL + "/"}}, True),
        ({"env": {"ANTHROPIC_BASE_URL": "https://elsewhere.example"}}, False),
    ],
)
def test_managed_settings(tmp_path: Path, managed: object, accepted: bool) -> None:
    file = tmp_path / "managed-settings.json"
    write(file, managed)
    if accepted:
        check_managed(file, BASE_URL)
    else:
        with pytest.raises(CommandError, match=r"https://elsewhere\.example, and nothing beats it"):
            check_managed(file, BASE_URL)


@pytest.mark.parametrize("broken", ["", "[1]", "{", "\ufeff{}", '{"env": 5}'])
def test_broken_settings_files_do_no_harm(tmp_path: Path, broken: str) -> None:
    write(tmp_path / "claude/settings.json", broken)
    _, settings, _ = prepared(tmp_path)
    assert headers(settings) == OURS
