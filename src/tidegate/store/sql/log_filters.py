"""Filters of the log as conditions on the ledger's rows, so that an index finds them in order.

One condition drives: its index has the rows by time. The others are checked on what it finds,
mostly in the index itself. What several values drive is read in branches and merged.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from tidegate.core.attribution import split_pull_request
from tidegate.core.model import Agent, Outcome
from tidegate.store.log import NO_REPOSITORY, LogFilter
from tidegate.store.sql import usage_tables as t

Condition = sa.ColumnElement[bool]
Branch = list[Condition]
Wrap = Callable[["sa.ColumnElement[Any]"], "sa.ColumnElement[Any]"]

_FOREVER_US: Final = 1 << 62
_MOST_BRANCHES: Final = 64
_STATUSES: Final = {"2xx": 200, "3xx": 300, "4xx": 400, "5xx": 500}
_FLAGS: Final = ("captured", "price_unknown", "estimated")
_columns: Final = t.events.c

# As the partial indexes say it.
IS_FAILED: Final[Condition] = _columns.outcome != sa.literal_column("'ok'")
IS_REFUSED: Final[Condition] = (_columns.status < sa.literal_column("200")) | (
    _columns.status > sa.literal_column("299")
)
_IS_UNSERVED: Final[Condition] = _columns.model_served == sa.literal_column("''")


class aside(FunctionElement[Any]):
    """A column that no index is chosen by. PostgreSQL knows how often values are, and chooses."""

    inherit_cache = True
    name = "aside"

    def __init__(self, column: "sa.ColumnElement[Any]") -> None:
        super().__init__(column)
        self.type = column.type


@compiles(aside)
def _plain(element: "aside", compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(aside, "sqlite")
def _with_a_plus(element: "aside", compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def conditions(organization_id: str, only: LogFilter) -> Branch:
    """All that a row must fulfil, without a choice of index."""
    return [*_within(organization_id, only), *_checks(only, (), lambda column: column)]


def branches(
    connection: sa.Connection,
    organization_id: str,
    only: LogFilter,
    driver: Branch | None = None,
) -> list[Branch]:
    """The same as rows of one or more indexes; no row is in two."""
    within = _within(organization_id, only)
    if driver is not None:
        return [[*within, *driver, *_checks(only, ())]]
    if only.ids.strip():
        named = _columns.event_id.in_(_named(organization_id, storable(only.ids.strip())))
        unled = _within(organization_id, only, aside)
        return [[named, *unled, *_checks(only, ("ids",))]]
    drives, names = _drivers(connection, organization_id, only)
    return [[*within, *drive, *_checks(only, names)] for drive in drives]


def storable(value: str) -> str:
    """The text as every database takes it; what is changed by that is in no row."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def key_members(connection: sa.Connection, organization_id: str, key_id: str) -> list[str]:
    """Whose a key is, if it was ever used."""
    columns = t.last_uses.c
    query = sa.select(columns.member_id).where(
        columns.organization_id == organization_id, columns.key_id == storable(key_id)
    )
    return list(connection.execute(query).scalars())


def _drivers(
    connection: sa.Connection, organization_id: str, only: LogFilter
) -> tuple[list[Branch], tuple[str, ...]]:
    """Conditions that choose an index, and what of the filter they make up for."""
    if only.session_id:
        found_ids = _of_run(connection, organization_id, storable(only.session_id))
        return [[_columns.session_id == each] for each in found_ids], ("session_id",)
    if only.captured:
        return [[_columns.captured]], ("captured",)
    if only.outcomes and Outcome.OK.value not in only.outcomes:
        return [[IS_FAILED]], ()
    if only.status_class not in ("", "2xx"):
        return [[IS_REFUSED]], ()
    members = only.member_ids
    if only.key_id and not members:
        members = tuple(key_members(connection, organization_id, only.key_id)) or ("-",)
    if members and len(members) <= _MOST_BRANCHES:
        each = [[_columns.member_id == storable(name)] for name in dict.fromkeys(members)]
        return each, ("member_ids",)
    for flag in ("price_unknown", "estimated"):
        if getattr(only, flag):
            return [[_columns[flag]]], (flag,)
    if only.pull_request:
        return [_in_pull_request(only, lambda column: column)], ("pull_request",)
    if only.repository:
        return [[_columns.repository == _repository(only)]], ("repository",)
    found = _by_model(connection, organization_id, only)
    if found is not None and len(found) <= _MOST_BRANCHES:
        return found, ("models",) if only.models else ("agents",)
    return [[]], ()


def _of_run(connection: sa.Connection, organization_id: str, session_id: str) -> list[str]:
    """A session and those of the sub-agents that it began; the first of them, if very many."""
    columns = t.sessions.c
    query = sa.select(columns.session_id).where(
        columns.organization_id == organization_id,
        columns.root_session_id == session_id,
        columns.session_id != session_id,
    )
    some = query.order_by(columns.first_us).limit(_MOST_BRANCHES - 1)
    return [session_id, *connection.execute(some).scalars()]


def _by_model(
    connection: sa.Connection, organization_id: str, only: LogFilter
) -> list[Branch] | None:
    if only.models:
        agents = only.agents or tuple(agent.value for agent in Agent)
        models = [storable(model) for model in dict.fromkeys(only.models)]
        served: list[Branch] = [
            [_columns.agent == storable(agent), _columns.model_served == model]
            for agent in dict.fromkeys(agents)
            for model in models
            if model
        ]
        return served + [[_IS_UNSERVED, _columns.model_asked == model] for model in models]
    if not only.agents:
        return None
    found = []
    for agent in dict.fromkeys(map(storable, only.agents)):
        for model in connection.execute(_models_of(organization_id, agent)).scalars():
            found += [[_columns.agent == agent, _columns.model_served == model]]
    return found or [[sa.false()]]


def _models_of(organization_id: str, agent: str) -> "sa.Select[tuple[str]]":
    """What an agent was served, one seek in the index for each."""
    mine = (_columns.organization_id == organization_id, _columns.agent == agent)
    first = sa.select(sa.func.min(_columns.model_served).label("model")).where(*mine)
    found = first.cte("models", recursive=True)
    following = (
        sa.select(sa.func.min(_columns.model_served))
        .where(*mine, _columns.model_served > found.c.model)
        .scalar_subquery()
    )
    found = found.union_all(sa.select(following).where(found.c.model.is_not(None)))
    most = _MOST_BRANCHES + 1
    return sa.select(found.c.model).where(found.c.model.is_not(None)).limit(most)


def _within(
    organization_id: str,
    only: LogFilter,
    wrap: Wrap = lambda column: column,
) -> Branch:
    found: Branch = [wrap(_columns.organization_id) == organization_id]
    if only.start_us > 0:
        found.append(wrap(_columns.started_us) >= min(only.start_us, _FOREVER_US))
    if only.end_us > 0:
        found.append(wrap(_columns.started_us) < min(only.end_us, _FOREVER_US))
    return found


def _checks(only: LogFilter, made_up: Iterable[str], wrap: Wrap = aside) -> Branch:
    """What is to be checked beside what drives."""
    found: Branch = []
    singles = {name: (v,) if (v := getattr(only, name)) else () for name in _SINGLE}
    for name, column in _CHECKED.items():
        values: Sequence[str] = singles[name] if name in singles else getattr(only, name)
        if values and name not in made_up:
            found.append(_any_of(wrap(column), values))
    if only.models and "models" not in made_up:
        served, asked = wrap(_columns.model_served), wrap(_columns.model_asked)
        found.append(_any_of(served, only.models) | ((served == "") & _any_of(asked, only.models)))
    if only.repository and "repository" not in made_up:
        found.append(wrap(_columns.repository) == _repository(only))
    if only.pull_request and "pull_request" not in made_up:
        found += _in_pull_request(only, wrap)
    if only.status_class:
        least = _STATUSES[only.status_class]
        found.append(wrap(_columns.status).between(least, least + 99))
    for flag in _FLAGS:
        wanted = getattr(only, flag)
        if wanted is not None and flag not in made_up:
            found.append(wrap(_columns[flag]) if wanted else sa.not_(wrap(_columns[flag])))
    if only.ids.strip() and "ids" not in made_up:
        found.append(_has_id(storable(only.ids.strip())))
    return found


_SINGLE: Final = ("key_id", "session_id", "billing")
_CHECKED: Final = {
    "member_ids": _columns.member_id,
    "agents": _columns.agent,
    "outcomes": _columns.outcome,
    "key_id": _columns.key_id,
    "session_id": _columns.session_id,
    "billing": _columns.billing,
}


def _in_pull_request(only: LogFilter, wrap: Wrap) -> Branch:
    """As the partial index says it."""
    repository, number = split_pull_request(storable(only.pull_request))
    return [
        wrap(_columns.repository) == repository,
        wrap(_columns.pull_request) == number,
        wrap(_columns.pull_request) != sa.literal_column("''"),
    ]


def _repository(only: LogFilter) -> str:
    return "" if only.repository == NO_REPOSITORY else storable(only.repository)


def _any_of(column: "sa.ColumnElement[Any]", values: Sequence[str]) -> Condition:
    if len(values) == 1:
        return column == storable(values[0])
    return column.in_([storable(value) for value in values])


def _named(organization_id: str, text: str) -> "sa.CompoundSelect[tuple[str]]":
    """The events that have an id of that text, whatever id."""
    mine = _columns.organization_id == organization_id
    event_ids = sa.select(_columns.event_id)
    sessions = sa.select(t.sessions.c.session_id).where(
        t.sessions.c.organization_id == organization_id, t.sessions.c.client_session == text
    )
    return sa.union(
        event_ids.where(_columns.event_id == text),
        event_ids.where(
            mine,
            _columns.upstream_request_id == text,
            _columns.upstream_request_id != sa.literal_column("''"),
        ),
        event_ids.where(mine, _columns.session_id == text),
        event_ids.where(
            mine, _columns.launch_id == text, _columns.launch_id != sa.literal_column("''")
        ),
        event_ids.where(mine, _columns.session_id.in_(sessions)),
    )


def _has_id(text: str) -> Condition:
    names = ("event_id", "upstream_request_id", "session_id", "launch_id", "client_session")
    return sa.or_(*(_columns[name] == text for name in names))
