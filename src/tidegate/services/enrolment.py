"""Enrolment: a member gets a key for a coding agent, and keeps it through rotations."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from tidegate.core.model import Agent, KeyRecord, Role
from tidegate.services import audit, fields
from tidegate.services.audit import COMMAND_LINE, Action, Actor
from tidegate.services.codes import Purpose, hash_code, make_code
from tidegate.services.context import Service
from tidegate.services.errors import Conflict, InvalidCode, InvalidField, NotFound
from tidegate.services.ids import new_id
from tidegate.services.logins import Viewer
from tidegate.services.people_changes import ensure_member, new_member
from tidegate.services.vault import hash_secret, new_secret, seal, unseal
from tidegate.store.people import MemberRecord
from tidegate.store.ports import DirectoryChange, DirectoryReads, StoredKey, StoredSecret

_PREFIX_CHARS: Final = 7  # tg_ and four more, for lists
_MAX_OVERLAP_S: Final = 30 * 86_400
HOUR_US: Final = 3_600_000_000
MAX_DEBUG_HOURS: Final = 7 * 24
_AT_ONCE_US: Final = 30_000_000  # a form that was sent twice
_INVALID: Final = "This code is wrong, was used already, or has expired. Ask for a new one."

_LOCKED: Final = (
    "Your organization decides on compression for all keys; an admin can change it in Settings,"
    " under Compression."
)


class Enrolled(msgspec.Struct, frozen=True):
    """A new key, its secret, and the code that `tidegate login` exchanges for it."""

    member_id: str
    key_id: str
    key: str
    login_code: str


class Exchanged(msgspec.Struct, frozen=True, kw_only=True):
    """What a login code is good for."""

    key: str
    key_id: str
    agent: str
    organization_id: str
    organization_name: str
    email: str


class Enrolment(Service):
    """Keys: one per member and agent, each with a lasting id and one or two valid secrets."""

    def enroll(
        self, organization_id: str, email: str, agent: str, *, actor: Actor = COMMAND_LINE
    ) -> Enrolled:
        """Give a member, who is added if new, a key for an agent."""
        chosen = fields.agent(agent)
        wanted = new_member(organization_id, fields.email_address(email), Role.MEMBER)
        now_us = self._clock()
        with self._directory.changing() as change:
            if change.organization(organization_id) is None:
                raise NotFound("There is no such organization.")
            member = ensure_member(change, actor, now_us, wanted)
            return self._add_key(change, actor, member, chosen)

    def enroll_member(
        self, organization_id: str, member_id: str, agent: str, *, actor: Actor
    ) -> Enrolled:
        """Give a present member a key for an agent."""
        chosen = fields.agent(agent)
        with self._directory.changing() as change:
            member = change.member(organization_id, member_id)
            if member is None or member.removed_us:
                raise NotFound("There is no such member in this organization.")
            return self._add_key(change, actor, member, chosen)

    def login_code(self, organization_id: str, key_id: str, *, actor: Actor = COMMAND_LINE) -> str:
        """Another login code for a key, good for 24 hours."""
        with self._directory.changing() as change:
            record = _key(change, organization_id, key_id).record
            code = self._add_login_code(change, record)
            self._audit(change, actor, "key.login_code", record, {})
        return code

    def exchange(self, code: str, *, address: str = "") -> Exchanged:
        """Exchange a login code for the key it was made for; works once."""
        now_us = self._clock()
        code_hash = hash_code(self._subkeys.login, Purpose.ENROLMENT, code)
        with self._directory.changing() as change:
            used = change.use_code(code_hash, Purpose.ENROLMENT, now_us)
            key = used and change.key(used.organization_id, used.key_id)
            member = used and change.member(used.organization_id, used.member_id)
            organization = used and change.organization(used.organization_id)
            if not (key and member and organization):
                raise InvalidCode(_INVALID)
            secret = self._newest_secret(change, key.record)
            actor = Actor(member.member_id, address)
            self._audit(change, actor, "key.login", key.record, {})
        return Exchanged(
            key=secret,
            key_id=key.record.key_id,
            agent=key.record.agent,
            organization_id=organization.organization_id,
            organization_name=organization.name,
            email=member.email,
        )

    def rotate(
        self,
        organization_id: str,
        key_id: str,
        overlap_s: int = 0,
        *,
        seen_prefix: str = "",
        actor: Actor = COMMAND_LINE,
    ) -> str:
        """Give the key a new secret; the present one stays valid for the overlap.

        Conflict if a prefix is given and the present secret does not begin with it any more.
        """
        if not 0 <= overlap_s <= _MAX_OVERLAP_S:
            raise InvalidField("The overlap is 0 to 30 days.", field="overlap")
        until_us = self._clock() + overlap_s * 1_000_000 if overlap_s else None
        with self._directory.changing() as change:
            key = _key(change, organization_id, key_id)
            if seen_prefix and key.prefix != seen_prefix:
                raise Conflict("The key was rotated a moment ago. Look at it anew first.")
            record = key.record
            change.retire_secrets(organization_id, key_id, until_us)
            secret = self._add_secret(change, organization_id, key_id)
            self._audit(change, actor, "key.rotate", record, {"overlap_s": str(overlap_s)})
        return secret

    def reveal(self, organization_id: str, key_id: str, *, actor: Actor = COMMAND_LINE) -> str:
        """The key's newest secret in clear; that it was shown is written down."""
        with self._directory.changing() as change:
            record = _key(change, organization_id, key_id).record
            secret = self._newest_secret(change, record)
            self._audit(change, actor, "key.reveal", record, {})
        return secret

    def set_key(  # noqa: PLR0913 -- by name beyond the second
        self,
        organization_id: str,
        key_id: str,
        *,
        disabled: bool | None = None,
        credential_mode: str | None = None,
        allowed_models: Sequence[str] | None = None,
        credential_ids: Mapping[str, str] | None = None,
        actor: Actor = COMMAND_LINE,
    ) -> KeyRecord:
        """Change what is given."""
        changes: dict[str, object] = {}
        if disabled is not None:
            changes["disabled"] = disabled
        if credential_mode is not None:
            changes["credential_mode"] = fields.credential_mode(credential_mode)
        if allowed_models is not None:
            changes["allowed_models"] = fields.model_globs(allowed_models)
        with self._directory.changing() as change:
            key = _key(change, organization_id, key_id)
            if credential_ids is not None:
                _refuse_foreign(change, organization_id, credential_ids)
                changes["credential_ids"] = dict(credential_ids)
            record = msgspec.structs.replace(key.record, **changes)
            if record != key.record:
                change.update_key(msgspec.structs.replace(key, record=record))
                before, after = (
                    {name: audit.text(getattr(each, name)) for name in changes}
                    for each in (key.record, record)
                )
                self._audit(change, actor, "key.update", record, audit.changed(before, after))
        return record

    def switch(
        self, organization_id: str, key_id: str, *, compression: bool, actor: Actor
    ) -> KeyRecord:
        """Turn compression of new sessions on or off; if it stands so already it is left alone.

        Conflict if the organization decides for all its keys.
        """
        with self._directory.changing() as change:
            key = _key(change, organization_id, key_id)
            organization = change.organization(organization_id)
            if organization is not None and organization.compression_locked:
                raise Conflict(_LOCKED, field="compression")
            if key.record.compression == compression:
                return key.record
            record = msgspec.structs.replace(key.record, compression=compression)
            change.update_key(msgspec.structs.replace(key, record=record))
            detail = {"compression": "on" if compression else "off"}
            self._audit(change, actor, "key.switch", record, detail)
        return record

    def set_debug(
        self, organization_id: str, key_id: str, *, hours: int, actor: Actor
    ) -> KeyRecord:
        """Capture bodies from now on for so long; a new time replaces the one before.

        The same asked again at once is no change.
        """
        if not 1 <= hours <= MAX_DEBUG_HOURS:
            raise InvalidField("Debug mode is on for 1 hour to 7 days.", field="hours")
        until_us = self._clock() + hours * HOUR_US
        with self._directory.changing() as change:
            key = _key(change, organization_id, key_id)
            if 0 <= until_us - key.record.debug_until_us < _AT_ONCE_US:
                return key.record
            record = msgspec.structs.replace(key.record, debug_until_us=until_us)
            change.update_key(msgspec.structs.replace(key, record=record))
            self._audit(change, actor, "key.debug_on", record, {"hours": str(hours)})
        return record

    def end_debug(self, organization_id: str, key_id: str, *, actor: Actor) -> KeyRecord:
        """Capture nothing more; what was captured stays for its time."""
        with self._directory.changing() as change:
            key = _key(change, organization_id, key_id)
            if not key.record.captures(self._clock()):
                return key.record
            record = msgspec.structs.replace(key.record, debug_until_us=0)
            change.update_key(msgspec.structs.replace(key, record=record))
            self._audit(change, actor, "key.debug_off", record, {})
        return record

    def unenroll(self, organization_id: str, key_id: str, *, actor: Actor = COMMAND_LINE) -> None:
        """Delete the key with its secrets and codes; its usage stays under the member."""
        with self._directory.changing() as change:
            record = _key(change, organization_id, key_id).record
            change.delete_key(organization_id, key_id)
            detail = {"agent": record.agent, "member_id": record.member_id}
            self._audit(change, actor, "key.unenroll", record, detail)

    def key(self, organization_id: str, key_id: str) -> StoredKey:
        """One key, or NotFound."""
        with self._directory.reading() as reads:
            return _key(reads, organization_id, key_id)

    def old_secret_until(self, organization_id: str, key_id: str) -> int:
        """Until when a secret from before the last rotation is valid; 0: there is none."""
        now_us = self._clock()
        with self._directory.reading() as reads:
            secrets = reads.secrets(organization_id, key_id)
        return max((s.valid_until_us for s in secrets if s.valid_until_us > now_us), default=0)

    def list_keys(
        self, organization_id: str, member_ids: Collection[str] | None = None
    ) -> list[StoredKey]:
        """All keys of an organization, or those of some members, oldest first."""
        with self._directory.reading() as reads:
            return reads.keys(organization_id, member_ids)

    def authenticate(self, secret: str) -> KeyRecord | None:
        """The key that a secret belongs to, disabled or not, while the secret is valid."""
        secret_hash = hash_secret(self._subkeys.lookup, secret)
        with self._directory.reading() as reads:
            key = reads.key_by_secret(secret_hash, self._clock())
        return key.record if key else None

    def _add_key(
        self, change: DirectoryChange, actor: Actor, member: MemberRecord, agent: Agent
    ) -> Enrolled:
        _refuse_enrolled(change, member.organization_id, member.member_id, agent)
        organization = change.organization(member.organization_id)
        record = KeyRecord(
            key_id=new_id("key"),
            organization_id=member.organization_id,
            member_id=member.member_id,
            agent=agent,
            compression=organization is None or organization.compression_default,
        )
        change.add_key(StoredKey(record=record, prefix="", created_us=self._clock()))
        secret = self._add_secret(change, record.organization_id, record.key_id)
        code = self._add_login_code(change, record)
        self._audit(change, actor, "key.enroll", record, {"agent": agent})
        return Enrolled(member.member_id, record.key_id, secret, code)

    def _add_secret(self, change: DirectoryChange, organization_id: str, key_id: str) -> str:
        secret = new_secret()
        stored = StoredSecret(
            secret_hash=hash_secret(self._subkeys.lookup, secret),
            organization_id=organization_id,
            key_id=key_id,
            ciphertext=seal(self._subkeys.reveal, secret, context=f"{organization_id}:{key_id}"),
            created_us=self._clock(),
        )
        change.add_secret(stored)
        key = _key(change, organization_id, key_id)
        change.update_key(msgspec.structs.replace(key, prefix=secret[:_PREFIX_CHARS]))
        return secret

    def _newest_secret(self, reads: DirectoryReads, record: KeyRecord) -> str:
        newest = reads.secrets(record.organization_id, record.key_id)[-1]
        context = f"{record.organization_id}:{record.key_id}"
        return unseal(self._subkeys.reveal, newest.ciphertext, context=context)

    def _add_login_code(self, change: DirectoryChange, record: KeyRecord) -> str:
        text, code = make_code(
            self._subkeys.login,
            Purpose.ENROLMENT,
            self._clock(),
            organization_id=record.organization_id,
            member_id=record.member_id,
            key_id=record.key_id,
        )
        change.add_code(code)
        return text

    def _audit(
        self,
        change: DirectoryChange,
        actor: Actor,
        name: str,
        record: KeyRecord,
        detail: dict[str, str],
    ) -> None:
        action = Action(name, record.organization_id, record.key_id, detail)
        audit.record(change, actor, action, self._clock())


def may_manage(viewer: Viewer, key: KeyRecord) -> bool:
    """Whether a viewer may see and change this key: an admin, or the member whose it is."""
    same = viewer.organization_id == key.organization_id
    return same and (viewer.is_admin or viewer.member_id == key.member_id)


def may_enroll(viewer: Viewer, member_id: str) -> bool:
    """Whether a viewer may give a member a key: an admin, or oneself where that is allowed."""
    return viewer.is_admin or (viewer.self_enrolment and viewer.member_id == member_id)


def _key(reads: DirectoryReads, organization_id: str, key_id: str) -> StoredKey:
    key = reads.key(organization_id, key_id)
    if key is None:
        raise NotFound("There is no such key in this organization.", field="key")
    return key


def _refuse_enrolled(
    reads: DirectoryReads, organization_id: str, member_id: str, agent: Agent
) -> None:
    for key in reads.keys(organization_id):
        if key.record.member_id == member_id and key.record.agent == agent:
            raise Conflict(
                f"This member has a {agent.title} key already ({key.record.key_id});"
                " rotate it for a new secret, or unenrol it first.",
                field="agent",
            )


def _refuse_foreign(
    reads: DirectoryReads, organization_id: str, credential_ids: Mapping[str, str]
) -> None:
    known = {c.record.credential_id: c.record.provider for c in reads.credentials(organization_id)}
    for provider, credential_id in credential_ids.items():
        if known.get(credential_id) != provider:
            raise NotFound(
                f"There is no {provider} credential {credential_id} in this organization.",
                field="credential",
            )
