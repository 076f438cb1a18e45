"""`tidegate login` and `logout`: exchange a code for a key and keep it, or forget it."""

import os
from collections.abc import Mapping
from itertools import count
from typing import Annotated, Final

import typer

from tidegate.cli.errors import CommandError
from tidegate.cli.profile import (
    DEFAULT_PROFILE,
    AgentKey,
    Profile,
    load_profiles,
    profile_path,
    save_profiles,
)
from tidegate.cli.server_api import ServerApi, ServerError
from tidegate.cli.server_url import normalise_url

_TIMEOUT_S: Final = 15.0
_LAUNCH_NAMES: Final = {"claude_code": "claude", "codex": "codex", "opencode": "opencode"}

ProfileName = Annotated[
    str,
    typer.Option("--profile", envvar="TIDEGATE_PROFILE", help="Name, if you use several servers."),
]


def login(
    url: Annotated[str, typer.Argument(help="Address of the server.")],
    code: Annotated[str, typer.Argument(help="The code from your admin; it works once.")],
    profile: ProfileName = DEFAULT_PROFILE,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow http:// to another machine.")
    ] = False,
) -> None:
    """Log an agent in with the code that enrolment gave."""
    base_url = normalise_url(url, insecure=insecure)
    path = profile_path(os.environ)
    profiles = load_profiles(path)
    present = profiles.get(profile)
    if present is not None and present.base_url != base_url:
        raise _occupied(profile, present)  # before the code is spent
    try:
        enrolment = ServerApi(base_url).exchange(code.strip(), timeout_s=_TIMEOUT_S)
    except ServerError as error:
        raise CommandError(f"Login failed. {error}") from None
    fresh = Profile(
        base_url, enrolment.organization_id, enrolment.organization_name, enrolment.email
    )
    if present is not None and not present.same_place(fresh):
        profile, present = _free_name(profiles, profile), None  # both identities are kept
    key = AgentKey(enrolment.key_id, enrolment.key)
    profiles[profile] = (present or fresh).with_key(enrolment.agent, key)
    save_profiles(path, profiles)
    chosen = "" if profile == DEFAULT_PROFILE else f"--profile {profile} "
    name = _LAUNCH_NAMES.get(enrolment.agent, enrolment.agent)
    typer.echo(f"Logged in as {enrolment.email} ({enrolment.organization_name}).")
    typer.echo(f"Start with: tidegate launch {chosen}{name}")


def logout(profile: ProfileName = DEFAULT_PROFILE) -> None:
    """Forget the keys on this machine. They stay valid until your admin unenrols the agent."""
    path = profile_path(os.environ)
    profiles = load_profiles(path)
    if profiles.pop(profile, None) is None:
        raise CommandError(f"There is no profile {profile!r}.")
    save_profiles(path, profiles)
    typer.echo("Logged out.")


def _occupied(name: str, present: Profile) -> CommandError:
    return CommandError(
        f"Profile {name!r} belongs to {present.base_url}. Give this one a name: "
        "tidegate login --profile NAME URL CODE, or log out first: tidegate logout"
    )


def _free_name(profiles: Mapping[str, Profile], name: str) -> str:
    candidates = (f"{name}-{number}" for number in count(2))
    return next(candidate for candidate in candidates if candidate not in profiles)
