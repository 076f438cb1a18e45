"""Provider credentials of an organization, encrypted under a key outside the database."""

from typing import Final

import msgspec

from tidegate.core.model import CredentialRecord
from tidegate.services import audit, fields
from tidegate.services.audit import COMMAND_LINE, Action, Actor
from tidegate.services.context import Service
from tidegate.services.errors import Conflict, NotFound
from tidegate.services.ids import new_id
from tidegate.services.vault import seal
from tidegate.store.ports import DirectoryChange, DirectoryReads, StoredCredential

_HINT_CHARS: Final = 4
_HINT_FROM_CHARS: Final = 16  # a shorter secret shows nothing of itself


class Credentials(Service):
    """Several per provider, one of them the default; secrets are never shown again."""

    def set(  # noqa: PLR0913 -- by name beyond the fourth
        self,
        organization_id: str,
        provider: str,
        base_url: str,
        api_key: str,
        *,
        name: str = "",
        default: bool = True,
        price_table: str = "",
        actor: Actor = COMMAND_LINE,
    ) -> str:
        """Add a credential, or replace the one of that provider and name: its id."""
        kind = fields.provider(provider)
        url, secret = fields.base_url(base_url), fields.api_key(api_key)
        label = fields.display_name(name, field="name") if name.strip() else kind.value
        with self._directory.changing() as change:
            if change.organization(organization_id) is None:
                raise NotFound("There is no such organization.")
            before = _named(change, organization_id, kind, label)
            credential_id = before.record.credential_id if before else new_id("crd")
            record = CredentialRecord(
                credential_id=credential_id,
                organization_id=organization_id,
                provider=kind,
                base_url=url,
                ciphertext=seal(
                    self._subkeys.credential, secret, context=f"{organization_id}:{credential_id}"
                ),
                is_default=default,
                price_table=price_table.strip(),
            )
            created_us = before.created_us if before else self._clock()
            change.put_credential(
                StoredCredential(
                    record=record, name=label, hint=_hint(secret), created_us=created_us
                )
            )
            detail = {"provider": kind.value, "name": label, "base_url": url}
            self._audit(change, actor, "credential.set", record, detail)
        return credential_id

    def add(  # noqa: PLR0913 -- by name beyond the fourth
        self,
        organization_id: str,
        provider: str,
        base_url: str,
        api_key: str,
        *,
        name: str = "",
        default: bool | None = None,
        actor: Actor = COMMAND_LINE,
    ) -> str:
        """Add a credential of a new name: its id. The first of a provider is its default."""
        kind = fields.provider(provider)
        label = fields.display_name(name, field="name") if name.strip() else kind.value
        url, secret = fields.base_url(base_url), fields.api_key(api_key)
        with self._directory.changing() as change:
            if change.organization(organization_id) is None:
                raise NotFound("There is no such organization.")
            others = [c for c in change.credentials(organization_id) if c.record.provider == kind]
            if any(c.name.casefold() == label.casefold() for c in others):
                raise Conflict(
                    f"There is a credential “{label}” of this provider already."
                    " Replace its key, or choose another name.",
                    field="name",
                )
            record = CredentialRecord(
                credential_id=new_id("crd"),
                organization_id=organization_id,
                provider=kind,
                base_url=url,
                ciphertext=b"",
                is_default=not others if default is None else default,
            )
            stored = StoredCredential(record=record, name=label, hint="", created_us=self._clock())
            change.put_credential(self._sealed(stored, secret))
            detail = {"provider": kind.value, "name": label, "base_url": url}
            self._audit(change, actor, "credential.set", record, detail)
        return record.credential_id

    def replace(
        self,
        organization_id: str,
        credential_id: str,
        *,
        base_url: str,
        api_key: str,
        actor: Actor = COMMAND_LINE,
    ) -> None:
        """Put another secret, and address, in the place of the old one. Keys stay with it."""
        url, secret = fields.base_url(base_url), fields.api_key(api_key)
        with self._directory.changing() as change:
            found = _found(change, organization_id, credential_id)
            record = msgspec.structs.replace(found.record, base_url=url)
            change.put_credential(
                self._sealed(msgspec.structs.replace(found, record=record), secret)
            )
            detail = {"provider": record.provider, "name": found.name, "base_url": url}
            self._audit(change, actor, "credential.set", record, detail)

    def make_default(
        self, organization_id: str, credential_id: str, *, actor: Actor = COMMAND_LINE
    ) -> None:
        """Send with this one whatever has not chosen another of its provider."""
        with self._directory.changing() as change:
            found = _found(change, organization_id, credential_id)
            if found.record.is_default:
                return
            record = msgspec.structs.replace(found.record, is_default=True)
            change.put_credential(msgspec.structs.replace(found, record=record))
            detail = {"provider": record.provider, "name": found.name}
            self._audit(change, actor, "credential.default", record, detail)

    def get(self, organization_id: str, credential_id: str) -> StoredCredential:
        """One credential, or NotFound."""
        with self._directory.reading() as reads:
            return _found(reads, organization_id, credential_id)

    def list(self, organization_id: str) -> list[StoredCredential]:
        """All credentials, without what they are encrypted from."""
        with self._directory.reading() as reads:
            return reads.credentials(organization_id)

    def available(self, organization_id: str) -> frozenset[str]:
        """The providers that requests can be sent to without an own credential."""
        return frozenset(
            c.record.provider for c in self.list(organization_id) if c.record.is_default
        )

    def remove(
        self, organization_id: str, credential_id: str, *, actor: Actor = COMMAND_LINE
    ) -> None:
        """Delete a credential; keys that had chosen it fall back to the default one."""
        with self._directory.changing() as change:
            found = _found(change, organization_id, credential_id)
            self._unchoose(change, organization_id, credential_id)
            change.delete_credential(organization_id, credential_id)
            detail = {"provider": found.record.provider, "name": found.name}
            self._audit(change, actor, "credential.remove", found.record, detail)

    def _sealed(self, credential: StoredCredential, secret: str) -> StoredCredential:
        record = credential.record
        context = f"{record.organization_id}:{record.credential_id}"
        ciphertext = seal(self._subkeys.credential, secret, context=context)
        return msgspec.structs.replace(
            credential,
            record=msgspec.structs.replace(record, ciphertext=ciphertext),
            hint=_hint(secret),
        )

    def _unchoose(self, change: DirectoryChange, organization_id: str, credential_id: str) -> None:
        for key in change.keys(organization_id):
            kept = {p: c for p, c in key.record.credential_ids.items() if c != credential_id}
            if kept != key.record.credential_ids:
                record = msgspec.structs.replace(key.record, credential_ids=kept)
                change.update_key(msgspec.structs.replace(key, record=record))

    def _audit(
        self,
        change: DirectoryChange,
        actor: Actor,
        name: str,
        record: CredentialRecord,
        detail: dict[str, str],
    ) -> None:
        action = Action(name, record.organization_id, record.credential_id, detail)
        audit.record(change, actor, action, self._clock())


def _found(reads: DirectoryReads, organization_id: str, credential_id: str) -> StoredCredential:
    for credential in reads.credentials(organization_id):
        if credential.record.credential_id == credential_id:
            return credential
    raise NotFound("There is no such credential in this organization; it may be removed already.")


def _named(
    change: DirectoryChange, organization_id: str, provider: str, name: str
) -> StoredCredential | None:
    for credential in change.credentials(organization_id):
        if credential.record.provider == provider and credential.name == name:
            return credential
    return None


def _hint(secret: str) -> str:
    return secret[-_HINT_CHARS:] if len(secret) >= _HINT_FROM_CHARS else ""
