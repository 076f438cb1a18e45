"""Sums of the team in a time range. See `tidegate.store.team`."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.comparison import SessionGroup
from tidegate.core.figures import Figures
from tidegate.core.spans import Slice, Span
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.engines import transaction
from tidegate.store.team import ModelSums, PlaceSums

_DEFAULT_ZONE: Final = "UTC"
_WIDE: Final = {Span.HOUR: t.hours, Span.DAY: t.days}


class SqlTeamReads:
    """See `tidegate.store.team.TeamReads`."""

    def __init__(self, reading: sa.Engine) -> None:
        self._reading = reading

    def version(self, organization_id: str) -> int:
        """Raised with every drained event and every change of the zone."""
        mine = t.versions.c.organization_id == organization_id
        query = sa.select(t.versions.c.version).where(mine)
        return self._one(query) or 0

    def changes(self, organization_id: str, part: Slice) -> int:
        table = t.bucket_changes
        query = sa.select(sa.func.sum(table.c.changes)).where(
            table.c.organization_id == organization_id,
            table.c.span == part.span.value,
            table.c.bucket_start_us >= part.start_us,
            table.c.bucket_start_us < part.end_us,
        )
        return int(self._one(query) or 0)

    def time_zone(self, organization_id: str) -> str:
        """The zone that the organization's sums are in."""
        mine = t.zones.c.organization_id == organization_id
        return self._one(sa.select(t.zones.c.time_zone).where(mine)) or _DEFAULT_ZONE

    def totals(self, organization_id: str, slices: Sequence[Slice]) -> dict[int, Figures]:
        table = t.totals
        columns = [table.c.bucket_start_us, *_figure_columns(table)]
        rows = self._rows(_united(table, columns, organization_id, slices))
        return {bucket: _figures(numbers) for bucket, *numbers in rows}

    def member_buckets(
        self, organization_id: str, part: Slice, member_ids: Sequence[str]
    ) -> dict[tuple[str, int], Figures]:
        table = t.by_member
        columns = (table.c.member_id, table.c.bucket_start_us, *_figure_columns(table))
        query = sa.select(*columns).where(
            table.c.organization_id == organization_id,
            table.c.span == part.span.value,
            table.c.bucket_start_us.in_(_buckets(organization_id, part)),
            table.c.member_id.in_(member_ids),
        )
        rows = self._rows(query)
        return {(member_id, bucket): _figures(numbers) for member_id, bucket, *numbers in rows}

    def member_sums(
        self, organization_id: str, slices: Sequence[Slice], member_ids: Sequence[str] = ()
    ) -> dict[str, Figures]:
        table = t.by_member
        columns = [table.c.member_id, *_figure_columns(table)]
        only = [table.c.member_id.in_(member_ids)] if member_ids else []
        parts = _united(table, columns, organization_id, slices, *only).subquery()
        sums = [sa.func.sum(parts.c[name]) for name in t.FIGURES]
        rows = self._rows(sa.select(parts.c.member_id, *sums).group_by(parts.c.member_id))
        return {member_id: _figures(numbers) for member_id, *numbers in rows}

    def place_sums(self, organization_id: str, slices: Sequence[Slice]) -> list[PlaceSums]:
        table = t.by_repository
        names = ("repository", "pull_request", *t.FIGURES, "sessions_ended", "last_us")
        columns = [table.c[name] for name in names]
        whole = _united(table, columns, organization_id, slices, table.c.pull_request == "")
        pulls = _united(table, columns, organization_id, slices, table.c.pull_request != "")
        parts = whole.subquery()
        added = [parts.c.repository, parts.c.pull_request, *_added(parts, names[2:])]
        query = sa.select(*added).group_by(parts.c.repository, parts.c.pull_request)
        return [PlaceSums(*row) for each in (query, pulls) for row in self._rows(each)]

    def sessions_after(
        self, organization_id: str, slices: Sequence[Slice]
    ) -> dict[tuple[str, str], int]:
        table = t.by_repository
        by = [table.c.repository, table.c.pull_request]
        names = ("sessions_ended", "sessions_begun")
        columns = [*by, *(table.c[name] for name in names)]
        parts = _united(table, columns, organization_id, slices).subquery()
        places = (parts.c.repository, parts.c.pull_request)
        ended, begun = _added(parts, names)
        query = sa.select(*places, ended - begun).group_by(*places).having(ended != begun)
        return {(name, number): sessions for name, number, sessions in self._rows(query)}

    def model_sums(self, organization_id: str, part: Slice, member_id: str) -> list[ModelSums]:
        table = _WIDE[part.span]
        cost: sa.ColumnElement[int] = sum(
            (table.c[name] for name in t.COST_COLUMNS[1:]), table.c[t.COST_COLUMNS[0]]
        )
        tokens: sa.ColumnElement[int] = sum(
            (table.c[name] for name in t.COUNTED_TOKENS[1:]), table.c[t.COUNTED_TOKENS[0]]
        )
        is_subscription = table.c.billing == "subscription"
        by = (table.c.agent, table.c.model)
        query = sa.select(
            *by,
            sa.func.sum(sa.case((is_subscription, 0), else_=cost)),
            sa.func.sum(sa.case((is_subscription, cost), else_=0)),
            sa.func.sum(tokens),
            sa.func.sum(table.c.requests),
            sa.func.sum(table.c.saved_tokens),
            sa.func.sum(sa.case((is_subscription, 0), else_=table.c.saved_nusd)),
            sa.func.sum(sa.case((is_subscription, table.c.saved_nusd), else_=0)),
            sa.func.max(table.c.last_us),
        ).where(
            table.c.organization_id == organization_id,
            table.c.bucket_start_us.in_(_buckets(organization_id, part)),
            table.c.member_id == member_id,
        )
        return [
            ModelSums(agent, model, _figures(numbers), int(last_us))
            for agent, model, *numbers, last_us in self._rows(query.group_by(*by))
        ]

    def session_groups(
        self, organization_id: str, start_us: int, end_us: int
    ) -> dict[str, SessionGroup]:
        table = t.sessions.c
        mean = sa.cast(table.cost_nusd, sa.Float) / table.requests
        prompt = table.input_tokens + table.cache_write_5m_tokens + table.cache_write_1h_tokens
        counts = (table.requests, prompt + table.cache_read_tokens)
        more = (table.cache_read_tokens, table.cost_nusd)
        sums = [sa.func.sum(each) for each in (*counts, *more, mean, mean * mean)]
        query = (
            sa.select(table.compression, sa.func.count(), *sums)
            .where(
                table.organization_id == organization_id,
                table.last_us >= start_us,
                table.last_us < end_us,
                table.compression != "",
                table.requests > 0,
            )
            .group_by(table.compression)
        )
        return {
            kind: SessionGroup(
                sessions=int(sessions),
                requests=int(requests),
                prompt_tokens=int(tokens),
                cache_read_tokens=int(read),
                cost_nusd=int(cost),
                means=float(means),
                squares=float(squares),
            )
            for kind, sessions, requests, tokens, read, cost, means, squares in self._rows(query)
        }

    def member_uses(self, organization_id: str) -> dict[str, int]:
        columns = t.last_uses.c
        query = sa.select(columns.member_id, sa.func.max(columns.last_us))
        mine = columns.organization_id == organization_id
        return dict(self._rows(query.where(mine).group_by(columns.member_id)))

    def key_uses(self, organization_id: str, member_ids: Sequence[str] = ()) -> dict[str, int]:
        columns = t.last_uses.c
        query = sa.select(columns.key_id, sa.func.max(columns.last_us)).where(
            columns.organization_id == organization_id
        )
        if member_ids:
            query = query.where(columns.member_id.in_(member_ids))
        return dict(self._rows(query.group_by(columns.key_id)))

    def _rows(self, query: "sa.Executable") -> Sequence[Any]:
        with transaction(self._reading) as connection:
            return connection.execute(query).all()

    def _one(self, query: "sa.Select[tuple[Any]]") -> Any:
        with transaction(self._reading) as connection:
            return connection.execute(query).scalar_one_or_none()


def _united(
    table: sa.Table,
    columns: "Sequence[sa.ColumnElement[Any]]",
    organization_id: str,
    slices: Sequence[Slice],
    *only: "sa.ColumnElement[bool]",
) -> "sa.CompoundSelect[Any]":
    """The rows of all slices."""
    return sa.union_all(
        *(
            sa.select(*columns).where(
                table.c.organization_id == organization_id,
                table.c.span == part.span.value,
                table.c.bucket_start_us >= part.start_us,
                table.c.bucket_start_us < part.end_us,
                *only,
            )
            for part in slices
        )
    )


def _added(parts: sa.Subquery, names: Sequence[str]) -> "list[sa.ColumnElement[int]]":
    """The sums of columns, and the last of times."""
    return [
        sa.cast((sa.func.max if name == "last_us" else sa.func.sum)(parts.c[name]), sa.BigInteger)
        for name in names
    ]


def _buckets(organization_id: str, part: Slice) -> "sa.Select[tuple[int]]":
    """The buckets in which anything was used: with them a row is found by its whole key."""
    return sa.select(t.totals.c.bucket_start_us).where(
        t.totals.c.organization_id == organization_id,
        t.totals.c.span == part.span.value,
        t.totals.c.bucket_start_us >= part.start_us,
        t.totals.c.bucket_start_us < part.end_us,
    )


def _figure_columns(table: sa.Table) -> "list[sa.Column[int]]":
    return [table.c[name] for name in t.FIGURES]


def _figures(numbers: Sequence[Any]) -> Figures:
    return Figures(**dict(zip(t.FIGURES, map(int, numbers), strict=True)))
