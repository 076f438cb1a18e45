"""OpenCode: `OPENCODE_CONFIG_CONTENT`, which beats its config files."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from tidegate.cli.agents.jsonc import parse_object
from tidegate.cli.agents.opencode_config import configured_model
from tidegate.cli.agents.setup import (
    KEY_HEADER,
    KEY_VARIABLE,
    LAUNCH_HEADER,
    LAUNCH_VARIABLE,
    MCP_SERVER,
    AgentSetup,
    Launch,
    Prepared,
    launch_headers,
    launch_variables,
)
from tidegate.cli.errors import CommandError
from tidegate.cli.server_api import Model

_CONTENT: Final = "OPENCODE_CONFIG_CONTENT"
_CHAT: Final = "tidegate"  # the provider that speaks Chat Completions
_SMALL_MARKS: Final = ("haiku", "luna", "mini", "nano", "small", "flash")


def prepare(launch: Launch, arguments: Sequence[str]) -> Prepared:
    """Merge our providers into the developer's own content."""
    existing = _existing(launch.environ)
    ours = _ours(launch)
    notes: tuple[str, ...] = ()
    models, offered = launch.facts.models, ours["provider"]
    asked = _asked_model(arguments)
    wanted = configured_model(launch.folder, launch.environ, existing)
    if not asked and wanted and _provider_of(wanted) not in offered:
        # OpenCode would end with an error about a provider that is not there.
        ours["model"] = _default_model(models, offered)
        notes = (f"{wanted} of your config is not available here; using {ours['model']}.",)
        wanted = ours["model"]
    if small := _small_model(models, offered, asked or wanted):
        ours["small_model"] = small
    variables = {
        **launch_variables(launch),
        KEY_VARIABLE: launch.key,
        _CONTENT: json.dumps(_merge(existing, ours)),
        # With an OpenAI login of the developer, OpenCode's own plugin would send the requests
        # to OpenAI whatever the base URL says.
        "OPENCODE_DISABLE_DEFAULT_PLUGINS": "true",
    }
    return Prepared(list(arguments), variables, notes)


def _ours(launch: Launch) -> dict[str, Any]:
    options = {
        "baseURL": f"{launch.base_url}/v1",
        "apiKey": f"{{env:{KEY_VARIABLE}}}",
        "headers": {header.name: f"{{env:{header.variable}}}" for header in launch_headers(launch)},
    }
    models = launch.facts.models
    providers: dict[str, Any] = {}
    for name in sorted(launch.facts.providers & {"anthropic", "openai"}):
        mine = [model for model in models if model.provider == name]
        providers[name] = {"options": options, "models": _entries(mine)}
    if "openai" in providers:
        providers[_CHAT] = {
            "npm": "@ai-sdk/openai-compatible",
            "name": "Tidegate",
            "options": options,
            "models": providers["openai"]["models"],
        }
    ours: dict[str, Any] = {
        "provider": providers,
        "enabled_providers": list(providers),
        "disabled_providers": [],
    }
    if launch.mcp:
        ours["mcp"] = {MCP_SERVER: _mcp_server(launch)}
    return ours


def _mcp_server(launch: Launch) -> dict[str, Any]:
    return {
        "type": "remote",
        "url": launch.mcp_url,
        "enabled": True,
        "oauth": False,
        "headers": {
            KEY_HEADER: f"{{env:{KEY_VARIABLE}}}",
            LAUNCH_HEADER: f"{{env:{LAUNCH_VARIABLE}}}",
        },
    }


def _entries(models: Sequence[Model]) -> dict[str, Any]:
    return {model.id: _entry(model) for model in models}


def _entry(model: Model) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": model.name}
    if model.context_tokens and model.output_tokens:
        entry["limit"] = {"context": model.context_tokens, "output": model.output_tokens}
    rates = {name: rate for name, rate in model.cost.items() if rate is not None}
    if {"input", "output"} <= rates.keys():
        entry["cost"] = rates
    return entry


def _asked_model(arguments: Sequence[str]) -> str:
    """The model that the arguments name, "provider/model"; empty if they name none."""
    for option, value in pairwise([*arguments, ""]):
        if option in {"-m", "--model"}:
            return value
        if option.startswith(("-m=", "--model=")):
            return option.partition("=")[2]
    return ""


def _small_model(models: Sequence[Model], providers: Mapping[str, Any], main: str) -> str:
    """The cheapest model for titles, of the provider that the session itself uses."""
    if not (usable := _usable(models, providers)):
        return ""
    if _provider_of(main) not in providers:
        main = _default_model(models, providers)
    provider = _provider_of(main)
    family = "openai" if provider == _CHAT else provider
    own = sorted(
        (model for model in usable if model.provider == family),
        key=lambda model: model.cost.get("input") or 0,
    )
    return f"{provider}/{next(filter(_is_small, own), own[0]).id}" if own else ""


def _default_model(models: Sequence[Model], providers: Mapping[str, Any]) -> str:
    """The first that is not for titles."""
    usable = _usable(models, providers)
    if not usable:
        raise CommandError("Your organization has no model that OpenCode could use.")
    return _full_name(next((model for model in usable if not _is_small(model)), usable[0]))


def _usable(models: Sequence[Model], providers: Mapping[str, Any]) -> list[Model]:
    return [model for model in models if model.provider in providers]


def _provider_of(name: str) -> str:
    return name.partition("/")[0]


def _full_name(model: Model) -> str:
    return f"{model.provider}/{model.id}"


def _is_small(model: Model) -> bool:
    return any(mark in model.id for mark in _SMALL_MARKS)


def _existing(environ: Mapping[str, str]) -> dict[str, Any]:
    text = environ.get(_CONTENT, "")
    if not text.strip():
        return {}
    content = parse_object(text)
    if content is None:
        raise CommandError(f"{_CONTENT} is set, but is not a JSON object, so it cannot be kept.")
    return content


def _merge(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Their content with ours on top, object by object."""
    merged = dict(theirs)
    for name, value in ours.items():
        present = merged.get(name)
        if isinstance(present, dict) and isinstance(value, dict):
            merged[name] = _merge(present, value)
        else:
            merged[name] = value
    return merged


SETUP: Final = AgentSetup(
    program="opencode",
    agent="opencode",
    title="OpenCode",
    providers=frozenset({"anthropic", "openai"}),
    own_login=False,
    prepare=prepare,
)
