"""See `tidegate.store.past`."""

from typing import Final

import sqlalchemy as sa

from tidegate.store.sql.engines import Lock
from tidegate.store.sql.straight import transactions_on

_COSTS: Final = (
    "SELECT cost FROM (SELECT key_id, model_asked, input_nusd + cache_write_5m_nusd"
    " + cache_write_1h_nusd + cache_read_nusd + output_nusd + extras_nusd AS cost"
    " FROM usage_events WHERE organization_id = ? AND member_id = ?"
    " ORDER BY started_us DESC LIMIT 2000) AS newest"
    " WHERE key_id = ? AND model_asked = ? AND cost > 0 LIMIT 200"
)
_REPOSITORY: Final = (
    "SELECT repository FROM session_places WHERE organization_id = ? AND session_id = ?"
    " AND repository <> '' ORDER BY last_us DESC LIMIT 1"
)


class SqlPast:
    """On the ledger's database."""

    def __init__(self, usage: sa.Engine) -> None:
        self._usage = transactions_on(usage, Lock.USAGE)

    def costs(self, organization_id: str, member_id: str, key_id: str, model: str) -> list[int]:
        with self._usage.read() as ledger:
            rows = ledger.rows(_COSTS, (organization_id, member_id, key_id, model))
        return [int(row[0]) for row in reversed(rows)]

    def repository(self, organization_id: str, session_id: str) -> str:
        with self._usage.read() as ledger:
            rows = ledger.rows(_REPOSITORY, (organization_id, session_id))
        return str(rows[0][0]) if rows else ""

    def close(self) -> None:
        """Close the connections that are kept here."""
        self._usage.close()
