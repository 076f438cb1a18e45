"""The tools that /mcp offers to agents, as their models read about them."""

from typing import Any, Final

import msgspec

from tidegate.core.session_tools import (
    ADD_COMMIT,
    ADD_PULL_REQUEST,
    SESSION_ARGUMENT,
    SET_NAME,
    SET_REPOSITORY,
)

INSTRUCTIONS: Final = (
    "Tidegate keeps track of what this coding session works on, so that its cost can be told per "
    f"repository and pull request. Early on call {SET_NAME} with a few words on the task. After "
    f"opening or updating a pull request call {ADD_PULL_REQUEST}, after a commit {ADD_COMMIT}. "
    f"Call {SET_REPOSITORY} only if the work moves to another repository than the one you were "
    "started in. Call each once per change; there is no need to ask the user first."
)
_OWN_SESSION: Final = "Leave out, unless you know the id of another session of this key."
_REPOSITORY: Final = "Repository as URL or owner/name, e.g. acme/app."


class ToolText(msgspec.Struct, frozen=True):
    """One tool. `needed` and the other names are its arguments, each with what it is."""

    name: str
    title: str
    description: str
    needed: dict[str, str]
    other: dict[str, str] = {}

    @property
    def schema(self) -> dict[str, Any]:
        """The arguments as JSON Schema. All are texts, which every agent can send."""
        described = self.needed | self.other | {SESSION_ARGUMENT: _OWN_SESSION}
        return {
            "type": "object",
            "properties": {
                name: {"type": "string", "description": text} for name, text in described.items()
            },
            "required": list(self.needed),
        }


TOOL_TEXTS: Final = (
    ToolText(
        SET_REPOSITORY,
        "Set the session's repository",
        "Say which repository this session works on from now on. Works for GitHub, GitHub "
        "Enterprise, GitLab, Bitbucket and Azure DevOps.",
        {"repo": "URL of the repository or of its remote, or owner/name, e.g. acme/app."},
    ),
    ToolText(
        ADD_PULL_REQUEST,
        "Add a pull request to the session",
        "Note a pull request (or GitLab merge request) that this session opened or works on. "
        "Adding one twice does no harm.",
        {"pullRequest": "Its URL, or its number as 12, #12 or acme/app#12."},
        {"repo": f"{_REPOSITORY} Only needed for a bare number."},
    ),
    ToolText(
        ADD_COMMIT,
        "Add a commit to the session",
        "Note a commit that this session made. Adding one twice does no harm.",
        {"sha": "Its hash, as `git rev-parse HEAD` prints it."},
        {"repo": _REPOSITORY, "branch": "The branch that it was made on."},
    ),
    ToolText(
        SET_NAME,
        "Name the session",
        "Give this session a short name that tells the task to a colleague, e.g. "
        "“Fix login redirect”. A later call renames it.",
        {"name": "At most 100 characters, in the language of the conversation; no secrets."},
    ),
)
