"""Sessions: runs of agents with their sub-agents, what they used, and what they worked on."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, File, NoBody, NoQuery
from tidegate.console.api_v1.paging import (
    Cursor,
    Limit,
    Page,
    PageQuery,
    filtered_list,
    read_cursor,
    write_cursor,
)
from tidegate.console.api_v1.requests import Request, TokenBuckets, common_of
from tidegate.console.api_v1.table import delete, get, patch, put
from tidegate.console.api_v1.texts import Name, Text
from tidegate.console.api_v1.times import Time, bounds_us, time
from tidegate.console.log_range import own_rows
from tidegate.core.model import Agent
from tidegate.services.log_table import CSV, JSON_LINES, Form
from tidegate.services.session_reports import (
    AgentSums,
    SessionDetail,
    SessionFilter,
    SessionRow,
    SessionSort,
    TimedLink,
    read_place,
    write_place,
)

_LIST = "sessions"
_REQUESTS = "requests of a session"
_TAG = "Sessions"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One run of an agent, with all that its sub-agents used."""

    id: str
    name: str  # empty: it has none
    client_session: str  # the agent's own id of it
    agent: str
    client_version: str
    member_id: str
    key_id: str
    started_at: Time
    ended_at: Time  # of the last request so far
    duration_us: int
    models: list[str]  # the costliest first
    repository: str  # the current one
    branch: str
    repositories: list[str]  # where requests count, the last used first
    pull_requests: list[str]  # as github.com/acme/app#12, the last used first
    requests: int
    errors: int
    tokens: int
    token_counts: TokenBuckets
    cost_nusd: int  # what is billed
    subscription_nusd: int  # what was used on subscriptions, at list price
    compression: str
    saved_tokens: int
    saved_nusd: int


class SessionLink(msgspec.Struct, frozen=True, kw_only=True):
    """Something that said what a session worked on."""

    kind: str  # repository, branch, commit or pull_request
    value: str  # empty, from a person: there is none
    method: str  # launch, turn_metadata, tool, mcp, branch or person
    certain: bool
    source: str  # what showed it; of a person's word their id
    found_at: Time


class SessionModel(msgspec.Struct, frozen=True, kw_only=True):
    """What one model did for an agent."""

    model: str
    requests: int
    errors: int
    tokens: int
    token_counts: TokenBuckets
    cost_nusd: int  # at list price, what is on a subscription too
    subscription_nusd: int


class SessionAgent(msgspec.Struct, frozen=True, kw_only=True):
    """The main agent, or a sub-agent."""

    session_id: str
    subagent_id: str  # empty: the main one of that session
    parent_session_id: str
    parent_agent_id: str
    started_at: Time
    models: list[SessionModel]


class SessionToolSaving(msgspec.Struct, frozen=True, kw_only=True):
    tool_class: str
    results: int
    tokens_before: int
    tokens_after: int


class SessionWhole(Session, frozen=True, kw_only=True):
    """All that is known of a session but its requests."""

    links: list[SessionLink]
    agents: list[SessionAgent]
    tool_savings: list[SessionToolSaving]


class SessionFilterQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which sessions; what is left out does not matter."""

    start: Annotated[Time, msgspec.Meta(description="In use then or after.")] | UnsetType = UNSET
    end: Annotated[Time, msgspec.Meta(description="In use before then.")] | UnsetType = UNSET
    member_id: Text = ""
    agent: Agent | UnsetType = UNSET
    model: Text = ""
    repository: Annotated[Text, msgspec.Meta(description="- for work without one.")] = ""
    branch: Text = ""
    pull_request: Annotated[Text, msgspec.Meta(examples=["github.com/acme/app#12"])] = ""
    errors: bool | UnsetType = UNSET
    least_cost_nusd: Annotated[int, msgspec.Meta(ge=0, le=10**18)] = 0
    find: Annotated[Text, msgspec.Meta(description="In names, repositories, branches, ids.")] = ""
    sort: SessionSort = SessionSort.LAST


class SessionsQuery(SessionFilterQuery, frozen=True, forbid_unknown_fields=True):
    """Which sessions, and which part of their list."""

    limit: Limit = 50
    cursor: Cursor = ""


class SessionPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name


class LinkBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    value: Annotated[
        str,
        msgspec.Meta(
            max_length=500,
            description="A repository, a branch or a pull request; empty: there is none.",
        ),
    ]


def list_sessions(call: Call[SessionsQuery, NoBody]) -> Page[Session]:
    """List sessions, the last used first or as sorted: as an admin all, as a member your own."""
    query, only = call.query, _only(call.query)
    name = filtered_list(_LIST, (only, query.sort))
    page = call.services.session_reports.page(
        call.organization_id,
        only,
        query.sort,
        cursor=read_cursor(name, query.cursor),
        limit=query.limit,
        member_id=own_rows(call.viewer),
    )
    after = write_cursor(name, page.next) if page.next else None
    return Page([Session(**_fields(row)) for row in page.rows], after)


def get_session(call: Call[NoQuery, NoBody]) -> SessionWhole:
    """One session, by its id or a sub-agent's."""
    return _whole(_detail(call))


def list_session_requests(call: Call[PageQuery, NoBody]) -> Page[Request]:
    """List the requests of a session with its sub-agents', the oldest first."""
    name = f"{_REQUESTS} {call.path['session_id']}"
    found = call.services.session_reports.requests(
        call.organization_id,
        call.path["session_id"],
        limit=call.query.limit + 1,
        after=read_place(read_cursor(name, call.query.cursor)),
        member_id=own_rows(call.viewer),
    )
    rows = found[: call.query.limit]
    after = write_cursor(name, write_place(rows[-1].place)) if len(found) > len(rows) else None
    return Page([Request(**common_of(row)) for row in rows], after)


def update_session(call: Call[NoQuery, SessionPatch]) -> SessionWhole:
    """Name a session: agents leave the name alone then."""
    call.services.session_changes.rename(
        call.organization_id, _own(call).session_id, call.body.name, actor=call.actor
    )
    return _whole(_detail(call))


def correct_session_link(call: Call[NoQuery, LinkBody]) -> SessionWhole:
    """Say what a session worked on, in place of what was found: all of it counts there then.

    The kind is `repository`, `branch` or `pull_request`.
    """
    row = _own(call)
    call.services.session_changes.correct(
        call.organization_id,
        row.session_id,
        call.path["kind"],
        call.body.value,
        repository=row.repository,
        actor=call.actor,
    )
    return _whole(_detail(call))


def withdraw_session_link(call: Call[NoQuery, NoBody]) -> None:
    """Take a correction back: what was found holds again."""
    call.services.session_changes.withdraw(
        call.organization_id, _own(call).session_id, call.path["kind"], actor=call.actor
    )


def export_sessions_csv(call: Call[SessionFilterQuery, NoBody]) -> File:
    """Export sessions as CSV, all that fit the filter."""
    return _file(call, CSV)


def export_sessions_jsonl(call: Call[SessionFilterQuery, NoBody]) -> File:
    """Export sessions as JSON lines, all that fit the filter."""
    return _file(call, JSON_LINES)


def own_session(call: Call[Any, Any]) -> SessionRow:
    """The session of the path, if the caller may see it: who may, may change it too."""
    return _own(call)


def _own(call: Call[Any, Any]) -> SessionRow:
    return call.services.session_reports.one(
        call.organization_id, call.path["session_id"], member_id=own_rows(call.viewer)
    )


def _detail(call: Call[Any, Any]) -> SessionDetail:
    return call.services.session_reports.detail(
        call.organization_id, call.path["session_id"], member_id=own_rows(call.viewer)
    )


def _file(call: Call[SessionFilterQuery, NoBody], form: Form) -> File:
    parts = call.services.session_export.sessions(
        call.organization_id,
        _only(call.query),
        call.query.sort,
        form,
        zone=call.viewer.time_zone,
        member_id=own_rows(call.viewer),
    )
    return File(form, parts, "tidegate-sessions")


def _only(query: SessionFilterQuery) -> SessionFilter:
    start_us, end_us = bounds_us(query.start, query.end)
    return SessionFilter(
        member_ids=(query.member_id,) if query.member_id else (),
        agents=() if query.agent is UNSET else (query.agent.value,),
        model=query.model,
        repository=query.repository,
        branch=query.branch,
        pull_request=query.pull_request,
        has_errors=None if query.errors is UNSET else query.errors,
        least_cost_nusd=query.least_cost_nusd,
        start_us=start_us,
        end_us=end_us,
        search=query.find,
    )


def _fields(row: SessionRow) -> dict[str, Any]:
    given = {
        "id": row.session_id,
        "started_at": time(row.first_us),
        "ended_at": time(row.last_us),
        "models": list(row.models),
        "repositories": list(row.repositories),
        "pull_requests": list(row.pull_requests),
        "tokens": row.tokens.total,
        "token_counts": _buckets(row.tokens),
        "cost_nusd": row.cost_nusd - row.subscription_cost_nusd,
        "subscription_nusd": row.subscription_cost_nusd,
    }
    plain = [name for name in Session.__struct_fields__ if name not in given]
    return given | {name: getattr(row, name) for name in plain}


def _whole(detail: SessionDetail) -> SessionWhole:
    return SessionWhole(
        **_fields(detail.row),
        links=[_link(link) for link in detail.links],
        agents=[_agent(agent) for agent in detail.agents],
        tool_savings=[
            SessionToolSaving(**msgspec.structs.asdict(each)) for each in detail.tool_savings
        ],
    )


def _link(link: TimedLink) -> SessionLink:
    return SessionLink(
        kind=link.kind,
        value=link.value,
        method=link.method,
        certain=link.certain,
        source=link.source,
        found_at=time(link.at_us),
    )


def _agent(agent: AgentSums) -> SessionAgent:
    return SessionAgent(
        session_id=agent.session_id,
        subagent_id=agent.subagent_id,
        parent_session_id=agent.parent_session_id,
        parent_agent_id=agent.parent_agent_id,
        started_at=time(agent.first_us),
        models=[
            SessionModel(
                model=model.model,
                requests=model.requests,
                errors=model.errors,
                tokens=model.tokens.total,
                token_counts=_buckets(model.tokens),
                cost_nusd=model.cost.total,
                subscription_nusd=model.subscription_cost_nusd,
            )
            for model in agent.models
        ],
    )


def _buckets(tokens: Any) -> TokenBuckets:
    return TokenBuckets(**msgspec.structs.asdict(tokens))


_ONE = "/sessions/{session_id}"
_LINK = f"{_ONE}/links/{{kind}}"
OPERATIONS = (
    get("/sessions", list_sessions, need=Need.MEMBER, tag=_TAG),
    get("/sessions/export.csv", export_sessions_csv, need=Need.MEMBER, tag=_TAG, file=CSV),
    get(
        "/sessions/export.jsonl", export_sessions_jsonl, need=Need.MEMBER, tag=_TAG, file=JSON_LINES
    ),
    get(_ONE, get_session, need=Need.MEMBER, tag=_TAG),
    patch(_ONE, update_session, need=Need.MEMBER, tag=_TAG),
    get(f"{_ONE}/requests", list_session_requests, need=Need.MEMBER, tag=_TAG),
    put(_LINK, correct_session_link, need=Need.MEMBER, tag=_TAG),
    delete(_LINK, withdraw_session_link, need=Need.MEMBER, tag=_TAG),
)
