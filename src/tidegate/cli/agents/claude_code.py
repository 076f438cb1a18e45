"""Claude Code: `--settings FILE`, whose `env` block beats other settings and the environment."""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tidegate.cli.agents.jsonc import load_object, parse_object
from tidegate.cli.agents.setup import (
    KEY_HEADER,
    LAUNCH_HEADER,
    MCP_SERVER,
    PRIVATE_PREFIX,
    AgentSetup,
    Launch,
    Mode,
    Prepared,
    launch_headers,
)
from tidegate.cli.errors import CommandError

_SOCKET: Final = "ANTHROPIC_UNIX_SOCKET"
# Each of these would send the requests elsewhere, past the base URL.
_DETOURS: Final = (
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD",
    "CLAUDE_CODE_USE_GATEWAY",
    _SOCKET,
)
# The developer's own credentials must not travel beside the organization's key.
_OWN_CREDENTIALS: Final = ("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN")
_HEADERS: Final = "ANTHROPIC_CUSTOM_HEADERS"
_HEADER_LINE: Final = re.compile(r"^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*(.*?)\s*$")
_NEVER_CARRIED: Final = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_CREDENTIAL_HEADERS: Final = frozenset({"authorization", "x-api-key", "proxy-authorization"})
_MANAGED: Final = {
    "darwin": "/Library/Application Support/ClaudeCode/managed-settings.json",
    "win32": r"C:\Program Files\ClaudeCode\managed-settings.json",
}
_MANAGED_ELSEWHERE: Final = "/etc/claude-code/managed-settings.json"


def prepare(launch: Launch, arguments: Sequence[str]) -> Prepared:
    """Write the settings of this run; the developer's own `--settings` is merged into them."""
    check_managed(Path(_MANAGED.get(sys.platform, _MANAGED_ELSEWHERE)), launch.base_url)
    rest, given = _take_settings(arguments, launch.folder)
    variables = {
        "ANTHROPIC_BASE_URL": launch.base_url,
        _HEADERS: "\n".join(_header_lines(launch, given)),
        **dict.fromkeys(_DETOURS, ""),
    }
    settings = {**given}
    if launch.mode is Mode.ORGANIZATION:
        variables["ANTHROPIC_AUTH_TOKEN"] = launch.key
        variables.update(dict.fromkeys(_OWN_CREDENTIALS, ""))
        settings["apiKeyHelper"] = ""
    settings["env"] = {**_env_of(given), **variables}
    ours = []
    if launch.mcp:
        settings["permissions"] = _permissions(given)
        # Before another option: it takes all that follows up to the next one.
        ours = ["--mcp-config", _write(launch.private_folder / "mcp.json", _mcp_config(launch))]
    ours += ["--settings", _write(launch.private_folder / "settings.json", settings)]
    # The environment says the same, for what reads it before the settings.
    child = {name: value or None for name, value in variables.items()}
    return Prepared([*ours, *rest], child)


def _write(file: Path, content: Mapping[str, Any]) -> str:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        json.dump(content, output)
    return str(file)


def _mcp_config(launch: Launch) -> dict[str, Any]:
    """Our server; those of the developer's own configs stay beside it."""
    headers = {KEY_HEADER: launch.key, LAUNCH_HEADER: launch.launch_id}
    server = {"type": "http", "url": launch.mcp_url, "headers": headers}
    return {"mcpServers": {MCP_SERVER: server}}


def _permissions(given: Mapping[str, Any]) -> dict[str, Any]:
    """The developer's own, with our tools allowed: they touch nothing on the machine."""
    permissions = given.get("permissions")
    theirs = permissions if isinstance(permissions, dict) else {}
    allowed = theirs.get("allow")
    allow = allowed if isinstance(allowed, list) else []
    return {**theirs, "allow": [*allow, f"mcp__{MCP_SERVER}"]}


def _take_settings(arguments: Sequence[str], folder: Path) -> tuple[list[str], dict[str, Any]]:
    """Take the last `--settings` out, as the last one is the one that Claude Code obeys.

    One that cannot be read stays where it is, so that Claude Code reports it.
    """
    options, after = list(arguments), []
    if "--" in options:
        split = options.index("--")
        options, after = options[:split], options[split:]
    rest, given, position = [], {}, 0
    while position < len(options):
        taken = _settings_at(options, position)
        settings = None if taken is None else _read_settings(taken[0], folder)
        if taken is None or settings is None:
            rest.append(options[position])
            position += 1
        else:
            given = settings
            position += taken[1]
    return rest + after, given


def _settings_at(options: Sequence[str], position: int) -> tuple[str, int] | None:
    """The value of a `--settings` at this position and how many arguments it takes."""
    option = options[position]
    if option == "--settings" and position + 1 < len(options):
        return options[position + 1], 2
    if option.startswith("--settings="):
        return option.partition("=")[2], 1
    return None


def _read_settings(value: str, folder: Path) -> dict[str, Any] | None:
    if value.strip().startswith("{"):
        return parse_object(value)
    file = folder / value
    if file.parent.name.startswith(PRIVATE_PREFIX) and not file.exists():
        return {}  # of a launch that has ended: Claude Code's hint on how to resume names it
    return load_object(file)


def _header_lines(launch: Launch, given: Mapping[str, Any]) -> Iterator[str]:
    ours = {header.name: header.value for header in launch_headers(launch)}
    if launch.mode is Mode.OWN:
        ours[KEY_HEADER] = launch.key
    # As in Claude Code, the last source of headers replaces all others.
    sources = [launch.environ, *_blocks(launch, given)]
    existing = next((block[_HEADERS] for block in reversed(sources) if _HEADERS in block), "")
    for line in str(existing).splitlines():
        if (match := _HEADER_LINE.match(line)) and _is_carried(match[1].lower(), launch.mode):
            yield f"{match[1]}: {match[2]}"
    for name, value in ours.items():
        yield f"{name}: {value}"


def _is_carried(name: str, mode: Mode) -> bool:
    if name.startswith("x-tidegate-") or name in _NEVER_CARRIED:
        return False
    return mode is Mode.OWN or name not in _CREDENTIAL_HEADERS


def _blocks(launch: Launch, given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The `env` blocks of the developer's settings, the one that counts most last."""
    home = launch.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude"
    files = (
        Path(home) / "settings.json",
        launch.folder / ".claude/settings.json",
        launch.folder / ".claude/settings.local.json",
    )
    blocks = [_env_of(load_object(file) or {}) for file in files]
    if any(block.get(_SOCKET) for block in blocks):
        # Some versions obey this one as soon as they see it, whatever comes after.
        raise CommandError(
            f"{_SOCKET} in your settings leads Claude Code past Tidegate; remove it."
        )
    return [*blocks, _env_of(given)]


def check_managed(file: Path, base_url: str) -> None:
    """Managed settings beat ours: do not start where they would take the key to another host."""
    managed = _env_of(load_object(file) or {})
    if str(managed.get("ANTHROPIC_BASE_URL", base_url)).rstrip("/") != base_url:
        raise CommandError(
            f"{file} sends Claude Code to {managed['ANTHROPIC_BASE_URL']}, and nothing beats it. "
            "Ask whoever manages this machine."
        )


def _env_of(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    env = settings.get("env")
    return env if isinstance(env, dict) else {}


SETUP: Final = AgentSetup(
    program="claude",
    agent="claude_code",
    title="Claude Code",
    providers=frozenset({"anthropic"}),
    own_login=True,
    prepare=prepare,
)
