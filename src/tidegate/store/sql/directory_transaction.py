"""What the parts of the directory have in common: running statements in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from tidegate.store.sql import directory_tables as t

Row = Mapping[Any, Any]


class DirectoryTransaction:
    """One transaction on the directory."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._is_of_interest = False

    def finish(self) -> None:
        """Raise the version if gateways or the Team page must know of it; before the commit."""
        if self._is_of_interest:
            raised = sa.update(t.versions).values(version=t.versions.c.version + 1)
            self._connection.execute(raised)

    def _rows(self, query: "sa.Select[Any]") -> Sequence[Row]:
        return self._connection.execute(query).mappings().all()

    def _change(self, statement: sa.UpdateBase, row: dict[str, Any] | None = None) -> int:
        """Write something that the gateways' snapshot or the Team page holds."""
        self._is_of_interest = True
        return self._write(statement, row)

    def _write(self, statement: sa.UpdateBase, row: dict[str, Any] | None = None) -> int:
        return self._connection.execute(statement, row).rowcount
