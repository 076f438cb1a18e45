"""Sessions as pages, the API and files show them: each with its sub-agents, found by any filter."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

import msgspec

from tidegate.core.attribution import TimedLink
from tidegate.core.model import Outcome, ToolSaving
from tidegate.services.errors import InvalidField, NotFound
from tidegate.services.request_log import NOBODY
from tidegate.store.forge import PullRequest
from tidegate.store.lanes import Lane, LaneMark, SessionLanes
from tidegate.store.log import LogFilter, LogRow, Place
from tidegate.store.ports import Store
from tidegate.store.sessions import (
    AgentSums,
    ModelSums,
    SessionFilter,
    SessionPlace,
    SessionRow,
    SessionSort,
)

__all__ = [
    "FAULTS", "AgentSums", "Lane", "LaneMark", "ModelSums", "PullRequest", "SessionDetail",
    "SessionFilter", "SessionLanes", "SessionPage", "SessionReports", "SessionRow", "SessionSort",
    "TimedLink", "read_place", "write_place",
]  # fmt: skip

SLOTS: Final = 240
MOST_FAILED: Final = 8
_MOST_LOOKED_AT: Final = 20  # sessions of sub-agents
FAULTS: Final = tuple(o.value for o in Outcome if o not in {Outcome.OK, Outcome.CANCELLED})
_BATCH: Final = 500
_ID: Final = re.compile(r"ses_[0-9a-f]{1,64}")
_CURSOR: Final = re.compile(r"([ab])(-?\d{1,19})\.(\S{1,128})")
_AFTER: Final = "a"
_BEFORE: Final = "b"
_PULL_REQUEST: Final = re.compile(r"(.{1,300})#(\d{1,9})")
_NO_SESSION: Final = "There is no such session."


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some sessions, the greatest first. A cursor is for `page`, empty where nothing more is."""

    rows: list[SessionRow]
    previous: str
    next: str
    members: Mapping[str, str]  # names of the rows' members, of removed ones too


class SessionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one session."""

    row: SessionRow
    member: str  # name
    agents: list[AgentSums]
    lanes: SessionLanes
    tool_savings: tuple[ToolSaving, ...]
    links: list[TimedLink]
    pull_requests: Mapping[str, PullRequest]  # by value, as far as the forge told of them
    failed: list[LogRow]  # the newest, some


class SessionReports:
    """Reads only. A `member_id` restricts any of it to what is that member's."""

    def __init__(self, store: Store) -> None:
        self._directory = store.directory
        self._usage = store.usage

    def page(
        self,
        organization_id: str,
        only: SessionFilter,
        sort: SessionSort = SessionSort.LAST,
        *,
        cursor: str = "",
        limit: int = 50,
        member_id: str = "",
    ) -> SessionPage:
        """Some sessions: the first, or those next to another page's."""
        only = _of_member(only, member_id)
        is_before, place = _read_cursor(cursor)
        found: list[SessionRow] = []
        if is_before:
            found = self._usage.sessions.page(organization_id, only, sort, limit + 1, before=place)
        if len(found) <= limit:  # the first page is a whole one
            is_before, place = False, None if is_before else place
            found = self._usage.sessions.page(organization_id, only, sort, limit + 1, after=place)
        has_more = len(found) > limit
        if has_more:
            found = found[1:] if is_before else found[:limit]
        return SessionPage(
            rows=found,
            previous=_cursor(_BEFORE, found, sort) if (has_more if is_before else place) else "",
            next=_cursor(_AFTER, found, sort) if (has_more or is_before) else "",
            members=self.names(organization_id, {row.member_id for row in found}),
        )

    def all(
        self, organization_id: str, only: SessionFilter, sort: SessionSort, *, member_id: str = ""
    ) -> Iterator[list[SessionRow]]:
        """All of them in parts. Those that move in the list meanwhile may be there twice."""
        only, place = _of_member(only, member_id), None
        while rows := self._usage.sessions.page(organization_id, only, sort, _BATCH, after=place):
            yield rows
            place = rows[-1].place(sort)

    def one(self, organization_id: str, session_id: str, *, member_id: str = "") -> SessionRow:
        """A session, by its id or a sub-agent's; NotFound if there is none of that member."""
        found = (
            self._usage.sessions.one(organization_id, session_id)
            if _ID.fullmatch(session_id)
            else None
        )
        if found is None or member_id not in ("", found.member_id):
            raise NotFound(_NO_SESSION)
        return found

    def detail(
        self, organization_id: str, session_id: str, *, member_id: str = ""
    ) -> SessionDetail:
        """One session with all that belongs to it."""
        row = self.one(organization_id, session_id, member_id=member_id)
        links = self._usage.links.of(organization_id, row.session_id)
        agents = self._usage.sessions.agents(organization_id, row.session_id)
        return SessionDetail(
            row=row,
            member=self.names(organization_id, {row.member_id}).get(row.member_id, ""),
            agents=agents,
            lanes=self._usage.lanes.lanes(organization_id, row.session_id, SLOTS),
            tool_savings=self._usage.sessions.tool_savings(organization_id, row.session_id),
            links=links,
            pull_requests=self.pull_requests(
                organization_id, {each.value for each in links} | set(row.pull_requests)
            ),
            failed=self._failed(organization_id, agents),
        )

    def requests(
        self,
        organization_id: str,
        session_id: str,
        *,
        limit: int,
        after: Place | None = None,
        member_id: str = "",
    ) -> list[LogRow]:
        """Requests of a session with its sub-agents', the oldest first."""
        row = self.one(organization_id, session_id, member_id=member_id)
        return self._usage.sessions.requests(organization_id, row.session_id, limit, after=after)

    def links(self, organization_id: str, session_id: str) -> list[TimedLink]:
        """All that said what a session worked on, the earliest first."""
        return self._usage.links.of(organization_id, session_id)

    def branches(self, organization_id: str, limit: int) -> list[str]:
        """Those that sessions worked on, the last used first."""
        return self._usage.sessions.branches(organization_id, limit)

    def pull_requests(
        self, organization_id: str, values: Collection[str]
    ) -> dict[str, PullRequest]:
        """What the forge told of pull requests, by `github.com/acme/app#12`."""
        wanted = {
            value: (match[1], int(match[2]))
            for value in values
            if (match := _PULL_REQUEST.fullmatch(value))
        }
        if not wanted:
            return {}
        known = self._usage.forge.pull_requests(organization_id, list(wanted.values()))
        return {value: known[place] for value, place in wanted.items() if place in known}

    def _failed(self, organization_id: str, agents: list[AgentSums]) -> list[LogRow]:
        """The newest requests that did not end well."""
        faulty = {a.session_id: 0 for a in agents if any(each.errors for each in a.models)}
        found: list[LogRow] = []
        for session_id in list(faulty)[:_MOST_LOOKED_AT]:
            only = LogFilter(session_id=session_id, outcomes=FAULTS)
            found += self._usage.log.page(organization_id, only, MOST_FAILED)
        return sorted(found, key=lambda row: row.place, reverse=True)[:MOST_FAILED]

    def names(self, organization_id: str, member_ids: Collection[str]) -> dict[str, str]:
        """Of members, of removed ones too."""
        if not member_ids:
            return {}
        with self._directory.reading() as reads:
            found = [reads.member(organization_id, member_id) for member_id in member_ids]
        return {member.member_id: member.name or member.email for member in found if member}


def write_place(place: Place) -> str:
    """A request's place in the list of its session."""
    return f"{place.started_us}.{place.event_id}"


def read_place(text: str) -> Place | None:
    """The same back; None for the first page."""
    started_us, _, event_id = text.partition(".")
    return Place(int(started_us), event_id) if started_us.isdecimal() else None


def _of_member(only: SessionFilter, member_id: str) -> SessionFilter:
    if not member_id:
        return only
    is_seen = not only.member_ids or member_id in only.member_ids
    return msgspec.structs.replace(only, member_ids=(member_id if is_seen else NOBODY,))


def _cursor(direction: str, rows: list[SessionRow], sort: SessionSort) -> str:
    if not rows:
        return ""
    place = (rows[0] if direction == _BEFORE else rows[-1]).place(sort)
    return f"{direction}{place.value}.{place.session_id}"


def _read_cursor(cursor: str) -> tuple[bool, SessionPlace | None]:
    """Whether it leads back, and from where."""
    if not cursor:
        return False, None
    if (found := _CURSOR.fullmatch(cursor)) is None:
        raise InvalidField("This place in the list is not one. Begin at its top.", field="at")
    direction, value, session_id = found.groups()
    return direction == _BEFORE, SessionPlace(int(value), session_id)
