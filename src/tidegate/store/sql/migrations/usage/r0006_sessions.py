"""Sessions with what they worked on: runs, parts, links, waiting calls, pull requests of requests.

What older releases' requests said by their headers becomes links; the requests themselves go on
counting for what they said. Runs are made of the sums that sessions have, parts of what the ledger
still holds.
"""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_TOKENS: Final = (
    "input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens",
    "output_tokens", "reasoning_tokens",
)  # fmt: skip
_COSTS: Final = (
    "input_nusd", "cache_write_5m_nusd", "cache_write_1h_nusd", "cache_read_nusd", "output_nusd",
    "extras_nusd",
)  # fmt: skip
_SPENT: Final = ("cost_nusd", "subscription_cost_nusd", "saved_tokens", "saved_nusd")
_RUN_SUMS: Final = ("requests", *_TOKENS, *_SPENT)
_COUNTED: Final = " + ".join(f"sum({name})" for name in _TOKENS[:-1])
_RUN_TEXTS: Final = (
    "organization_id", "key_id", "member_id", "agent", "client_session", "client_version",
    "launch_id", "repository", "branch", "compression",
)  # fmt: skip
_SORTED: Final = ("last_us", "first_us", "cost_nusd", "tokens", "requests", "duration_us")
_ERROR: Final = "CASE WHEN e.outcome IN ('ok', 'cancelled') THEN 0 ELSE 1 END"
_LONGEST: Final = 400  # characters: PostgreSQL's indexes take no more of four bytes each


def upgrade() -> None:
    op.add_column(
        "usage_events",
        sa.Column("pull_request", sa.Text, nullable=False, server_default=sa.text("''")),
    )
    op.add_column(
        "usage_events", sa.Column("unsaid", sa.BigInteger, nullable=False, server_default="0")
    )
    _create_runs()
    _create_parts()
    _create_links()
    _create_calls()
    _create_indexes()
    fill(op.get_bind())


def fill(connection: sa.Connection) -> None:
    """Make runs, parts and links of what there is."""
    for statement in (_RUNS, _LATEST, _PARTS, _ERRORS):
        connection.execute(sa.text(statement))
    for kind in ("repository", "branch", "commit"):
        connection.execute(sa.text(_links_of(kind)), {"most": _LONGEST})
    for column in ("repository", "branch"):
        connection.execute(sa.text(_whereabouts(column)))


_RUNS: Final = f"""
INSERT INTO session_runs (session_id, organization_id, key_id, member_id, agent, client_session,
 client_version, launch_id, repository, branch, compression, first_us, last_us, duration_us,
 {", ".join(_RUN_SUMS)}, errors, tokens)
SELECT root_session_id, organization_id, min(key_id), min(member_id), min(agent),
 max(CASE WHEN session_id = root_session_id THEN client_session ELSE '' END), '', '', '', '',
 max(CASE WHEN session_id = root_session_id THEN compression ELSE '' END),
 min(first_us), max(last_us),
 CASE WHEN max(last_us) > min(first_us) THEN max(last_us) - min(first_us) ELSE 0 END,
 {", ".join(f"sum({name})" for name in _RUN_SUMS)}, 0, {_COUNTED}
FROM sessions WHERE true GROUP BY organization_id, root_session_id
ON CONFLICT (session_id) DO NOTHING
"""  # noqa: S608 - our names
_NEWEST: Final = """
(SELECT e.{column} FROM usage_events AS e
 WHERE e.organization_id = session_runs.organization_id AND e.session_id = session_runs.session_id
 ORDER BY e.started_us DESC LIMIT 1)
"""
_LATEST: Final = f"""
UPDATE session_runs SET
 client_version = coalesce({_NEWEST.format(column="client_version")}, ''),
 launch_id = coalesce({_NEWEST.format(column="launch_id")}, '')
"""  # noqa: S608 - our names
_ERRORS: Final = """
UPDATE session_runs SET errors = coalesce((
 SELECT sum(p.errors) FROM sessions AS s CROSS JOIN session_parts AS p
 WHERE s.organization_id = session_runs.organization_id
  AND s.root_session_id = session_runs.session_id
  AND p.organization_id = s.organization_id AND p.session_id = s.session_id), 0)
"""
_COST: Final = " + ".join(f"e.{name}" for name in _COSTS)
_PARTS: Final = f"""
INSERT INTO session_parts (organization_id, session_id, subagent_id, model, parent_agent_id,
 first_us, last_us, requests, errors, {", ".join((*_TOKENS, *_COSTS))}, subscription_cost_nusd,
 saved_tokens, saved_nusd)
SELECT e.organization_id, e.session_id, substr(e.subagent_id, 1, {_LONGEST}),
 CASE WHEN e.model_served <> '' THEN e.model_served ELSE e.model_asked END AS model,
 max(e.parent_agent_id), min(e.started_us), max(e.started_us + e.duration_us), count(*),
 sum({_ERROR}), {", ".join(f"sum(e.{name})" for name in (*_TOKENS, *_COSTS))},
 sum(CASE WHEN e.billing = 'subscription' THEN {_COST} ELSE 0 END),
 sum(e.saved_tokens_new + e.saved_tokens_again), sum(e.saved_nano)
FROM usage_events AS e WHERE e.session_id <> ''
GROUP BY e.organization_id, e.session_id, substr(e.subagent_id, 1, {_LONGEST}),
 CASE WHEN e.model_served <> '' THEN e.model_served ELSE e.model_asked END
"""  # noqa: S608 - our names


def _links_of(kind: str) -> str:
    """Where a session's headers began to say something else, as links."""
    column = f'e."{kind}"'
    # A commit is kept once for a session: it says nothing of what counts.
    kept = "nth = 1" if kind == "commit" else "(before IS NULL OR before <> value)"
    return f"""
INSERT INTO session_links
 (organization_id, session_id, kind, at_us, method, value, certain, source)
SELECT organization_id, root_id, '{kind}', at_us, 'launch', substr(value, 1, :most), true, ''
FROM (
 SELECT e.organization_id AS organization_id, coalesce(s.root_session_id, e.session_id) AS root_id,
  e.started_us AS at_us, {column} AS value,
  lag({column}) OVER said AS before,
  row_number() OVER (PARTITION BY e.organization_id, coalesce(s.root_session_id, e.session_id),
   {column} ORDER BY e.started_us, e.event_id) AS nth
 FROM usage_events AS e LEFT JOIN sessions AS s
  ON s.organization_id = e.organization_id AND s.session_id = e.session_id
 WHERE e.session_id <> '' AND {column} <> ''
 WINDOW said AS (PARTITION BY e.organization_id, coalesce(s.root_session_id, e.session_id)
  ORDER BY e.started_us, e.event_id)
) AS statements WHERE {kept}
ON CONFLICT (organization_id, session_id, kind, at_us, method, value) DO NOTHING
"""  # noqa: S608 - our names


def _whereabouts(column: str) -> str:
    return f"""
UPDATE session_runs SET {column} = coalesce((
 SELECT value FROM session_links AS l
 WHERE l.organization_id = session_runs.organization_id
  AND l.session_id = session_runs.session_id AND l.kind = '{column}'
 ORDER BY l.at_us DESC LIMIT 1), '')
"""  # noqa: S608 - our names


def _create_runs() -> None:
    op.create_table(
        "session_runs",
        *_key("session_id"),
        *_texts(*_RUN_TEXTS),
        *_numbers("first_us", "last_us", "duration_us", *_RUN_SUMS, "errors", "tokens"),
        *[
            sa.Column(name, sa.Text, nullable=False, server_default=sa.text("''"))
            for name in ("name", "name_method")
        ],
    )


def _create_parts() -> None:
    op.create_table(
        "session_parts",
        *_key("organization_id", "session_id", "subagent_id", "model"),
        *_texts("parent_agent_id"),
        *_numbers("first_us", "last_us", "requests", "errors", *_TOKENS, *_COSTS),
        *_numbers("subscription_cost_nusd", "saved_tokens", "saved_nusd"),
        sqlite_with_rowid=False,
    )


def _create_links() -> None:
    op.create_table(
        "session_links",
        *_key("organization_id", "session_id", "kind"),
        sa.Column("at_us", sa.BigInteger, primary_key=True, autoincrement=False),
        *_key("method", "value"),
        sa.Column("certain", sa.Boolean, nullable=False),
        *_texts("source"),
        sqlite_with_rowid=False,
    )


def _create_calls() -> None:
    op.create_table(
        "session_calls",
        *_key("pending_id"),
        *_texts(
            "organization_id", "key_id", "launch_id", "session_id", "call_id", "tool", "digest",
            "links", "name",
        ),
        *_numbers("at_us"),
    )  # fmt: skip
    op.create_index("calls_by_key", "session_calls", ["organization_id", "key_id"])
    op.create_index("calls_by_time", "session_calls", ["at_us"])


def _create_indexes() -> None:
    for name in _SORTED:
        op.create_index(f"runs_by_{name}", "session_runs", ["organization_id", name, "session_id"])
    op.create_index("runs_by_member", "session_runs", ["organization_id", "member_id", "last_us"])
    op.create_index("runs_by_client", "session_runs", ["organization_id", "client_session"])
    for column in ("name", "launch_id"):
        _index(
            f"runs_by_{column.removesuffix('_id')}", "session_runs", column, where=f"{column} <> ''"
        )
    _index(
        "events_by_pull_request", "usage_events", "repository", "pull_request", "started_us",
        where="pull_request <> ''",
    )  # fmt: skip
    op.create_index("parts_by_model", "session_parts", ["organization_id", "model", "session_id"])
    op.create_index(
        "links_by_value", "session_links", ["organization_id", "kind", "value", "session_id"]
    )
    op.create_index(
        "places_by_repository",
        "session_places",
        ["organization_id", "repository", "pull_request", "last_us"],
    )


def _index(name: str, table: str, *columns: str, where: str) -> None:
    only: dict[str, Any] = {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)}
    op.create_index(name, table, ["organization_id", *columns], **only)


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _numbers(*names: str) -> "list[sa.Column[int]]":
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _key(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in names]
