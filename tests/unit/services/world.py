"""An organization in a store of its own, at a clock that tests move."""

from pathlib import Path

from tidegate.services.credentials import Credentials
from tidegate.services.enrolment import Enrolled, Enrolment
from tidegate.services.logins import Logins
from tidegate.services.members import Members
from tidegate.services.organizations import Organizations
from tidegate.services.usage import UsageReports
from tidegate.services.vault import derive
from tidegate.store.ports import AuditEntry
from tidegate.store.sql.database import open_store

START_US = 1_772_323_200_000_000  # 2026-03-01T00:00:00Z
MINUTE_US = 60_000_000
DAY_US = 86_400_000_000


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
        self.logins = Logins(*made)
        self.enrolment = Enrolment(*made)
        self.credentials = Credentials(*made)
        self.usage = UsageReports(self.store)
        founded = self.organizations.bootstrap("Acme", "owner@example.com")
        self.organization_id = founded.organization_id
        self.owner_id = founded.member_id
        self.sign_in_token = founded.sign_in_token

    def enrolled(self, email: str = "dev@example.com", agent: str = "claude_code") -> Enrolled:
        return self.enrolment.enroll(self.organization_id, email, agent)

    def audit(self) -> list[AuditEntry]:
        with self.store.directory.reading() as reads:
            return list(reversed(reads.audit(self.organization_id, 1000)))

    def actions(self) -> list[str]:
        return [entry.action for entry in self.audit()]
