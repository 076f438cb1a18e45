"""`tidegate launch`: run an agent through Tidegate, for this run only."""

import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from tidegate.cli.agents import AGENTS
from tidegate.cli.agents.setup import AgentSetup, Launch, Mode
from tidegate.cli.child import run_program
from tidegate.cli.errors import CommandError
from tidegate.cli.git_context import read_git_context
from tidegate.cli.login import ProfileName
from tidegate.cli.private_folder import private_folder
from tidegate.cli.profile import (
    DEFAULT_PROFILE,
    AgentKey,
    Profile,
    find_profile,
    load_profiles,
    profile_path,
)
from tidegate.cli.programs import agent_command, check_arguments
from tidegate.cli.server_api import LaunchFacts, ServerApi, ServerError
from tidegate.cli.server_url import is_loopback
from tidegate.cli.summary import local_time_text, summary_line

_LAUNCH_TIMEOUT_S: Final = 5.0
_SUMMARY_TIMEOUT_S: Final = 3.0
_OFF: Final = frozenset({"off", "0", "no", "false"})
_ID_BYTES: Final = 20  # 160 random bits, 40 characters
_PROXIES: Final = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY")
_LOOPBACK: Final = "localhost,127.0.0.1,::1"


def launch(
    agent: Annotated[str, typer.Argument(help="claude, codex or opencode", metavar="AGENT")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="All passed on to the agent.", metavar="[ARGS]...")
    ] = None,
    credential: Annotated[
        Mode | None,
        typer.Option("--credential", help="Whose credential pays; by default the server says."),
    ] = None,
    profile: ProfileName = DEFAULT_PROFILE,
    no_summary: Annotated[
        bool, typer.Option("--no-summary", help="Do not say at the end what was used.")
    ] = False,
    no_mcp: Annotated[
        bool, typer.Option("--no-mcp", help="Without the tools by which agents tag sessions.")
    ] = False,
) -> None:
    """Run an agent through Tidegate. Options of our own stand before the agent's name."""
    setup = AGENTS.get(agent)
    if setup is None:
        raise CommandError(f"There is no agent {agent!r}; there are: {', '.join(AGENTS)}.")
    profile_found = find_profile(load_profiles(profile_path(os.environ)), profile)
    key = _key_for(setup, profile_found)
    command = agent_command(setup.program, setup.title, os.environ)
    server = ServerApi(profile_found.base_url)
    facts = ask_server(server, key, setup)
    launch_id = f"lch_{secrets.token_hex(_ID_BYTES)}"
    with private_folder() as folder:
        plan = Launch(
            base_url=profile_found.base_url,
            key=key.key,
            launch_id=launch_id,
            mode=choose_mode(setup, facts, credential),
            facts=facts,
            git=read_git_context(Path.cwd(), os.environ),
            folder=Path.cwd(),
            private_folder=folder,
            environ=os.environ,
            mcp=facts.session_tools and not no_mcp and wants_mcp(profile_found, os.environ),
        )
        prepared = setup.prepare(plan, arguments or [])
        check_arguments(command, prepared.arguments)
        for note in (*prepared.notes, *debug_notes(facts)):
            print(f"tidegate: {note}", file=sys.stderr)  # noqa: T201
        environ = child_environ(os.environ, prepared.variables, plan.base_url)
        code = run_program([*command, *prepared.arguments], environ)
    if not no_summary:
        print_summary(server, key, launch_id, debugged=facts.debug_until is not None)
    sys.exit(code)


def choose_mode(setup: AgentSetup, facts: LaunchFacts, asked: Mode | None) -> Mode:
    """Organization if it has a credential that the agent can use, else own; or as asked."""
    there = bool(setup.providers & facts.providers)
    forced = Mode(facts.credential_mode) if facts.credential_mode != "auto" else None
    mode = asked or forced or (Mode.ORGANIZATION if there or not setup.own_login else Mode.OWN)
    if forced is not None and mode is not forced:
        raise CommandError(f"Your admin has set this key to the {forced} credential.")
    if mode is Mode.OWN and not setup.own_login:
        raise CommandError(f"{setup.title} cannot use your own login through Tidegate.")
    if mode is Mode.ORGANIZATION and not there:
        names = " or ".join(sorted(setup.providers))
        raise CommandError(f"Your organization has no credential for {names}. Ask your admin.")
    if mode is Mode.OWN and not facts.allow_own:
        raise CommandError(
            "Your organization does not allow own logins, and has no credential that "
            f"{setup.title} could use. Ask your admin."
            if asked is None
            else "Your organization does not allow own logins."
        )
    return mode


def wants_mcp(profile: Profile, environ: Mapping[str, str]) -> bool:
    """Whether neither the profile nor the environment does without the session tools."""
    return profile.mcp and environ.get("TIDEGATE_MCP", "").strip().lower() not in _OFF


def child_environ(
    environ: Mapping[str, str], variables: Mapping[str, str | None], base_url: str
) -> dict[str, str]:
    """The agent's environment: ours, with what was prepared, and the way to the server open."""
    child = dict(environ)
    if is_loopback(base_url) and any(environ.get(name) for name in _PROXIES):
        for name in ("NO_PROXY", "no_proxy"):
            child[name] = ",".join(filter(None, (environ.get(name), _LOOPBACK)))
    if environ.get("SSL_CERT_FILE"):
        child.setdefault("NODE_EXTRA_CA_CERTS", environ["SSL_CERT_FILE"])
    for name, value in variables.items():
        child.pop(name, None)
        if value is not None:
            child[name] = value
    return child


def _key_for(setup: AgentSetup, profile: Profile) -> AgentKey:
    try:
        return profile.keys[setup.agent]
    except KeyError:
        raise CommandError(
            f"You are not enrolled for {setup.title} at {profile.base_url}. "
            "Ask your admin for a code, then: tidegate login URL CODE"
        ) from None


def ask_server(server: ServerApi, key: AgentKey, setup: AgentSetup) -> LaunchFacts:
    """What the server says of the key; without it nothing is started."""
    try:
        return server.launch(key.key, timeout_s=_LAUNCH_TIMEOUT_S)
    except ServerError as error:
        if error.status in {401, 403}:
            raise CommandError(
                f"Your key for {setup.title} is not valid any more. "
                "Ask your admin for a new code, then: tidegate login URL CODE"
            ) from None
        raise CommandError(f"{setup.title} was not started. {error}") from None


def debug_notes(facts: LaunchFacts) -> list[str]:
    """What a developer is to know before the first request."""
    if facts.debug_until is None:
        return []
    return [
        f"Debug mode is on until {local_time_text(facts.debug_until)}:"
        " your requests and their answers are stored, for you and your admins to read."
    ]


def print_summary(
    server: ServerApi, key: AgentKey, launch_id: str, *, debugged: bool = False
) -> None:
    """Standard error; nothing if there was no request, and never a failure."""
    # The terminal may be gone, and the server may be away: neither is the agent's failure.
    with suppress(ServerError, OSError):
        usage = server.launch_usage(key.key, launch_id, timeout_s=_SUMMARY_TIMEOUT_S)
        if line := summary_line(usage, debugged=debugged):
            print(line, file=sys.stderr, flush=True)  # noqa: T201
