"""Who asks, in which session, from where: read from a request's headers alone."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final
from urllib.parse import unquote

import msgspec

from tidegate.core.attribution import Kind, Method
from tidegate.core.model import KEY_PREFIX, Agent, Link
from tidegate.core.redaction import redact_name
from tidegate.core.remotes import commit_of, normalise_remote, repository_of

_MAX_ID_CHARS: Final = 200  # a longer session id is no agent's
_MAX_PLACE_CHARS: Final = 500
_VERSION: Final = re.compile(
    r"^(claude-cli|claude-code|codex[a-z_-]*|opencode)/([\w.+-]{1,40})", re.I
)
_AGENT_OF: Final = {"claude-cli": Agent.CLAUDE_CODE, "claude-code": Agent.CLAUDE_CODE}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

_TURN_METADATA: Final = b"x-codex-turn-metadata"
_LONGEST_METADATA: Final = 32 << 10


class _Workspace(msgspec.Struct):
    associated_remote_urls: dict[str, str] | None = None
    latest_git_commit_hash: str | None = None


class _TurnMetadata(msgspec.Struct):
    workspaces: dict[str, _Workspace] | None = None


_METADATA: Final = msgspec.json.Decoder(_TurnMetadata)

Headers = Mapping[bytes, bytes]
"""Lower-case names to the value of their first occurrence."""


class ClientFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the headers say of the caller. Text is bounded and free of control characters."""

    agent: Agent | None = None
    version: str = ""
    session: str = ""
    parent_session: str = ""
    subagent: str = ""
    parent_agent: str = ""
    launch_id: str = ""
    repository: str = ""
    branch: str = ""
    commit: str = ""
    links: tuple[Link, ...] = ()  # what Codex says of its workspace, where a launch says nothing


def read_client(headers: Headers) -> ClientFacts:
    """Read the caller's facts; what is absent or absurd is left empty."""
    agent, version = _read_user_agent(headers.get(b"user-agent", b""))
    subagent, parent_agent = _read_subagent(headers)
    facts = ClientFacts(
        agent,
        version,
        _first(headers, b"x-claude-code-session-id", b"x-session-id", b"session-id"),
        _first(headers, b"x-parent-session-id"),
        subagent,
        parent_agent,
        _first(headers, b"x-tidegate-launch"),
        repository_of(_place(headers, b"x-tidegate-repository")) or "",
        _place(headers, b"x-tidegate-branch"),
        _place(headers, b"x-tidegate-commit"),
    )
    if _TURN_METADATA in headers:
        facts = _with_metadata(facts, headers[_TURN_METADATA])
    texts = [text for text in msgspec.structs.astuple(facts) if isinstance(text, str)]
    return facts if redact_name("\n".join(texts)) == "\n".join(texts) else _redacted(facts)


def _with_metadata(facts: ClientFacts, value: bytes) -> ClientFacts:
    """Codex says with each turn which repository and commit are in its folders."""
    if (facts.repository and facts.commit) or len(value) > _LONGEST_METADATA:
        return facts
    try:
        workspaces = _METADATA.decode(value).workspaces or {}
    except (ValueError, RecursionError):  # an agent's own matter
        return facts
    for workspace in workspaces.values():
        urls = workspace.associated_remote_urls or {}
        url = urls.get("origin") or urls.get("upstream") or next(iter(urls.values()), "")
        if repository := normalise_remote(url):
            commit = commit_of(workspace.latest_git_commit_hash or "")
            said = (
                (Kind.REPOSITORY, "" if facts.repository else repository),
                (Kind.COMMIT, "" if facts.commit else commit),
            )
            links = tuple(_of_metadata(kind, value) for kind, value in said if value)
            return msgspec.structs.replace(facts, links=links)
    return facts


def _of_metadata(kind: Kind, value: str) -> Link:
    return Link(kind.value, redact_name(value), Method.TURN_METADATA.value, source="Codex")


def _redacted(facts: ClientFacts) -> ClientFacts:
    """What a client calls things by may hold a secret, and is stored."""
    fields = msgspec.structs.asdict(facts)
    texts = {n: redact_name(v) for n, v in fields.items() if type(v) is str}
    return msgspec.structs.replace(facts, **texts)


def session_id(organization_id: str, key_id: str, client_session: str) -> str:
    """Our id of a session: the same for equal (organization, key, client's id), else another."""
    if not client_session:
        return ""
    name = "\0".join((organization_id, key_id, client_session))
    return "ses_" + blake2b(name.encode("utf-8", "replace"), digest_size=16).hexdigest()


def find_key(headers: Headers) -> tuple[str, bool]:
    """Return our key and whether it came in its own header, so that a login may stand beside it.

    Looks at `x-tidegate-key`, then the bearer, then `x-api-key`, and takes the first that is a
    key of ours. Returns ("", False) where none is.
    """
    own = headers.get(b"x-tidegate-key")
    if own is not None and own.startswith(b"tg_"):
        return own.decode("latin-1"), True
    for value in (bearer(headers), headers.get(b"x-api-key", b"")):
        if value.startswith(b"tg_"):
            return value.decode("latin-1"), False
    return "", False


def bearer(headers: Headers) -> bytes:
    """The bearer credential, or nothing."""
    value = headers.get(b"authorization", b"")
    return value[7:].strip() if value[:7].lower() == b"bearer " else b""


def holds_key(value: bytes) -> bool:
    """Whether a header value is a key of ours, bare or as a bearer; such a value never leaves."""
    return value.startswith(b"tg_") or (
        value[:7].lower() == b"bearer " and value[7:].lstrip().startswith(KEY_PREFIX.encode())
    )


def _read_user_agent(value: bytes) -> tuple[Agent | None, str]:
    match = _VERSION.match(value.decode("latin-1"))
    if match is None:
        return None, ""
    name = match[1].lower()
    if name == "opencode":
        return Agent.OPENCODE, match[2]
    return _AGENT_OF.get(name, Agent.CODEX), match[2]


def _read_subagent(headers: Headers) -> tuple[str, str]:
    """Return (sub-agent, its parent); empty for the main conversation."""
    if claude := _first(headers, b"x-claude-code-agent-id"):
        return claude, _first(headers, b"x-claude-code-parent-agent-id")
    parent = _first(headers, b"x-codex-parent-thread-id")
    if parent or b"x-openai-subagent" in headers:
        return _first(headers, b"thread-id"), parent
    return "", ""


def _first(headers: Headers, *names: bytes) -> str:
    for name in names:
        value = headers.get(name)
        if value:
            text = value.decode("utf-8", "replace")
            return "" if len(text) > _MAX_ID_CHARS or _CONTROL.search(text) else text
    return ""


def _place(headers: Headers, name: bytes) -> str:
    value = headers.get(name)
    if not value:
        return ""
    return _CONTROL.sub("", unquote(value.decode("latin-1")))[:_MAX_PLACE_CHARS]
