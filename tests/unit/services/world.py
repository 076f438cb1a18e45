"""An organization in a store of its own, at a clock that tests move."""

from pathlib import Path

from tidegate.services.audit import COMMAND_LINE, Actor
from tidegate.services.credentials import Credentials
from tidegate.services.enrolment import Enrolled, Enrolment
from tidegate.services.invitations import Invitations
from tidegate.services.logins import Logins, Viewer
from tidegate.services.members import Members
from tidegate.services.organizations import Organizations
from tidegate.services.password_hashing import PasswordHashing
from tidegate.services.passwords import Passwords
from tidegate.services.usage import UsageReports
from tidegate.services.vault import derive
from tidegate.store.ports import AuditEntry
from tidegate.store.sql.database import open_store

START_US = 1_772_323_200_000_000  # 2026-03-01T00:00:00Z
MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
CHEAP = PasswordHashing(rounds=1, memory_kib=8)
PASSWORD = "correct horse battery staple"


class FakeClock:
    def __init__(self) -> None:
        self.now_us = START_US

    def __call__(self) -> int:
        return self.now_us


class World:
    """The services on a SQLite store, and one organization with its owner."""

    def __init__(self, data_dir: Path) -> None:
        self.clock = FakeClock()
        self.store = open_store(data_dir=data_dir)
        self.subkeys = derive(bytes(range(32)))
        made = (self.store, self.subkeys, self.clock)
        self.organizations = Organizations(*made)
        self.members = Members(*made)
        self.logins = Logins(*made, CHEAP)
        self.passwords = Passwords(*made, CHEAP)
        self.invitations = Invitations(*made, CHEAP)
        self.enrolment = Enrolment(*made)
        self.credentials = Credentials(*made)
        self.usage = UsageReports(self.store)
        founded = self.organizations.bootstrap("Acme", "owner@example.com")
        self.organization_id = founded.organization_id
        self.owner_id = founded.member_id
        self.sign_in_token = founded.sign_in_token

    def enrolled(self, email: str = "dev@example.com", agent: str = "claude_code") -> Enrolled:
        return self.enrolment.enroll(self.organization_id, email, agent)

    @property
    def owner(self) -> Actor:
        return Actor(self.owner_id, "10.0.0.1")

    def join(
        self, email: str = "dev@example.com", role: str = "member", password: str = PASSWORD
    ) -> str:
        """Make someone a member who has a password; the member's id."""
        member = self.members.add(self.organization_id, email, role)
        if password:
            self.set_password(member.member_id, password)
        return member.member_id

    def set_password(self, member_id: str, password: str = PASSWORD) -> None:
        self.passwords.set(
            self.organization_id, member_id, password, current=None, actor=COMMAND_LINE
        )

    def sign_in(self, email: str, password: str = PASSWORD, *, login_secret: str = "") -> str:
        """Sign in; the login's secret."""
        return self.logins.sign_in(
            email, password, address="10.0.0.1", user_agent="Firefox", login_secret=login_secret
        )

    def viewer(self, login_secret: str) -> Viewer:
        viewer = self.logins.viewer(login_secret)
        assert viewer is not None
        return viewer

    def other_organization(self, email: str, password: str = PASSWORD) -> tuple[str, str]:
        """Another organization, owned by someone with this address: its id, the member's."""
        founded = self.organizations.bootstrap("Other", email)
        if password:
            self.passwords.set(
                founded.organization_id,
                founded.member_id,
                password,
                current=None,
                actor=COMMAND_LINE,
            )
        return founded.organization_id, founded.member_id

    def audit(self) -> list[AuditEntry]:
        with self.store.directory.reading() as reads:
            return list(reversed(reads.audit(self.organization_id, 1000)))

    def actions(self) -> list[str]:
        return [entry.action for entry in self.audit()]
