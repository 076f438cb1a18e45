"""The table of what is put aside for requests: a row for each of a request's hard budgets."""

import sqlalchemy as sa

holds_metadata = sa.MetaData()

holds = sa.Table(
    "holds",
    holds_metadata,
    sa.Column("event_id", sa.Text, primary_key=True, nullable=False),
    sa.Column("budget_id", sa.Text, primary_key=True, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("organization_id", sa.Text, nullable=False),
    sa.Column("started_us", sa.BigInteger, nullable=False),
    sa.Column("amount_nusd", sa.BigInteger, nullable=False),
    sa.Column("bound_nusd", sa.BigInteger, nullable=False),
    sa.Column("settled_us", sa.BigInteger, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("worker", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""Kept until the ledger has the request. A row that was settled holds what it cost; 0: not yet."""

sa.Index(
    "holds_by_budget",
    holds.c.budget_id,
    holds.c.subject,
    holds.c.started_us,
    holds.c.amount_nusd,
    holds.c.bound_nusd,
    holds.c.settled_us,
)
"""Sums are made from it alone."""
sa.Index("holds_by_worker", holds.c.worker)

holders = sa.Table(
    "holders",
    holds_metadata,
    sa.Column("worker", sa.Text, primary_key=True, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("boot", sa.Text, nullable=False),
    sa.Column("renewed_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""When each worker last said that it lives: by a clock that runs on evenly since `boot`."""
