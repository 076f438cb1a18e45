"""What agents say of their sessions by calling our tools.

A wrong call gets a sentence that the model can act on. A call whose session is not known yet is
kept: the next request of the session brings the conversation, and with it the call.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from tidegate.core.attribution import Kind, Method, TimedLink
from tidegate.core.identity import session_id
from tidegate.core.model import Link
from tidegate.core.redaction import redact_name
from tidegate.core.remotes import branch_of, commit_of, pull_request_of, repository_of
from tidegate.core.session_tools import (
    ADD_COMMIT,
    ADD_PULL_REQUEST,
    SESSION_ARGUMENT,
    SET_NAME,
    SET_REPOSITORY,
    TOOLS,
    digest,
)
from tidegate.services import fields
from tidegate.services.context import Clock
from tidegate.services.errors import InvalidField
from tidegate.services.ids import new_id
from tidegate.store.ports import Store
from tidegate.store.sessions import PendingCall, SessionRow

MOST_LINKS: Final = 500
"""That an agent may add to one session."""

_GITHUB: Final = "github.com"
_MAX_TEXT_CHARS: Final = 2_000
_MAX_SHOWN_CHARS: Final = 80
_OUR_SESSION: Final = re.compile(r"ses_[0-9a-f]{32}")
_NUMBER: Final = re.compile(r"[#!]?[0-9]+")
_WAITS: Final = "Noted. It is attached to this session with the session's next request."


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls, as far as headers and the call's own metadata say."""

    organization_id: str
    key_id: str
    launch_id: str = ""
    client_session: str = ""  # what the agent calls its session
    call_id: str = ""  # what the model's answer calls the call


class Told(msgspec.Struct, frozen=True):
    """What the model is told."""

    text: str
    is_error: bool = False


class _Wrong(Exception):
    """The call cannot be obeyed; the text says what to do instead."""


class _Said(msgspec.Struct, frozen=True):
    """What a call says of its session: what it works on, or its name."""

    shown: str
    links: tuple[Link, ...] = ()
    name: str = ""


class SessionCalls:
    """Calls of the four tools, from the first look at their arguments to their links."""

    def __init__(
        self,
        store: Store,
        drain_now: Callable[[], int],
        clock: Clock,
        *,
        most_links: int = MOST_LINKS,
    ) -> None:
        self._usage = store.usage
        self._drain_now = drain_now
        self._clock = clock
        self._most_links = most_links

    def call(self, caller: Caller, tool: str, arguments: Mapping[str, object]) -> Told:
        """Obey a call, or say what is wrong with it. Never raises for what a model sends."""
        try:
            if tool not in TOOLS:
                raise _Wrong(f"There is no tool {_shown(tool)}. There are {', '.join(TOOLS)}.")
            _check(tool, arguments)
            self._drain_now()  # what the session did until now may tell which it is
            named = self._named(caller, arguments)
            row = named or self._found(caller)
            said = _READERS[tool](arguments, row.repository if row else self._near(caller))
            return (
                self._pend(caller, tool, arguments, said)
                if row is None
                else self._obey(caller, row, said)
            )
        except (_Wrong, InvalidField) as wrong:
            return Told(str(wrong), is_error=True)

    def expire(self) -> int:
        """Settle the calls that have waited for a day: how many."""
        return self._usage.links.expire_calls(self._clock())

    # which session

    def _named(self, caller: Caller, arguments: Mapping[str, object]) -> SessionRow | None:
        """The session that the arguments name. One that its agent names as well may be new."""
        given = _text(arguments, SESSION_ARGUMENT)
        if not given:
            return None
        candidates = [given] if _OUR_SESSION.fullmatch(given) else []
        candidates.append(session_id(caller.organization_id, caller.key_id, given))
        for candidate in candidates:
            row = self._own(caller, candidate)
            if row is not None:
                return row
        if given == caller.client_session:
            return None
        raise _Wrong(
            f"Session {_shown(given)} is not one of this key's. Leave {SESSION_ARGUMENT} out: "
            "the session that calls is meant then."
        )

    def _found(self, caller: Caller) -> SessionRow | None:
        """The session that the call itself tells, or the only one of its launch."""
        if caller.client_session:
            return self._own(caller, _agents_session(caller))
        launched = self._launched(caller)
        return self._own(caller, launched[0]) if len(launched) == 1 else None

    def _near(self, caller: Caller) -> str:
        """The repository that a launch is at, for numbers without one."""
        launched = self._launched(caller)
        row = self._own(caller, launched[0]) if launched else None
        return row.repository if row else ""

    def _launched(self, caller: Caller) -> Sequence[str]:
        if not caller.launch_id:
            return ()
        return self._usage.links.newest_sessions(
            caller.organization_id, caller.key_id, caller.launch_id
        )

    def _own(self, caller: Caller, candidate: str) -> SessionRow | None:
        row = self._usage.sessions.one(caller.organization_id, candidate)
        return row if row is not None and row.key_id == caller.key_id else None

    # what becomes of it

    def _pend(
        self, caller: Caller, tool: str, arguments: Mapping[str, object], said: _Said
    ) -> Told:
        self._usage.links.pend(
            PendingCall(
                pending_id=new_id("call"),
                organization_id=caller.organization_id,
                key_id=caller.key_id,
                launch_id=caller.launch_id,
                session_id=_agents_session(caller),
                call_id=caller.call_id,
                tool=tool,
                digest=digest(arguments),
                at_us=self._clock(),
                links=said.links,
                name=said.name,
            )
        )
        return Told(_WAITS)

    def _obey(self, caller: Caller, row: SessionRow, said: _Said) -> Told:
        if said.name:
            return self._rename(caller, row, said.name)
        present = self._usage.links.of(caller.organization_id, row.session_id)
        already = Told(f"Already noted for this session: {said.shown}.")
        [*_, last] = said.links
        if last.kind == Kind.COMMIT and any(
            link.kind == Kind.COMMIT and link.value.startswith(last.value) for link in present
        ):
            return already  # perhaps by its full hash
        if sum(link.method == Method.MCP for link in present) >= self._most_links:
            raise _Wrong(
                f"This session has {self._most_links} such notes already; no more are kept."
            )
        at_us = self._clock()
        links = [
            TimedLink(each.kind, each.value, each.method, at_us, each.certain, each.source)
            for each in said.links
        ]
        if self._usage.links.add(caller.organization_id, row.session_id, links):
            return Told(f"Noted: {said.shown}.")
        return already

    def _rename(self, caller: Caller, row: SessionRow, name: str) -> Told:
        if row.name == name:
            return Told(f"The session is already called {_shown(name)}.")
        renamed = self._usage.links.set_name(
            caller.organization_id, row.session_id, name, method=Method.MCP
        )
        if not renamed:
            return Told("A person has named this session; that name stays. Nothing is left to do.")
        return Told(f"The session is called {_shown(name)} now.")


def _agents_session(caller: Caller) -> str:
    return session_id(caller.organization_id, caller.key_id, caller.client_session)


# -- arguments ---------------------------------------------------------------


def _check(tool: str, arguments: Mapping[str, object]) -> None:
    for name, value in arguments.items():
        is_text = isinstance(value, str) and len(value) <= _MAX_TEXT_CHARS
        if not (value is None or is_text or (type(value) is int and name == "pullRequest")):
            raise _Wrong(f"{tool}: give {_shown(name)} as a short text.")


def _text(arguments: Mapping[str, object], name: str) -> str:
    value = arguments.get(name)
    return "" if value is None else str(value).strip()


def _needed(arguments: Mapping[str, object], name: str, what: str) -> str:
    if text := _text(arguments, name):
        return text
    raise _Wrong(f"Give {name}: {what}.")


def _repository(text: str, current: str) -> str:
    host = current.partition("/")[0] or _GITHUB
    found = repository_of(text, default_host=host)
    if found is None:
        raise _Wrong(
            f"{_shown(text)} is no repository. Give its URL or owner/name, as "
            "https://github.com/acme/app or acme/app; `git remote get-url origin` prints it."
        )
    return found


def _read_repository(arguments: Mapping[str, object], current: str) -> _Said:
    given = _needed(arguments, "repo", "the repository's URL or owner/name")
    found = _repository(given, current)
    return _Said(found, (_link(Kind.REPOSITORY, found, SET_REPOSITORY),))


def _read_pull_request(arguments: Mapping[str, object], current: str) -> _Said:
    given = _needed(arguments, "pullRequest", "the pull request's URL, or its number and repo")
    repo = _text(arguments, "repo")
    near = _repository(repo, current) if repo else current
    found = pull_request_of(given, near)
    if found is not None:
        # A pull request is worked on in its repository, which need not be the one of before.
        return _Said(
            found.value,
            (
                _link(Kind.REPOSITORY, found.repository, ADD_PULL_REQUEST),
                _link(Kind.PULL_REQUEST, found.value, ADD_PULL_REQUEST),
            ),
        )
    if _NUMBER.fullmatch(given) and not near:
        raise _Wrong(
            f"Which repository is {_shown(given)} of? None is known for this session yet. "
            "Give the pull request's URL, or repo as owner/name beside the number."
        )
    raise _Wrong(
        f"{_shown(given)} is no pull request. Give its URL, as "
        "https://github.com/acme/app/pull/12, or a number as 12, #12 or acme/app#12."
    )


def _read_commit(arguments: Mapping[str, object], current: str) -> _Said:
    given = _needed(arguments, "sha", "the commit's hash, as `git rev-parse HEAD` prints it")
    sha = commit_of(given)
    if not sha:
        raise _Wrong(
            f"{_shown(given)} is no commit hash. Give 7 to 64 hexadecimal digits, as "
            "`git rev-parse HEAD` prints them."
        )
    links = []
    if repo := _text(arguments, "repo"):
        links.append(_link(Kind.REPOSITORY, _repository(repo, current), ADD_COMMIT))
    if given_branch := _text(arguments, "branch"):
        branch = branch_of(given_branch)
        if not branch:
            raise _Wrong(f"{_shown(given_branch)} is no name that git gives a branch.")
        links.append(_link(Kind.BRANCH, branch, ADD_COMMIT))
    return _Said(f"commit {sha}", (*links, _link(Kind.COMMIT, sha, ADD_COMMIT)))


def _read_name(arguments: Mapping[str, object], _current: str) -> _Said:
    given = _needed(arguments, "name", "a few words on what the session is about")
    name = fields.display_name(" ".join(given.split()), field="name")
    return _Said(name, name=redact_name(name))


_READERS: Final[dict[str, Callable[[Mapping[str, object], str], _Said]]] = {
    SET_REPOSITORY: _read_repository,
    ADD_PULL_REQUEST: _read_pull_request,
    ADD_COMMIT: _read_commit,
    SET_NAME: _read_name,
}


def _link(kind: Kind, value: str, tool: str) -> Link:
    return Link(kind, redact_name(value), Method.MCP, source=tool)


def _shown(text: str) -> str:
    """What was given, so that it can be recognised, on one line."""
    line = "".join(char if char.isprintable() else " " for char in redact_name(text))
    return f"“{line[:_MAX_SHOWN_CHARS]}{'…' if len(line) > _MAX_SHOWN_CHARS else ''}”"
