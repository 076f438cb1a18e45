"""Reading the directory inside a transaction."""

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from tidegate.core.model import (
    CredentialRecord,
    DirectorySnapshot,
    KeyRecord,
    OrganizationRecord,
    SecretRecord,
)
from tidegate.store.ports import (
    EVERY_ENTRY,
    AuditEntry,
    AuditFilter,
    Code,
    StoredCredential,
    StoredKey,
    StoredSecret,
)
from tidegate.store.sql import directory_tables as t
from tidegate.store.sql.directory_alerts import SqlAlertReads
from tidegate.store.sql.directory_budgets import SqlBudgetReads
from tidegate.store.sql.directory_github import SqlGithubReads
from tidegate.store.sql.directory_people import SqlPeopleReads
from tidegate.store.sql.directory_shares import SqlShareReads
from tidegate.store.sql.directory_transaction import Row


class SqlDirectoryReads(
    SqlPeopleReads, SqlBudgetReads, SqlShareReads, SqlGithubReads, SqlAlertReads
):
    """One transaction's view; see `tidegate.store.ports.DirectoryReads`."""

    def organizations(self) -> list[OrganizationRecord]:
        query = sa.select(t.organizations).order_by(t.organizations.c.created_us)
        return [_organization(row) for row in self._rows(query)]

    def organization(self, organization_id: str) -> OrganizationRecord | None:
        query = sa.select(t.organizations).where(
            t.organizations.c.organization_id == organization_id
        )
        return next((_organization(row) for row in self._rows(query)), None)

    def keys(
        self, organization_id: str, member_ids: Collection[str] | None = None
    ) -> list[StoredKey]:
        query = sa.select(t.keys).where(t.keys.c.organization_id == organization_id)
        if member_ids is not None:
            query = query.where(t.keys.c.member_id.in_(member_ids))
        ordered = query.order_by(t.keys.c.created_us, t.keys.c.key_id)
        return [_stored_key(row) for row in self._rows(ordered)]

    def key(self, organization_id: str, key_id: str) -> StoredKey | None:
        query = sa.select(t.keys).where(
            t.keys.c.organization_id == organization_id, t.keys.c.key_id == key_id
        )
        return next((_stored_key(row) for row in self._rows(query)), None)

    def key_by_secret(self, secret_hash: str, now_us: int) -> StoredKey | None:
        query = (
            sa.select(t.keys)
            .join(t.key_secrets, t.key_secrets.c.key_id == t.keys.c.key_id)
            .where(
                t.key_secrets.c.secret_hash == secret_hash,
                (t.key_secrets.c.valid_until_us == 0) | (t.key_secrets.c.valid_until_us > now_us),
            )
        )
        return next((_stored_key(row) for row in self._rows(query)), None)

    def secrets(self, organization_id: str, key_id: str) -> list[StoredSecret]:
        query = sa.select(t.key_secrets).where(
            t.key_secrets.c.organization_id == organization_id, t.key_secrets.c.key_id == key_id
        )
        lasting_last = query.order_by(t.key_secrets.c.valid_until_us.desc())
        return [StoredSecret(**row) for row in self._rows(lasting_last)]

    def credentials(self, organization_id: str) -> list[StoredCredential]:
        query = sa.select(t.credentials).where(t.credentials.c.organization_id == organization_id)
        ordered = query.order_by(t.credentials.c.provider, t.credentials.c.name)
        return [_stored_credential(row) for row in self._rows(ordered)]

    def code(self, code_hash: str, purpose: str, now_us: int) -> Code | None:
        query = sa.select(t.codes).where(
            t.codes.c.code_hash == code_hash,
            t.codes.c.purpose == purpose,
            t.codes.c.used_us == 0,
            t.codes.c.expires_us > now_us,
        )
        return self._code(query)

    def audit(
        self,
        organization_id: str,
        limit: int,
        before_id: str = "",
        only: AuditFilter = EVERY_ENTRY,
    ) -> list[AuditEntry]:
        table = t.audit.c
        query = sa.select(t.audit).where(table.organization_id == organization_id, *_audit(only))
        if before_id:
            query = query.where(table.audit_id < before_id)
        newest = query.order_by(table.audit_id.desc()).limit(limit)
        return [AuditEntry(**row) for row in self._rows(newest)]

    def version(self) -> int:
        return int(self._connection.execute(sa.select(t.versions.c.version)).scalar_one())

    def snapshot(self) -> DirectorySnapshot:
        """Everything the gateways need, of all organizations."""
        secrets = sa.select(
            t.key_secrets.c.secret_hash, t.key_secrets.c.key_id, t.key_secrets.c.valid_until_us
        )
        return DirectorySnapshot(
            version=self.version(),
            organizations=tuple(self.organizations()),
            keys=tuple(_stored_key(row).record for row in self._rows(sa.select(t.keys))),
            secrets=tuple(SecretRecord(**row) for row in self._rows(secrets)),
            credentials=tuple(
                _stored_credential(row).record for row in self._rows(sa.select(t.credentials))
            ),
            **self._policies(),
        )

    def _code(self, query: "sa.Select[Any]") -> Code | None:
        names = Code.__struct_fields__
        codes = (Code(**{name: row[name] for name in names}) for row in self._rows(query))
        return next(codes, None)


def _organization(row: Row) -> OrganizationRecord:
    return OrganizationRecord(
        organization_id=row["organization_id"],
        name=row["name"],
        time_zone=row["time_zone"],
        week_start=row["week_start"],
        allow_own_credential=row["allow_own_credential"],
        allowed_models=tuple(row["allowed_models"]),
        self_enrolment=row["self_enrolment"],
        ledger_days=row["ledger_days"],
        capture_days=row["capture_days"],
        compression_level=row["compression_level"],
        compression_locked=row["compression_locked"],
        compression_default=row["compression_default"],
        holdout_permille=row["holdout_permille"],
        session_tools=row["session_tools"],
    )


def _audit(only: AuditFilter) -> "Iterator[sa.ColumnElement[bool]]":
    table = t.audit.c
    if only.actor:
        yield table.actor == only.actor
    if only.action:
        yield table.action.startswith(only.action, autoescape=True)
    if only.target:
        yield table.target == only.target
    if only.start_us:
        yield table.at_us >= only.start_us
    if only.end_us:
        yield table.at_us < only.end_us


def _stored_key(row: Row) -> StoredKey:
    record = KeyRecord(
        key_id=row["key_id"],
        organization_id=row["organization_id"],
        member_id=row["member_id"],
        agent=row["agent"],
        credential_mode=row["credential_mode"],
        credential_ids=row["credential_ids"],
        allowed_models=tuple(row["allowed_models"]),
        disabled=row["disabled"],
        compression=row["compression"],
        debug_until_us=row["debug_until_us"],
    )
    return StoredKey(record=record, prefix=row["prefix"], created_us=row["created_us"])


def _stored_credential(row: Row) -> StoredCredential:
    record = CredentialRecord(
        credential_id=row["credential_id"],
        organization_id=row["organization_id"],
        provider=row["provider"],
        base_url=row["base_url"],
        ciphertext=row["ciphertext"],
        is_default=row["is_default"],
        price_table=row["price_table"],
    )
    return StoredCredential(
        record=record, name=row["name"], hint=row["hint"], created_us=row["created_us"]
    )
