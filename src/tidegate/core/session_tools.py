"""The four tools by which an agent says what its session is about, and how their calls are known.

The same call is seen twice: where the agent makes it, and in the conversation that its next request
brings. Only there is it said which session it was.
"""

import math
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

import msgspec

SET_REPOSITORY: Final = "setSessionGitHubRepo"
ADD_PULL_REQUEST: Final = "addSessionPullRequest"
ADD_COMMIT: Final = "addSessionCommit"
SET_NAME: Final = "setSessionName"
TOOLS: Final = (SET_REPOSITORY, ADD_PULL_REQUEST, ADD_COMMIT, SET_NAME)
SESSION_ARGUMENT: Final = "sessionId"
NEEDLES: Final = (b"setSession", b"addSession")
"""One of these is in the name of each."""

_DEPTH: Final = 4


def tool_of(name: str) -> str:
    """Which of the four a call is of, by the name the model knows it by; empty for another tool.

    Claude Code writes `mcp__SERVER__TOOL`, OpenCode `SERVER_TOOL`, Codex `TOOL` beside a namespace.
    """
    for tool in TOOLS:
        if name.endswith(tool) and name[: -len(tool)][-1:] in {"", "_", ".", "/"}:
            return tool
    return ""


def digest(arguments: Mapping[str, object]) -> str:
    """The same for the same arguments, wherever the call is seen.

    A named session, missing values, the order of names and whether a number is one or is written
    out do not matter.
    """
    given = {name: value for name, value in arguments.items() if name != SESSION_ARGUMENT}
    encoded = msgspec.json.encode(_canonical(given, _DEPTH), order="deterministic")
    return blake2b(encoded, digest_size=16).hexdigest()


def _canonical(value: object, depth: int) -> object:
    if isinstance(value, Mapping):
        if not depth:
            return "…"
        known = {str(name): item for name, item in value.items() if item is not None}
        return {_text(name): _canonical(item, depth - 1) for name, item in known.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item, depth - 1) for item in value] if depth else "…"
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value)) if abs(value) < 1e15 else str(value)
    return _text(str(value).strip())


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
