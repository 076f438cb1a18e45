"""Which repository, branch and pull request a session's request counts for.

All that is known of it are links: at some time, something said what the session works on. What a
person says holds for the whole session. Else what was done or said in the session (a tool call, a
push, an opened pull request) goes before what the agent was started with, and of each the latest
that is not after the request. A request from before the first link belongs to that first one.

A pull request holds where its repository does. A request from before the first pull request of its
repository belongs to that one.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    REPOSITORY = "repository"
    BRANCH = "branch"
    COMMIT = "commit"
    PULL_REQUEST = "pull_request"


class Method(StrEnum):
    """How a link was found."""

    LAUNCH = "launch"  # the headers of tidegate launch
    TURN_METADATA = "turn_metadata"  # what Codex sends with a turn
    TOOL = "tool"  # seen in the session's tool traffic
    MCP = "mcp"  # the agent said so
    BRANCH = "branch"  # an opened pull request from the session's repository and branch
    PERSON = "person"


class TimedLink(msgspec.Struct, frozen=True, omit_defaults=True):
    """A link and when it was found."""

    kind: str
    value: str
    method: str
    at_us: int
    certain: bool = True
    source: str = ""
