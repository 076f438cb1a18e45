"""The directory's part on share links; see `tidegate.store.shares`."""

import msgspec
import sqlalchemy as sa

from tidegate.store.shares import ShareRecord
from tidegate.store.sql import directory_tables as t
from tidegate.store.sql.directory_transaction import DirectoryTransaction


class SqlShareReads(DirectoryTransaction):
    """Reading, inside a transaction."""

    def shares(self, organization_id: str, session_id: str = "") -> list[ShareRecord]:
        table = t.session_shares
        query = sa.select(table).where(table.c.organization_id == organization_id)
        if session_id:
            query = query.where(table.c.session_id == session_id)
        return [ShareRecord(**row) for row in self._rows(query.order_by(table.c.share_id.desc()))]

    def share_by_hash(self, secret_hash: str) -> ShareRecord | None:
        query = sa.select(t.session_shares).where(t.session_shares.c.secret_hash == secret_hash)
        return next((ShareRecord(**row) for row in self._rows(query)), None)


class SqlShareChange(SqlShareReads):
    """Changing, in the same transaction. No gateway needs to know of any of it."""

    def add_share(self, record: ShareRecord) -> None:
        self._write(sa.insert(t.session_shares), msgspec.structs.asdict(record))

    def revoke_share(self, organization_id: str, share_id: str, at_us: int) -> None:
        chosen = sa.update(t.session_shares).where(_one(organization_id, share_id))
        self._write(chosen, {"revoked_us": at_us})

    def count_view(self, organization_id: str, share_id: str, at_us: int) -> None:
        table = t.session_shares
        seen = sa.update(table).where(_one(organization_id, share_id))
        self._write(seen.values(views=table.c.views + 1, last_view_us=at_us))

    def delete_ended_shares(self, before_us: int) -> None:
        self._write(sa.delete(t.session_shares).where(t.session_shares.c.expires_us < before_us))


def _one(organization_id: str, share_id: str) -> "sa.ColumnElement[bool]":
    columns = t.session_shares.c
    return (columns.organization_id == organization_id) & (columns.share_id == share_id)
