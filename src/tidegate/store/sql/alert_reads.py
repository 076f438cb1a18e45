"""What alerts read of the hours' sums: few rows, so that they may be read every few seconds."""

from typing import Any, Final

import sqlalchemy as sa

from tidegate.store.alerts import HourSums
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.engines import transaction

_ERRORS: Final = tuple(name for name in t.FAULT_COLUMNS if name != "cancelled")
"""Of the faults those that are nobody's wish."""


class SqlAlertSums:
    """See `tidegate.store.alerts.AlertSums`."""

    def __init__(self, reading: sa.Engine) -> None:
        self._reading = reading

    def hours(
        self, organization_id: str, by: str, start_us: int, end_us: int
    ) -> dict[str, HourSums]:
        table = t.hours
        subject: sa.ColumnElement[Any] = table.c[by] if by else sa.literal("")
        cost: sa.ColumnElement[Any] = sum((table.c[name] for name in t.COST_COLUMNS), sa.literal(0))
        errors: sa.ColumnElement[Any] = sum((table.c[name] for name in _ERRORS), sa.literal(0))
        billed = sa.case((table.c.billing == "subscription", 0), else_=cost)
        sums = (table.c.requests, errors, table.c.price_unknown, billed)
        query = (
            sa.select(subject.label("subject"), *(sa.func.sum(each) for each in sums))
            .where(
                table.c.organization_id == organization_id,
                table.c.bucket_start_us >= start_us,
                table.c.bucket_start_us < end_us,
            )
            .group_by(sa.text("subject"))
        )
        with transaction(self._reading) as connection:
            rows = connection.execute(query).all()
        return {str(row[0]): HourSums(*(int(n or 0) for n in row[1:])) for row in rows}

    def last_use_us(self, organization_id: str) -> int:
        query = sa.select(sa.func.max(t.last_uses.c.last_us)).where(
            t.last_uses.c.organization_id == organization_id
        )
        with transaction(self._reading) as connection:
            return int(connection.execute(query).scalar_one() or 0)
