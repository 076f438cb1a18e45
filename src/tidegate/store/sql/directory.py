"""The directory on SQL: consistent reads, and changes that raise its version."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import sqlalchemy as sa

from tidegate.core.model import DirectorySnapshot, OrganizationRecord
from tidegate.store.ports import (
    AuditEntry,
    Code,
    DirectoryChange,
    DirectoryReads,
    StoredCredential,
    StoredKey,
    StoredSecret,
)
from tidegate.store.sql import directory_tables as t
from tidegate.store.sql.directory_alerts import SqlAlertChange
from tidegate.store.sql.directory_budgets import SqlBudgetChange
from tidegate.store.sql.directory_github import SqlGithubChange
from tidegate.store.sql.directory_people import SqlPeopleChange
from tidegate.store.sql.directory_reads import SqlDirectoryReads
from tidegate.store.sql.directory_shares import SqlShareChange
from tidegate.store.sql.engines import Lock, reading, transaction, writing


class SqlDirectoryStore:
    """See `tidegate.store.ports.DirectoryStore`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._reading = reading(engine)
        self._writing = writing(engine, Lock.DIRECTORY)

    def version(self) -> int:
        with transaction(self._reading) as connection:
            return SqlDirectoryReads(connection).version()

    def snapshot(self) -> DirectorySnapshot:
        with transaction(self._reading) as connection:
            return SqlDirectoryReads(connection).snapshot()

    @contextmanager
    def reading(self) -> Iterator[DirectoryReads]:
        with transaction(self._reading) as connection:
            yield SqlDirectoryReads(connection)

    @contextmanager
    def changing(self) -> Iterator[DirectoryChange]:
        with transaction(self._writing) as connection:
            change = SqlDirectoryChange(connection)
            yield change
            change.finish()


class SqlDirectoryChange(
    SqlPeopleChange,
    SqlBudgetChange,
    SqlAlertChange,
    SqlShareChange,
    SqlGithubChange,
    SqlDirectoryReads,
):
    """One writing transaction; see `tidegate.store.ports.DirectoryChange`."""

    def add_organization(self, record: OrganizationRecord, created_us: int) -> None:
        row = {**msgspec.structs.asdict(record), "created_us": created_us}
        self._change(sa.insert(t.organizations), row)

    def update_organization(self, record: OrganizationRecord) -> None:
        chosen = t.organizations.c.organization_id == record.organization_id
        self._change(sa.update(t.organizations).where(chosen), msgspec.structs.asdict(record))

    def add_key(self, key: StoredKey) -> None:
        self._change(sa.insert(t.keys), _flat(key))

    def update_key(self, key: StoredKey) -> None:
        chosen = self._of(t.keys, key.record.organization_id, key.record.key_id)
        self._change(sa.update(t.keys).where(chosen), _flat(key))

    def delete_key(self, organization_id: str, key_id: str) -> None:
        for table in (t.key_secrets, t.codes, t.keys):
            self._change(sa.delete(table).where(self._of(table, organization_id, key_id)))

    def add_secret(self, secret: StoredSecret) -> None:
        self._change(sa.insert(t.key_secrets), msgspec.structs.asdict(secret))

    def retire_secrets(self, organization_id: str, key_id: str, until_us: int | None) -> None:
        chosen = self._of(t.key_secrets, organization_id, key_id)
        ending = t.key_secrets.c.valid_until_us != 0
        if until_us is None:
            self._change(sa.delete(t.key_secrets).where(chosen))
        else:
            self._change(sa.delete(t.key_secrets).where(chosen, ending))
            row = {"valid_until_us": until_us}
            self._change(sa.update(t.key_secrets).where(chosen), row)

    def put_credential(self, credential: StoredCredential) -> None:
        row, table = _flat(credential), t.credentials
        organization_id, provider = row["organization_id"], row["provider"]
        mine = table.c.organization_id == organization_id
        if credential.record.is_default:
            others = sa.update(table).where(mine, table.c.provider == provider)
            self._change(others, {"is_default": False})
        chosen = sa.update(table).where(mine, table.c.credential_id == row["credential_id"])
        if self._change(chosen, row) == 0:
            self._change(sa.insert(table), row)

    def delete_credential(self, organization_id: str, credential_id: str) -> None:
        table = t.credentials
        mine = table.c.organization_id == organization_id
        self._change(sa.delete(table).where(mine, table.c.credential_id == credential_id))

    def add_code(self, code: Code) -> None:
        self._write(sa.insert(t.codes), {**msgspec.structs.asdict(code), "used_us": 0})

    def use_code(self, code_hash: str, purpose: str, now_us: int) -> Code | None:
        chosen = t.codes.c.code_hash == code_hash
        unused = sa.update(t.codes).where(
            chosen,
            t.codes.c.purpose == purpose,
            t.codes.c.used_us == 0,
            t.codes.c.expires_us > now_us,
        )
        if self._write(unused, {"used_us": now_us}) != 1:
            return None
        return self._code(sa.select(t.codes).where(chosen))

    def delete_ended_codes(self, now_us: int) -> None:
        self._write(sa.delete(t.codes).where(t.codes.c.expires_us <= now_us))

    def add_audit(self, entry: AuditEntry) -> None:
        self._write(sa.insert(t.audit), msgspec.structs.asdict(entry))

    def _of(self, table: sa.Table, organization_id: str, key_id: str) -> "sa.ColumnElement[bool]":
        return (table.c.organization_id == organization_id) & (table.c.key_id == key_id)


def _flat(stored: StoredKey | StoredCredential) -> dict[str, Any]:
    row = msgspec.structs.asdict(stored)
    del row["record"]
    return {**row, **msgspec.structs.asdict(stored.record)}
