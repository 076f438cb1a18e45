"""What the rest of the program may ask of persistence, whatever the database.

Every method takes an organization, except look-ups by a hash that nobody can guess and what the
gateway's snapshot and the drain need of all organizations at once.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

import msgspec

from tidegate.core.model import (
    CredentialRecord,
    DirectorySnapshot,
    KeyRecord,
    OrganizationRecord,
    UsageEvent,
)
from tidegate.store.alerts import AlertChange, AlertReads, AlertSums
from tidegate.store.budgets import BudgetChange, BudgetReads
from tidegate.store.captures import CaptureStore
from tidegate.store.forge import ForgeStore
from tidegate.store.github import GithubChange, GithubReads
from tidegate.store.holds import HoldStore
from tidegate.store.lanes import LaneReads
from tidegate.store.log import LogReads
from tidegate.store.people import PeopleChange, PeopleReads
from tidegate.store.pins import PinStore
from tidegate.store.sessions import LinkStore, SessionReads
from tidegate.store.shares import ShareChange, ShareReads
from tidegate.store.team import TeamReads


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    record: KeyRecord
    prefix: str  # the newest secret's beginning, for lists
    created_us: int


class StoredSecret(msgspec.Struct, frozen=True, kw_only=True):
    secret_hash: str
    organization_id: str
    key_id: str
    ciphertext: bytes
    created_us: int
    valid_until_us: int = 0  # 0: no end


class StoredCredential(msgspec.Struct, frozen=True, kw_only=True):
    record: CredentialRecord
    name: str
    hint: str  # the secret's last characters, for lists
    created_us: int


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """A single-use code, known by its keyed hash only."""

    code_hash: str
    purpose: str  # see services/codes.py
    organization_id: str = ""  # empty for a set-up link: there is no organization yet
    member_id: str = ""
    key_id: str = ""
    created_us: int
    expires_us: int


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    audit_id: str
    organization_id: str
    at_us: int
    actor: str  # a member's id, or "cli"
    action: str  # noun.verb, e.g. key.rotate
    target: str  # id of what was changed
    detail: dict[str, str] = {}  # never a secret
    address: str = ""


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries to read; what is empty or 0 does not matter."""

    actor: str = ""
    action: str = ""  # the beginning of a name, e.g. key.
    target: str = ""
    start_us: int = 0
    end_us: int = 0  # exclusive


EVERY_ENTRY: Final = AuditFilter()


class DirectoryReads(PeopleReads, BudgetReads, AlertReads, ShareReads, GithubReads, Protocol):
    """One consistent view of the directory."""

    def organizations(self) -> list[OrganizationRecord]: ...
    def organization(self, organization_id: str) -> OrganizationRecord | None: ...
    def keys(
        self, organization_id: str, member_ids: Collection[str] | None = None
    ) -> list[StoredKey]:
        """Oldest first; of some members, if any are given."""
        ...

    def key(self, organization_id: str, key_id: str) -> StoredKey | None: ...
    def key_by_secret(self, secret_hash: str, now_us: int) -> StoredKey | None: ...
    def secrets(self, organization_id: str, key_id: str) -> list[StoredSecret]: ...
    def credentials(self, organization_id: str) -> list[StoredCredential]: ...
    def code(self, code_hash: str, purpose: str, now_us: int) -> Code | None: ...
    def audit(
        self,
        organization_id: str,
        limit: int,
        before_id: str = "",
        only: AuditFilter = EVERY_ENTRY,
    ) -> list[AuditEntry]: ...


class DirectoryChange(
    PeopleChange, BudgetChange, AlertChange, ShareChange, GithubChange, DirectoryReads, Protocol
):
    """One transaction; a change that gateways or the Team page must know of raises the version."""

    def add_organization(self, record: OrganizationRecord, created_us: int) -> None: ...
    def update_organization(self, record: OrganizationRecord) -> None: ...
    def add_key(self, key: StoredKey) -> None: ...
    def update_key(self, key: StoredKey) -> None: ...
    def delete_key(self, organization_id: str, key_id: str) -> None: ...
    def add_secret(self, secret: StoredSecret) -> None: ...
    def retire_secrets(self, organization_id: str, key_id: str, until_us: int | None) -> None: ...
    def put_credential(self, credential: StoredCredential) -> None: ...
    def delete_credential(self, organization_id: str, credential_id: str) -> None: ...
    def add_code(self, code: Code) -> None: ...
    def use_code(self, code_hash: str, purpose: str, now_us: int) -> Code | None: ...
    def delete_ended_codes(self, now_us: int) -> None: ...
    def add_audit(self, entry: AuditEntry) -> None: ...


class DirectoryStore(Protocol):
    def version(self) -> int: ...
    def snapshot(self) -> DirectorySnapshot: ...
    def reading(self) -> AbstractContextManager[DirectoryReads]: ...
    def changing(self) -> AbstractContextManager[DirectoryChange]: ...


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What a set of requests amounts to. `cost_nusd` is all of it at list price,
    `subscription_cost_nusd` the part that no one is billed for by token."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nusd: int = 0
    subscription_cost_nusd: int = 0
    estimated: int = 0  # requests of which a part was estimated
    price_unknown: int = 0  # requests priced by the fallback
    saved_tokens: int = 0  # not sent because of compression
    saved_nusd: int = 0  # what they would have cost, part of it on subscriptions

    @property
    def tokens(self) -> int:
        """The headline metric "Tokens"."""
        return (
            self.input_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
            + self.cache_read_tokens
            + self.output_tokens
        )


class Group(msgspec.Struct, frozen=True):
    """The sums of the requests that have these values in common, in the order asked for."""

    values: tuple[str, ...]
    sums: Sums
    last_us: int = 0


class SessionSums(msgspec.Struct, frozen=True, kw_only=True):
    """A session with all that its sub-agents used."""

    session_id: str
    client_session: str
    agent: str
    member_id: str
    key_id: str
    subagents: int
    first_us: int
    last_us: int
    sums: Sums


class SpoolBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Events read from one spool file, and the place in it before and after them."""

    file: str
    start: int
    end: int
    events: Sequence[UsageEvent]


class OffsetMoved(Exception):
    """Someone else drained the same part of a spool file meanwhile; read it anew."""


class EventRefused(Exception):
    """The database takes an event of the batch for unfit; nothing of the batch was written."""


class StoreUnavailable(Exception):
    """The database is away, full or busy for too long: the same may work later."""


class UsageStore(Protocol):
    # the drain's side
    def offset(self, file: str) -> int: ...
    def record(self, batch: SpoolBatch) -> int: ...
    def forget(self, file: str) -> None: ...
    def adopt_zones(self, zones: dict[str, str]) -> None: ...
    # the reports' side
    def time_zone(self, organization_id: str) -> str: ...
    def ledger_sums(
        self, organization_id: str, by: Sequence[str], *, launch_id: str = "", key_id: str = ""
    ) -> list[Group]: ...
    def session_sums(self, organization_id: str) -> list[SessionSums]: ...
    def rollup_sums(
        self,
        organization_id: str,
        by: Sequence[str],
        *,
        bucket: str,
        start_us: int,
        end_us: int,
        member_id: str = "",
    ) -> list[Group]: ...
    def events(self, organization_id: str, limit: int = 100) -> list[UsageEvent]: ...
    @property
    def team(self) -> TeamReads: ...
    @property
    def log(self) -> LogReads: ...
    @property
    def captures(self) -> CaptureStore: ...
    @property
    def pins(self) -> PinStore: ...
    @property
    def alert_sums(self) -> AlertSums: ...
    @property
    def forge(self) -> ForgeStore: ...
    @property
    def lanes(self) -> LaneReads: ...
    @property
    def links(self) -> LinkStore: ...
    @property
    def sessions(self) -> SessionReads: ...
    # retention
    def drop_ledger_before(self, organization_id: str, at_us: int) -> None:
        """Say that the ledger of before a day's start goes; sums of it are never made anew."""
        ...

    def delete_dropped(self, organization_id: str, most: int) -> int:
        """Delete some of the rows that are to go: how many. 0: none is left."""
        ...


class Store(Protocol):
    """The halves of persistence; they may live in different databases."""

    @property
    def directory(self) -> DirectoryStore: ...
    @property
    def usage(self) -> UsageStore: ...
    @property
    def holds(self) -> HoldStore: ...
    def close(self) -> None: ...
