"""Access tokens: what a member's programs use the API with, in the member's name."""

from enum import StrEnum
from typing import Final

import msgspec

from tidegate.services import audit, fields
from tidegate.services.audit import COMMAND_LINE, Action, Actor
from tidegate.services.context import Service
from tidegate.services.errors import Conflict, InvalidField, NotFound
from tidegate.services.ids import new_id
from tidegate.services.logins import Viewer, viewer_of
from tidegate.services.vault import hash_secret, new_token
from tidegate.store.people import AccessTokenRecord
from tidegate.store.ports import DirectoryChange, DirectoryReads

TOKEN_PREFIX: Final = "tgp_"  # noqa: S105  no secret
MAX_DAYS: Final = 366
_PREFIX_CHARS: Final = 8  # tgp_ and four more, for lists
_MOST: Final = 50  # that a member can hold at a time
_DAY_US: Final = 86_400_000_000
_USED_EVERY_US: Final = 60_000_000


class Scope(StrEnum):
    """What a token may do."""

    READ = "read"
    WRITE = "write"


class MadeToken(msgspec.Struct, frozen=True):
    """A new token and its secret, which is not shown again."""

    record: AccessTokenRecord
    secret: str

    def __repr__(self) -> str:
        return f"MadeToken({self.record.token_id})"


class AccessTokens(Service):
    """Only keyed hashes of them are stored; a token dies with its member."""

    def create(
        self,
        organization_id: str,
        member_id: str,
        name: str,
        scope: str,
        *,
        days: int | None = None,
        actor: Actor = COMMAND_LINE,
    ) -> MadeToken:
        """A new token, good for so many days, or until it is revoked."""
        label = fields.display_name(name, field="name")
        if scope not in list(Scope):
            raise InvalidField("A token may read, or read and write.", field="scope")
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise InvalidField(f"A token lasts 1 to {MAX_DAYS} days, or has no end.", field="days")
        now_us, secret = self._clock(), TOKEN_PREFIX + new_token()
        record = AccessTokenRecord(
            token_id=new_id("tok"),
            organization_id=organization_id,
            member_id=member_id,
            name=label,
            secret_hash=self._hash(secret),
            prefix=secret[:_PREFIX_CHARS],
            scope=scope,
            created_us=now_us,
            expires_us=now_us + days * _DAY_US if days else 0,
        )
        with self._directory.changing() as change:
            _refuse_absent(change, organization_id, member_id)
            _refuse_more(_valid(change, record, now_us), label)
            change.add_access_token(record)
            detail = {"name": label, "scope": scope, "days": str(days) if days else "no end"}
            self._audit(change, actor, "access_token.create", record, detail)
        return MadeToken(record, secret)

    def list(self, organization_id: str, member_id: str) -> list[AccessTokenRecord]:
        """A member's tokens that were not revoked, expired ones too, newest first."""
        with self._directory.reading() as reads:
            tokens = reads.access_tokens(organization_id, member_id)
        present = [token for token in tokens if not token.revoked_us]
        return sorted(present, key=lambda t: (t.created_us, t.token_id), reverse=True)

    def revoke(
        self,
        organization_id: str,
        token_id: str,
        *,
        by: str | None = None,
        actor: Actor = COMMAND_LINE,
    ) -> None:
        """End a token: one of the member `by`, or of anyone (None, for admins)."""
        with self._directory.changing() as change:
            for token in change.access_tokens(organization_id, by or ""):
                if token.token_id == token_id and not token.revoked_us:
                    ended = msgspec.structs.replace(token, revoked_us=self._clock())
                    change.update_access_token(ended)
                    detail = {"name": token.name, "member_id": token.member_id}
                    self._audit(change, actor, "access_token.revoke", token, detail)
                    return
        raise NotFound("There is no such access token.")

    def authenticate(self, secret: str) -> Viewer | None:
        """Who asks with this token, while it is good; that it was used is noted by the minute."""
        if not secret.startswith(TOKEN_PREFIX):
            return None
        now_us, secret_hash = self._clock(), self._hash(secret)
        with self._directory.reading() as reads:
            token = reads.access_token_by_hash(secret_hash)
            if token is None or not _good(token, now_us):
                return None
            viewer = viewer_of(reads, token.organization_id, token.member_id)
        if viewer is None:
            return None
        if now_us - token.last_used_us >= _USED_EVERY_US:
            self._note_use(secret_hash, now_us)
        return msgspec.structs.replace(viewer, scope=token.scope)

    def _note_use(self, secret_hash: str, now_us: int) -> None:
        with self._directory.changing() as change:
            token = change.access_token_by_hash(secret_hash)
            if token is not None and not token.revoked_us:
                change.update_access_token(msgspec.structs.replace(token, last_used_us=now_us))

    def _hash(self, secret: str) -> str:
        return hash_secret(self._subkeys.login, f"access token {secret}")

    def _audit(
        self,
        change: DirectoryChange,
        actor: Actor,
        name: str,
        record: AccessTokenRecord,
        detail: dict[str, str],
    ) -> None:
        action = Action(name, record.organization_id, record.token_id, detail)
        audit.record(change, actor, action, self._clock())


def _good(token: AccessTokenRecord, now_us: int) -> bool:
    return not token.revoked_us and (not token.expires_us or now_us < token.expires_us)


def _valid(reads: DirectoryReads, of: AccessTokenRecord, now_us: int) -> list[AccessTokenRecord]:
    tokens = reads.access_tokens(of.organization_id, of.member_id)
    return [token for token in tokens if _good(token, now_us)]


def _refuse_absent(reads: DirectoryReads, organization_id: str, member_id: str) -> None:
    member = reads.member(organization_id, member_id)
    if member is None or member.removed_us:
        raise NotFound("There is no such member in this organization.")


def _refuse_more(present: list[AccessTokenRecord], name: str) -> None:
    if any(token.name == name for token in present):
        raise Conflict(
            f"There is an access token “{name}” already; revoke it first, or choose another name.",
            field="name",
        )
    if len(present) >= _MOST:
        raise Conflict(f"At most {_MOST} access tokens; revoke one first.", field="name")
