"""Provider credentials of an organization, encrypted under a key outside the database."""

from typing import Final

import msgspec

from tidegate.core.model import CredentialRecord
from tidegate.services import audit, fields
from tidegate.services.audit import COMMAND_LINE, Action, Actor
from tidegate.services.context import Service
from tidegate.services.errors import NotFound
from tidegate.services.ids import new_id
from tidegate.services.vault import seal
from tidegate.store.ports import DirectoryChange, StoredCredential

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
            found = [
                c.record
                for c in change.credentials(organization_id)
                if c.record.credential_id == credential_id
            ]
            if not found:
                raise NotFound("There is no such credential in this organization.")
            self._unchoose(change, organization_id, credential_id)
            change.delete_credential(organization_id, credential_id)
            self._audit(change, actor, "credential.remove", found[0], {})

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


def _named(
    change: DirectoryChange, organization_id: str, provider: str, name: str
) -> StoredCredential | None:
    for credential in change.credentials(organization_id):
        if credential.record.provider == provider and credential.name == name:
            return credential
    return None


def _hint(secret: str) -> str:
    return secret[-_HINT_CHARS:] if len(secret) >= _HINT_FROM_CHARS else ""
