"""What the dialogs share: each is a part of the page for htmx, and a page of its own without."""

from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from tidegate.console import formats
from tidegate.console.period_text import date_text, moment_text
from tidegate.console.web import Web, is_partial, peer_of
from tidegate.core.calendar import local_time
from tidegate.core.model import Agent, KeyRecord, Role
from tidegate.services.audit import Actor
from tidegate.services.enrolment import may_manage
from tidegate.services.errors import Forbidden, NotFound
from tidegate.services.logins import Viewer
from tidegate.store.people import MemberRecord
from tidegate.store.ports import AuditEntry, StoredKey

_LAUNCH_NAMES: Final = {
    Agent.CLAUDE_CODE: "claude",
    Agent.CODEX: "codex",
    Agent.OPENCODE: "opencode",
}
_NO_AGENT: Final = "This agent is not enrolled, or was unenrolled meanwhile."
NOT_YOURS: Final = "This belongs to someone else. Ask an admin of the organization."


@dataclass(frozen=True)
class Moment:
    """A time as a dialog shows it, in the organization's zone."""

    iso: str  # UTC
    exact: str  # 3 Nov 2026, 14:02
    day: str  # 3 Nov 2026
    ago: str  # 2 min ago


@dataclass(frozen=True)
class Person:
    """A member by the name that the page shows."""

    member_id: str
    name: str


@dataclass(frozen=True)
class AgentKey:
    """A key with the member whose it is."""

    stored: StoredKey
    person: Person

    @property
    def record(self) -> KeyRecord:
        return self.stored.record

    @property
    def key_id(self) -> str:
        return self.stored.record.key_id


class Dialogs:
    """Shows dialogs, and knows who may have which."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.services = web.services

    def show(
        self, request: Request, viewer: Viewer, template: str, *, status: int = 200, **context: Any
    ) -> Response:
        """A dialog. With `changed` the page behind it renews its parts when it closes."""
        context["home"] = home_of(viewer)
        if is_partial(request):
            return self.web.fragment(request, template, status=status, viewer=viewer, **context)
        current = "my_usage" if viewer.role == Role.MEMBER else "team"
        return self.web.page(
            request, template, status=status, viewer=viewer, current=current, **context
        )

    def moment(self, viewer: Viewer, at_us: int) -> Moment:
        """A time in the zone of the viewer's organization."""
        at = local_time(at_us, ZoneInfo(viewer.time_zone))
        return Moment(
            iso=formats.utc(at_us),
            exact=moment_text(at_us, viewer.time_zone),
            day=date_text(at),
            ago=formats.ago(at_us, self.web.clock(), date=date_text(at)),
        )

    def key(self, viewer: Viewer, key_id: str) -> AgentKey:
        """A key that the viewer may manage; NotFound if it is of no one here, else Forbidden."""
        try:
            stored = self.services.enrolment.key(viewer.organization_id, key_id)
        except NotFound:
            raise NotFound(_NO_AGENT) from None
        if not may_manage(viewer, stored.record):
            raise Forbidden(NOT_YOURS)
        member = self.services.members.get(viewer.organization_id, stored.record.member_id)
        return AgentKey(stored, person(member))

    def last_used_us(self, key: AgentKey) -> int:
        """When the key was last used; 0 if it never was."""
        record = key.record
        used = self.services.team.key_uses(record.organization_id, [record.member_id])
        return used.get(record.key_id, 0)

    def last_change(self, viewer: Viewer, key_id: str, action: str) -> AuditEntry | None:
        """The last time that this was done to a key, as the audit log has it."""
        found = self.services.audit_log.page(
            viewer.organization_id, action=action, target=key_id, limit=1
        )
        return found.entries[0] if found.entries else None

    def who_did(self, viewer: Viewer, entry: AuditEntry | None) -> str:
        """The name of who did it; nothing for the command line."""
        if entry is None:
            return ""
        try:
            member = self.services.members.get(viewer.organization_id, entry.actor)
        except NotFound:
            return ""
        return member.name or member.email


def home_of(viewer: Viewer) -> str:
    """The page that a person lands on."""
    return "/my-usage" if viewer.role == Role.MEMBER else "/"


def actor_of(request: Request, viewer: Viewer) -> Actor:
    """Who the audit log names."""
    return Actor(viewer.member_id, peer_of(request))


def person(member: MemberRecord) -> Person:
    return Person(member.member_id, member.name or member.email)


def launch_name(agent: str) -> str:
    """What `tidegate launch` calls an agent."""
    return _LAUNCH_NAMES[Agent(agent)]


def key_id_of(request: Request) -> str:
    key_id: str = request.path_params["key_id"]
    return key_id
