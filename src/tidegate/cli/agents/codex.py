"""Codex: `-c` arguments, which beat its config files. Secrets are named there, never told."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from tidegate.cli.agents.setup import (
    KEY_HEADER,
    KEY_VARIABLE,
    LAUNCH_HEADER,
    LAUNCH_VARIABLE,
    MCP_SERVER,
    AgentSetup,
    Launch,
    Mode,
    Prepared,
    launch_headers,
    launch_variables,
)

_PROVIDER: Final = "tidegate"


def prepare(launch: Launch, arguments: Sequence[str]) -> Prepared:
    """Name a provider of our own, before a subcommand: Codex takes `-c` for all of them there."""
    headers = {header.name: header.variable for header in launch_headers(launch)}
    provider: dict[str, object] = {
        "name": "Tidegate",  # the name "OpenAI" would switch on compressed bodies
        "base_url": f"{launch.base_url}/v1",
        "wire_api": "responses",
    }
    if launch.mode is Mode.OWN:
        provider["requires_openai_auth"] = True
        headers[KEY_HEADER] = KEY_VARIABLE
    else:
        provider["requires_openai_auth"] = False
        provider["env_key"] = KEY_VARIABLE
    provider["env_http_headers"] = headers
    ours = ["-c", f"model_provider={_toml(_PROVIDER)}"]
    ours += ["-c", f"model_providers.{_PROVIDER}={_toml(provider)}"]
    if launch.mcp:
        server = {
            "url": launch.mcp_url,
            "bearer_token_env_var": KEY_VARIABLE,
            "env_http_headers": {LAUNCH_HEADER: LAUNCH_VARIABLE},
        }
        ours += ["-c", f"mcp_servers.{MCP_SERVER}={_toml(server)}"]
    return Prepared([*ours, *arguments], {**launch_variables(launch), KEY_VARIABLE: launch.key})


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_toml(name)}={_toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value)  # ASCII by now, where both languages agree


SETUP: Final = AgentSetup(
    program="codex",
    agent="codex",
    title="Codex",
    providers=frozenset({"openai"}),
    own_login=True,
    prepare=prepare,
)
