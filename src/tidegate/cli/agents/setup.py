"""What every agent's set-up starts from, and what it results in."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tidegate.cli.git_context import GitContext
from tidegate.cli.server_api import LaunchFacts

KEY_HEADER: Final = "x-tidegate-key"
KEY_VARIABLE: Final = "TIDEGATE_KEY"
MCP_SERVER: Final = "tidegate"  # its name among the agent's MCP servers
PRIVATE_PREFIX: Final = "tidegate-run-"  # of the private folder's name
LAUNCH_HEADER: Final = "x-tidegate-launch"
LAUNCH_VARIABLE: Final = "TIDEGATE_LAUNCH_ID"
# Braces, quotes, backslashes, dollars and blanks are encoded: values pass through JSON text in
# which an agent expands {env:…} and {file:…}, and through lines of headers.
_PLAIN: Final = "/:@+,=-._~#()!"


class Mode(StrEnum):
    """Whose credential the requests travel with."""

    ORGANIZATION = "organization"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch, as far as it is the same for every agent."""

    base_url: str
    key: str = field(repr=False)
    launch_id: str
    mode: Mode
    facts: LaunchFacts
    git: GitContext
    folder: Path  # where the agent works
    private_folder: Path  # 0700, removed at the end
    environ: Mapping[str, str] = field(repr=False)
    mcp: bool = False  # whether the agent gets the session tools

    @property
    def mcp_url(self) -> str:
        return f"{self.base_url}/mcp"


@dataclass(frozen=True, slots=True)
class Prepared:
    """The agent's arguments, and the variables that are set, or removed where None."""

    arguments: list[str]
    variables: dict[str, str | None] = field(repr=False)
    notes: tuple[str, ...] = ()  # for the developer, before the agent starts


@dataclass(frozen=True, slots=True)
class AgentSetup:
    """How one agent is launched."""

    program: str
    agent: str  # as in a key
    title: str
    providers: frozenset[str]  # those whose credential it can use
    own_login: bool  # whether it can use the developer's own login through us
    prepare: Callable[[Launch, Sequence[str]], Prepared]


@dataclass(frozen=True, slots=True)
class LaunchHeader:
    """A header that tells the gateway about the launch, and the variable that carries its value."""

    name: str
    variable: str
    value: str


def launch_headers(launch: Launch) -> list[LaunchHeader]:
    """The headers of a launch, without those that have no value. None of them is secret."""
    git = launch.git
    headers = (
        LaunchHeader(LAUNCH_HEADER, LAUNCH_VARIABLE, launch.launch_id),
        LaunchHeader("x-tidegate-repository", "TIDEGATE_REPOSITORY", encode(git.repository)),
        LaunchHeader("x-tidegate-branch", "TIDEGATE_BRANCH", encode(git.branch)),
        LaunchHeader("x-tidegate-commit", "TIDEGATE_COMMIT", encode(git.commit)),
    )
    return [header for header in headers if header.value]


def launch_variables(launch: Launch) -> dict[str, str | None]:
    """The variables of all launch headers; a header without a value removes its variable."""
    values = {header.variable: header.value for header in launch_headers(launch)}
    names = (LAUNCH_VARIABLE, "TIDEGATE_REPOSITORY", "TIDEGATE_BRANCH", "TIDEGATE_COMMIT")
    return {name: values.get(name) for name in names}


def encode(text: str) -> str:
    """Percent-encode whatever could end a header, a line or a quoted string."""
    return quote(os.fsencode(text), safe=_PLAIN)
