"""The directory in memory: keys, organizations and credentials, refreshed within a second."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

import msgspec

from tidegate.core import errors
from tidegate.core.budget_rules import BudgetIndex
from tidegate.core.errors import Failure
from tidegate.core.limit_rules import LimitIndex
from tidegate.core.model import (
    Billing,
    CredentialMode,
    CredentialRecord,
    DirectorySnapshot,
    KeyRecord,
    OrganizationRecord,
    Provider,
)
from tidegate.core.routing import (
    PROVIDER_OF,
    PROVIDER_TITLE,
    Base,
    Endpoint,
    Route,
    organization_header,
    organization_path,
    parse_base_url,
)
from tidegate.services.vault import hash_secret, unseal

_NO_BUDGETS: Final = BudgetIndex(DirectorySnapshot(-1))
_NO_LIMITS: Final = LimitIndex(())
_BACK_OFF_S: Final = (0.25, 0.5)  # once the store is back, a revocation counts within a second


class SnapshotSource(Protocol):
    """Where snapshots come from; both calls block and are made in a thread."""

    def version(self) -> int: ...
    def snapshot(self) -> DirectorySnapshot: ...


class _Credential(msgspec.Struct, frozen=True):
    record: CredentialRecord
    base: Base
    header: tuple[bytes, bytes]


class _State(msgspec.Struct):
    """One snapshot, indexed. Replaced as a whole, never changed."""

    version: int = -1
    organizations: dict[str, OrganizationRecord] = {}
    keys: dict[str, KeyRecord] = {}
    hashes: dict[str, str] = {}  # secret → hash, of those that came and were valid
    secrets: dict[str, tuple[str, int]] = {}  # hash → key id, end of validity in µs (0: none)
    credentials: dict[str, _Credential] = {}
    defaults: dict[tuple[str, str], str] = {}  # organization, provider → credential id
    budgets: BudgetIndex = _NO_BUDGETS
    limits: LimitIndex = _NO_LIMITS
    squad_models: dict[str, tuple[str, ...]] = {}


class Directory:
    """Looks up who a key belongs to and which credential its requests travel with."""

    def __init__(
        self,
        source: SnapshotSource,
        *,
        lookup: bytes,
        credential: bytes,
        max_age_s: float = 600.0,
        log: Any = None,
    ) -> None:
        self._source = source
        self._lookup = lookup
        self._credential = credential
        self._max_age_s = max_age_s
        self._log = log
        self._state = _State()
        self._confirmed_at = float("-inf")
        # A thread of its own: a revocation must not wait behind other work.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="directory")

    # -- refresh -------------------------------------------------------------

    async def run(self, poll_s: float = 0.25) -> None:
        """Keep the snapshot fresh until cancelled. A store that is away is asked again."""
        failures = 0
        while True:
            try:
                await self.refresh()
                failures = 0
            except Exception as exc:  # noqa: BLE001  # store away, however: the last snapshot serves
                failures += 1
                if failures == 1 and self._log is not None:
                    self._log.warning("directory.unavailable", error=str(exc)[:200])
            pause = _BACK_OFF_S[min(failures, len(_BACK_OFF_S)) - 1] if failures else poll_s
            await asyncio.sleep(pause)

    async def refresh(self) -> None:
        """Ask the store once; load a new snapshot if its version changed."""
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        self._state = await loop.run_in_executor(self._thread, self._current)
        self._confirmed_at = asked_at

    def _current(self) -> _State:
        """The present state, or a new one if the store's version is another."""
        if self._source.version() == self._state.version:
            return self._state
        return self._index(self._source.snapshot())

    def fresh(self, now: float) -> bool:
        """Whether the snapshot may still be trusted. `now` is loop time in seconds."""
        return now - self._confirmed_at <= self._max_age_s

    def _index(self, snapshot: DirectorySnapshot) -> _State:
        state = _State(version=snapshot.version)
        state.organizations = {o.organization_id: o for o in snapshot.organizations}
        state.keys = {k.key_id: k for k in snapshot.keys}
        state.secrets = {s.secret_hash: (s.key_id, s.valid_until_us) for s in snapshot.secrets}
        state.budgets = BudgetIndex(snapshot)
        state.limits = LimitIndex(snapshot.rate_limits)
        state.squad_models = snapshot.squad_models
        state.credentials, state.defaults = {}, {}
        for record in snapshot.credentials:
            if (opened := self._open(record)) is None:
                continue
            state.credentials[record.credential_id] = opened
            if record.is_default:
                state.defaults[record.organization_id, record.provider] = record.credential_id
        return state

    def _open(self, record: CredentialRecord) -> _Credential | None:
        context = f"{record.organization_id}:{record.credential_id}"
        try:
            secret = unseal(self._credential, record.ciphertext, context=context)
            base = parse_base_url(record.base_url)
            header = organization_header(Provider(record.provider), secret)
        except ValueError as exc:  # another master key's, or never checked when it was stored
            if self._log is not None:
                self._log.error(
                    "directory.credential_unusable",
                    credential_id=record.credential_id,
                    error=str(exc)[:200],
                )
            return None
        return _Credential(record, base, header)

    # -- look-ups ------------------------------------------------------------

    def find(self, secret: str, now_us: int) -> tuple[KeyRecord, OrganizationRecord] | None:
        """The key that `secret` belongs to, with its organization, or None."""
        if not secret:
            return None
        state = self._state
        secret_hash = state.hashes.get(secret) or hash_secret(self._lookup, secret)
        found = state.secrets.get(secret_hash)
        if found is None or (found[1] and found[1] <= now_us):
            return None
        state.hashes[secret] = secret_hash  # of valid secrets only, until the next snapshot
        key = self._state.keys.get(found[0])
        organization = self._state.organizations.get(key.organization_id) if key else None
        return (key, organization) if key is not None and organization is not None else None

    @property
    def budgets(self) -> BudgetIndex:
        """The budgets of every key."""
        return self._state.budgets

    @property
    def limits(self) -> LimitIndex:
        """The limits of rate of every key."""
        return self._state.limits

    def squad_of(self, key: KeyRecord) -> str:
        """The squad of a key's member, "" if they are in none."""
        return self._state.budgets.squads.get(key.member_id, "")

    def squad_models(self, key: KeyRecord) -> tuple[str, ...]:
        """The models that a key's squad may use, as globs; empty: every model."""
        models = self._state.squad_models
        return models.get(self.squad_of(key), ()) if models else ()

    def organization_route(self, key: KeyRecord, point: Endpoint) -> Route | Failure:
        """Route a request that travels with its organization's credential."""
        provider = PROVIDER_OF[point.dialect]
        chosen = key.credential_ids.get(provider.value) or self._state.defaults.get(
            (key.organization_id, provider.value)
        )
        found = self._state.credentials.get(chosen) if chosen else None
        if found is None or found.record.organization_id != key.organization_id:
            return errors.no_credential(PROVIDER_TITLE[provider])
        return Route(
            origin=found.base.origin,
            path=organization_path(found.base.path, provider, point.path),
            provider=provider,
            billing=Billing.API,
            credential_id=found.record.credential_id,
            price_table=found.record.price_table,
            set_header=found.header,
        )


def wants_own(key: KeyRecord, *, key_in_own_header: bool, brings_own: bool) -> bool:
    """Whether a request travels with the developer's own login."""
    if key.credential_mode == CredentialMode.OWN:
        return True
    return key.credential_mode == CredentialMode.AUTO and key_in_own_header and brings_own
