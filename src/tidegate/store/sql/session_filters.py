"""Filters of the list of sessions as conditions on runs.

What is rare enough is looked up first, and those runs are then put in order; what is common is
checked on each run in the order of the list, which soon has a page full.
"""

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.attribution import Kind, split_pull_request
from tidegate.store.log import NO_REPOSITORY
from tidegate.store.sessions import SessionFilter
from tidegate.store.sql import session_tables as s
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.log_filters import storable

Condition = sa.ColumnElement[bool]
Ids = sa.Select[tuple[str]]

_RARE: Final = 4000
_FOREVER_US: Final = 1 << 62
_LAST: Final = "\U0010ffff"
_run: Final = s.runs.c
_no_index: "Final[sa.ColumnElement[str]]" = sa.literal_column("''")


def conditions(
    connection: sa.Connection, organization_id: str, only: SessionFilter
) -> tuple[list[Condition], bool]:
    """What a run must fulfil, and whether something rare finds it, rather than its place."""
    found: list[Condition] = []
    rare: list[str] | None = None
    for ids, check in _looked_up(connection, organization_id, only):
        some = [str(row[0]) for row in connection.execute(ids.distinct().limit(_RARE + 1))]
        if len(some) > _RARE:
            found.append(check)
        elif rare is None:
            rare = some
        else:
            rare = sorted(set(rare) & set(some))
    if rare is not None:
        found.append(_run.session_id.in_(rare))
    found += _plain(only)
    return found, rare is not None


def _plain(only: SessionFilter) -> list[Condition]:
    found: list[Condition] = []
    if only.member_ids:
        found.append(_run.member_id.in_([storable(each) for each in only.member_ids]))
    if only.agents:
        found.append(_run.agent.in_([storable(each) for each in only.agents]))
    if only.has_errors is not None:
        found.append(_run.errors > 0 if only.has_errors else _run.errors == 0)
    if only.least_cost_nusd > 0:
        found.append(_run.cost_nusd >= min(only.least_cost_nusd, _FOREVER_US))
    if only.start_us > 0:
        found.append(_run.last_us >= min(only.start_us, _FOREVER_US))
    if only.end_us > 0:
        found.append(_run.first_us < min(only.end_us, _FOREVER_US))
    return found


def _looked_up(
    connection: sa.Connection, organization_id: str, only: SessionFilter
) -> Iterator[tuple[Ids, Condition]]:
    """Filters that have an index of their own: the runs they find, and the same as a check."""
    mine = _run.organization_id == organization_id
    if only.model:
        yield _by_model(organization_id, storable(only.model))
    if only.repository or only.pull_request:
        yield _by_place(organization_id, only)
    if only.branch:
        yield _by_link(organization_id, Kind.BRANCH, storable(only.branch))
    if text := storable(only.search.strip()):
        yield _by_search(connection, organization_id, text)
    if only.member_ids:
        members = [storable(each) for each in only.member_ids]
        yield sa.select(_run.session_id).where(mine, _run.member_id.in_(members)), sa.true()
    if only.start_us > 0:
        start_us = min(only.start_us, _FOREVER_US)
        yield sa.select(_run.session_id).where(mine, _run.last_us >= start_us), sa.true()
    if only.end_us > 0:
        end_us = min(only.end_us, _FOREVER_US)
        yield sa.select(_run.session_id).where(mine, _run.first_us < end_us), sa.true()
    if only.least_cost_nusd > 0:
        least = min(only.least_cost_nusd, _FOREVER_US)
        yield sa.select(_run.session_id).where(mine, _run.cost_nusd >= least), sa.true()


def _by_model(organization_id: str, model: str) -> tuple[Ids, Condition]:
    session, part = t.sessions.c, s.parts.c
    used = [part.organization_id == organization_id, part.model == model]
    joined = sa.join(s.parts, t.sessions, session.session_id == part.session_id)
    ids = sa.select(session.root_session_id).select_from(joined).where(*used)
    of_run = sa.select(session.session_id).where(
        session.organization_id == organization_id, session.root_session_id == _run.session_id
    )
    of_run = of_run.correlate(s.runs)
    there = sa.select(sa.literal(1)).where(*used, part.session_id.in_(of_run)).correlate(s.runs)
    return ids, there.exists()


def _by_place(organization_id: str, only: SessionFilter) -> tuple[Ids, Condition]:
    place = t.session_places.c
    repository, number = "" if only.repository == NO_REPOSITORY else only.repository, ""
    if only.pull_request:
        repository, number = split_pull_request(only.pull_request)
        if not number or only.repository not in ("", repository):
            return sa.select(place.session_id).where(sa.false()), sa.false()
    mine = [
        place.organization_id == organization_id,
        place.repository == storable(repository),
        place.pull_request == storable(number),
    ]
    there = sa.select(sa.literal(1)).where(*mine, place.session_id == _run.session_id)
    return sa.select(place.session_id).where(*mine), there.exists()


def _by_link(organization_id: str, kind: str, value: str) -> tuple[Ids, Condition]:
    link = s.links.c
    mine = [link.organization_id == organization_id, link.kind == kind, link.value == value]
    there = sa.select(sa.literal(1)).where(*mine, link.session_id == _run.session_id)
    return sa.select(link.session_id).where(*mine), there.exists()


def _by_search(connection: sa.Connection, organization_id: str, text: str) -> tuple[Ids, Condition]:
    """Part of a name, a branch or a repository, or the beginning of an id."""
    mine = _run.organization_id == organization_id
    like = _like(connection, text)
    ids: list[sa.Select[Any]] = [
        sa.select(_run.session_id).where(mine, _run.name != _no_index, like(_run.name)),
        sa.select(_run.session_id).where(mine, _run.session_id == text),
        sa.select(_run.session_id).where(
            mine, _run.client_session >= text, _run.client_session < text + _LAST
        ),
    ]
    link = s.links.c
    for kind in (Kind.REPOSITORY, Kind.BRANCH):
        of_kind = (link.organization_id == organization_id, link.kind == kind.value)
        ids.append(sa.select(link.session_id).where(*of_kind, like(link.value)))
    session = t.sessions.c
    subagents = sa.select(session.root_session_id).where(
        session.organization_id == organization_id,
        (session.session_id == text) | (session.client_session == text),
    )
    found = sa.union_all(*ids, subagents).subquery()
    check = like(_run.name) | like(_run.branch) | like(_run.repository)
    check |= (_run.session_id == text) | _run.client_session.startswith(text, autoescape=True)
    return sa.select(found.c[0]), check


def _like(connection: sa.Connection, text: str) -> Any:
    escaped = text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    by_name = "ilike" if connection.dialect.name == "postgresql" else "like"

    def like(column: "sa.ColumnElement[str]") -> Condition:
        found: Condition = getattr(column, by_name)(f"%{escaped}%", escape="\\")
        return found

    return like
