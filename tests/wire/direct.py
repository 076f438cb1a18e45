"""Agents set up by hand, as somebody would who does not use `tidegate launch`."""

import json

from tests.wire.agents import CODEX, OPENCODE, PROMPT, Program, Run, Workplace

OPENCODE_DIALECTS = {
    "chat": ("gw", "@ai-sdk/openai-compatible", "gpt-5"),
    "messages": ("anthropic", "", "claude-sonnet-4-5"),
    "responses": ("openai", "", "gpt-5"),
}


def run_direct(
    workplace: Workplace,
    program: Program,
    url: str,
    key: str,
    *,
    dialect: str = "chat",
    lowered: bool = False,
    timeout_s: float = 90,
) -> Run:
    """Run an agent once; `lowered` are its retries, where it has a setting for them."""
    if program is CODEX:
        arguments, variables = _codex(url, key, lowered=lowered)
    elif program is OPENCODE:
        arguments, variables = _opencode(url, key, dialect)
    else:
        arguments = program.headless()
        variables = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": key}
        variables |= {"CLAUDE_CODE_MAX_RETRIES": "2"} if lowered else {}
    return workplace.run([str(program.binary), *arguments], timeout_s=timeout_s, **variables)


def _codex(url: str, key: str, *, lowered: bool) -> tuple[list[str], dict[str, str]]:
    retries = ",request_max_retries=1,stream_max_retries=1" if lowered else ""
    provider = (
        f'model_providers.gw={{name="gw",base_url="{url}/v1",wire_api="responses",'
        f'env_key="GW_KEY"{retries}}}'
    )
    settings = ["-c", provider, "-c", 'model_provider="gw"']
    return [*settings, *CODEX.headless()], {"GW_KEY": key}


def _opencode(url: str, key: str, dialect: str) -> tuple[list[str], dict[str, str]]:
    provider, package, model = OPENCODE_DIALECTS[dialect]
    options = {"baseURL": f"{url}/v1", "apiKey": key}
    listed = {"models": {model: {}}, "npm": package, "name": "gw"} if package else {}
    config = {
        "autoupdate": False,
        "share": "disabled",
        "model": f"{provider}/{model}",
        "small_model": f"{provider}/{model}",
        "permission": {"*": "allow"},
        "provider": {provider: {"options": options, **listed}},
    }
    return ["run", PROMPT], {"OPENCODE_CONFIG_CONTENT": json.dumps(config)}
