"""The directory's part on people's access; see `tidegate.store.people`."""

from typing import Final

import msgspec
import sqlalchemy as sa

from tidegate.store.people import (
    AccessTokenRecord,
    IdempotentRecord,
    InvitationRecord,
    LoginMember,
    LoginRecord,
    MailSettingsRecord,
    MemberRecord,
    StoredPassword,
)
from tidegate.store.sql import directory_tables as t
from tidegate.store.sql.directory_transaction import DirectoryTransaction

_HAS_PASSWORD: Final = t.members.c.password_hash != ""
_MEMBER: Final = [c for c in t.members.c if c.name in MemberRecord.__struct_fields__]


class SqlPeopleReads(DirectoryTransaction):
    """Reading, inside a transaction."""

    def members(self, organization_id: str) -> list[MemberRecord]:
        query = sa.select(*_MEMBER).where(t.members.c.organization_id == organization_id)
        return [MemberRecord(**row) for row in self._rows(query.order_by(t.members.c.email))]

    def member(self, organization_id: str, member_id: str) -> MemberRecord | None:
        query = sa.select(*_MEMBER).where(_of_member(t.members, organization_id, member_id))
        return next((MemberRecord(**row) for row in self._rows(query)), None)

    def member_by_email(self, organization_id: str, email: str) -> MemberRecord | None:
        query = sa.select(*_MEMBER).where(
            t.members.c.organization_id == organization_id,
            t.members.c.email == email,
            t.members.c.removed_us == 0,
        )
        return next((MemberRecord(**row) for row in self._rows(query)), None)

    def members_by_email(self, email: str) -> list[MemberRecord]:
        query = sa.select(*_MEMBER).where(t.members.c.email == email, t.members.c.removed_us == 0)
        oldest_first = query.order_by(t.members.c.created_us, t.members.c.member_id)
        return [MemberRecord(**row) for row in self._rows(oldest_first)]

    def password_hash(self, organization_id: str, member_id: str) -> str:
        query = sa.select(t.members.c.password_hash).where(
            _of_member(t.members, organization_id, member_id)
        )
        return self._connection.execute(query).scalar_one_or_none() or ""

    def passwords_by_email(self, email: str) -> list[StoredPassword]:
        names = StoredPassword.__struct_fields__
        query = sa.select(*(t.members.c[name] for name in names)).where(
            t.members.c.email == email, t.members.c.removed_us == 0, _HAS_PASSWORD
        )
        oldest_first = query.order_by(t.members.c.created_us, t.members.c.member_id)
        return [StoredPassword(**row) for row in self._rows(oldest_first)]

    def most_passwords(self) -> int:
        have = sa.select(sa.func.count().label("passwords")).where(
            t.members.c.removed_us == 0, _HAS_PASSWORD
        )
        of_each = have.group_by(t.members.c.email).subquery()
        most = sa.select(sa.func.max(of_each.c.passwords))
        return self._connection.execute(most).scalar_one() or 0

    def invitations(self, organization_id: str, *, pending: bool = False) -> list[InvitationRecord]:
        table = t.invitations
        query = sa.select(table).where(table.c.organization_id == organization_id)
        if pending:
            query = query.where(table.c.accepted_us == 0, table.c.withdrawn_us == 0)
        ordered = query.order_by(table.c.created_us, table.c.invitation_id)
        return [InvitationRecord(**row) for row in self._rows(ordered)]

    def invitation(self, organization_id: str, invitation_id: str) -> InvitationRecord | None:
        found = self.invitation_by_id(invitation_id)
        return found if found and found.organization_id == organization_id else None

    def invitation_by_id(self, invitation_id: str) -> InvitationRecord | None:
        query = sa.select(t.invitations).where(t.invitations.c.invitation_id == invitation_id)
        return next((InvitationRecord(**row) for row in self._rows(query)), None)

    def login(self, login_hash: str, now_us: int) -> LoginRecord | None:
        query = sa.select(t.logins).where(
            t.logins.c.login_hash == login_hash, t.logins.c.expires_us > now_us
        )
        return next((LoginRecord(**row) for row in self._rows(query)), None)

    def logins(self, organization_id: str, member_id: str) -> list[LoginRecord]:
        query = (
            sa.select(t.logins)
            .join(t.login_members, t.login_members.c.login_id == t.logins.c.login_id)
            .where(_of_member(t.login_members, organization_id, member_id))
        )
        newest = query.order_by(t.logins.c.created_us.desc(), t.logins.c.login_id)
        return [LoginRecord(**row) for row in self._rows(newest)]

    def login_members(self, login_id: str) -> list[LoginMember]:
        table = t.login_members
        query = sa.select(table).where(table.c.login_id == login_id)
        ordered = query.order_by(table.c.added_us, table.c.organization_id)
        return [LoginMember(**row) for row in self._rows(ordered)]

    def access_tokens(self, organization_id: str, member_id: str = "") -> list[AccessTokenRecord]:
        table = t.access_tokens
        query = sa.select(table).where(table.c.organization_id == organization_id)
        if member_id:
            query = query.where(table.c.member_id == member_id)
        newest = query.order_by(table.c.created_us.desc(), table.c.token_id.desc())
        return [AccessTokenRecord(**row) for row in self._rows(newest)]

    def access_token_by_hash(self, secret_hash: str) -> AccessTokenRecord | None:
        query = sa.select(t.access_tokens).where(t.access_tokens.c.secret_hash == secret_hash)
        return next((AccessTokenRecord(**row) for row in self._rows(query)), None)

    def idempotent(
        self, organization_id: str, member_id: str, idempotency_key: str
    ) -> IdempotentRecord | None:
        chosen = _of_key(organization_id, member_id, idempotency_key)
        query = sa.select(t.idempotency).where(chosen)
        return next((IdempotentRecord(**row) for row in self._rows(query)), None)

    def mail_settings(self, organization_id: str) -> MailSettingsRecord | None:
        table = t.mail_settings
        query = sa.select(table).where(table.c.organization_id == organization_id)
        return next((MailSettingsRecord(**row) for row in self._rows(query)), None)


class SqlPeopleChange(SqlPeopleReads):
    """Writing, inside a transaction."""

    def add_member(self, record: MemberRecord) -> None:
        self._change(sa.insert(t.members), msgspec.structs.asdict(record))

    def update_member(self, record: MemberRecord) -> None:
        chosen = _of_member(t.members, record.organization_id, record.member_id)
        self._change(sa.update(t.members).where(chosen), msgspec.structs.asdict(record))

    def set_password_hash(
        self, organization_id: str, member_id: str, password_hash: str, at_us: int
    ) -> None:
        chosen = _of_member(t.members, organization_id, member_id)
        row = {"password_hash": password_hash, "password_us": at_us}
        self._write(sa.update(t.members).where(chosen), row)

    def add_invitation(self, record: InvitationRecord) -> None:
        self._change(sa.insert(t.invitations), msgspec.structs.asdict(record))

    def update_invitation(self, record: InvitationRecord) -> None:
        table = t.invitations
        chosen = (table.c.organization_id == record.organization_id) & (
            table.c.invitation_id == record.invitation_id
        )
        self._change(sa.update(table).where(chosen), msgspec.structs.asdict(record))

    def add_login(self, record: LoginRecord) -> None:
        self._write(sa.insert(t.logins), msgspec.structs.asdict(record))
        self.add_login_member(
            LoginMember(
                login_id=record.login_id,
                organization_id=record.organization_id,
                member_id=record.member_id,
                added_us=record.created_us,
            )
        )

    def update_login(self, record: LoginRecord) -> None:
        chosen = t.logins.c.login_id == record.login_id
        self._write(sa.update(t.logins).where(chosen), msgspec.structs.asdict(record))

    def extend_login(self, login_hash: str, last_seen_us: int, expires_us: int) -> None:
        chosen = sa.update(t.logins).where(t.logins.c.login_hash == login_hash)
        self._write(chosen, {"last_seen_us": last_seen_us, "expires_us": expires_us})

    def delete_login(self, organization_id: str, login_id: str) -> None:
        held = sa.select(t.login_members.c.login_id).where(
            t.login_members.c.login_id == login_id,
            t.login_members.c.organization_id == organization_id,
        )
        if self._rows(held):
            self._delete_logins([login_id])

    def delete_ended_logins(self, now_us: int) -> None:
        ended = sa.select(t.logins.c.login_id).where(t.logins.c.expires_us <= now_us)
        self._delete_logins([row["login_id"] for row in self._rows(ended.limit(1000))])

    def add_login_member(self, record: LoginMember) -> None:
        table, row = t.login_members, msgspec.structs.asdict(record)
        chosen = (table.c.login_id == record.login_id) & (
            table.c.organization_id == record.organization_id
        )
        if self._write(sa.update(table).where(chosen), row) == 0:
            self._write(sa.insert(table), row)

    def remove_login_member(
        self, organization_id: str, member_id: str, *, only: str = "", keep: str = ""
    ) -> None:
        for login in self.logins(organization_id, member_id):
            if login.login_id == keep or only not in {"", login.login_id}:
                continue
            left = [
                m
                for m in self.login_members(login.login_id)
                if m.organization_id != organization_id
            ]
            if not left:
                self._delete_logins([login.login_id])
                continue
            held = t.login_members.c.login_id == login.login_id
            mine = _of_member(t.login_members, organization_id, member_id)
            self._write(sa.delete(t.login_members).where(held, mine))
            if login.organization_id == organization_id:
                self.set_login_current(
                    login.login_hash, left[-1].organization_id, left[-1].member_id
                )

    def set_login_current(self, login_hash: str, organization_id: str, member_id: str) -> None:
        chosen = sa.update(t.logins).where(t.logins.c.login_hash == login_hash)
        self._write(chosen, {"organization_id": organization_id, "member_id": member_id})

    def delete_codes(self, organization_id: str, member_id: str, purpose: str = "") -> None:
        chosen = _of_member(t.codes, organization_id, member_id)
        if purpose:
            chosen &= t.codes.c.purpose == purpose
        self._write(sa.delete(t.codes).where(chosen))

    def add_access_token(self, record: AccessTokenRecord) -> None:
        self._write(sa.insert(t.access_tokens), msgspec.structs.asdict(record))

    def update_access_token(self, record: AccessTokenRecord) -> None:
        table = t.access_tokens
        mine = _of_member(table, record.organization_id, record.member_id)
        chosen = sa.update(table).where(mine, table.c.token_id == record.token_id)
        self._write(chosen, msgspec.structs.asdict(record))

    def delete_access_tokens(self, organization_id: str, member_id: str) -> None:
        chosen = _of_member(t.access_tokens, organization_id, member_id)
        self._write(sa.delete(t.access_tokens).where(chosen))

    def add_idempotent(self, record: IdempotentRecord) -> None:
        self._write(sa.insert(t.idempotency), msgspec.structs.asdict(record))

    def update_idempotent(self, record: IdempotentRecord) -> None:
        chosen = _of_key(record.organization_id, record.member_id, record.idempotency_key)
        self._write(sa.update(t.idempotency).where(chosen), msgspec.structs.asdict(record))

    def delete_idempotent(self, organization_id: str, member_id: str, idempotency_key: str) -> None:
        chosen = _of_key(organization_id, member_id, idempotency_key)
        self._write(sa.delete(t.idempotency).where(chosen))

    def delete_old_idempotent(self, before_us: int) -> None:
        self._write(sa.delete(t.idempotency).where(t.idempotency.c.created_us < before_us))

    def put_mail_settings(self, record: MailSettingsRecord) -> None:
        table, row = t.mail_settings, msgspec.structs.asdict(record)
        chosen = table.c.organization_id == record.organization_id
        if self._write(sa.update(table).where(chosen), row) == 0:
            self._write(sa.insert(table), row)

    def delete_mail_settings(self, organization_id: str) -> None:
        table = t.mail_settings
        self._write(sa.delete(table).where(table.c.organization_id == organization_id))

    def _delete_logins(self, login_ids: list[str]) -> None:
        for table in (t.login_members, t.logins):
            self._write(sa.delete(table).where(table.c.login_id.in_(login_ids)))


def _of_member(table: sa.Table, organization_id: str, member_id: str) -> "sa.ColumnElement[bool]":
    return (table.c.organization_id == organization_id) & (table.c.member_id == member_id)


def _of_key(organization_id: str, member_id: str, idempotency_key: str) -> "sa.ColumnElement[bool]":
    mine = _of_member(t.idempotency, organization_id, member_id)
    return mine & (t.idempotency.c.idempotency_key == idempotency_key)
