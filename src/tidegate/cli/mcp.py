"""`tidegate mcp`: whether launched agents get the tools by which they tag their sessions."""

import os
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer

from tidegate.cli.login import ProfileName
from tidegate.cli.profile import (
    DEFAULT_PROFILE,
    find_profile,
    load_profiles,
    profile_path,
    save_profiles,
)


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


def mcp(
    switch: Annotated[Switch, typer.Argument(help="on or off")],
    profile: ProfileName = DEFAULT_PROFILE,
) -> None:
    """Give launched agents the tools by which they tag their sessions, or do not."""
    path = profile_path(os.environ)
    profiles = load_profiles(path)
    found = find_profile(profiles, profile)
    profiles[profile] = replace(found, mcp=switch is Switch.ON)
    save_profiles(path, profiles)
    typer.echo(f"Session tools are {switch.value} in profile {profile}.")
