"""Requests: what the log shows, by the same filters, and as files."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, File, NoBody, NoQuery
from tidegate.console.api_v1.paging import (
    Cursor,
    Limit,
    Page,
    filtered_list,
    read_cursor,
    write_cursor,
)
from tidegate.console.api_v1.table import get
from tidegate.console.api_v1.texts import Text
from tidegate.console.api_v1.times import Time, bounds_us, time
from tidegate.console.log_range import own_rows
from tidegate.core.model import Agent, Billing, Outcome
from tidegate.services.log_table import CSV, JSON_LINES, Form
from tidegate.services.request_log import CostLine, LogFilter

StatusClass = Annotated[str, msgspec.Meta(pattern="^[2345]xx$", examples=["4xx"])]
_LIST = "requests"
_TAG = "Requests"


class TokenBuckets(msgspec.Struct, frozen=True, kw_only=True):
    """Disjoint, but for reasoning, which is a part of the output."""

    input: int  # neither read from a cache nor written to one
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int
    output: int
    reasoning: int


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call through the gateway."""

    id: str
    started_at: Time
    member_id: str
    key_id: str
    agent: str
    provider: str
    model_asked: str
    model_served: str
    session_id: str
    repository: str
    branch: str
    billing: str
    status: int  # what the client was sent
    outcome: str
    error_code: str
    tokens: int  # all that are counted
    token_counts: TokenBuckets
    cost_nusd: int
    estimated: bool
    price_unknown: bool
    captured: bool
    first_byte_us: int
    duration_us: int
    compression: str  # the level that its session is pinned to; off and holdout: none
    saved_tokens_new: int  # of tool results that it sent first
    saved_tokens_again: int  # of those that earlier requests of its session had sent
    saved_nusd: int


class PriceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One term of the cost: units times a rate."""

    bucket: str
    units: int
    rate_nusd: int | None  # per million tokens, or per search; null: not known any more
    cost_nusd: int


class ToolSaving(msgspec.Struct, frozen=True, kw_only=True):
    """The tool results of one class that a request held, as they came and as they went out."""

    tool_class: str
    results: int
    tokens_before: int
    tokens_after: int


class SavingLine(msgspec.Struct, frozen=True, kw_only=True):
    """One term of the saving: tokens times a rate."""

    bucket: str
    tokens: int
    rate_nusd: int  # per million tokens
    saved_nusd: int


class RequestDetail(Request, frozen=True, kw_only=True):
    """All that is known of a request. The lines of the price add up to its cost."""

    client_version: str
    credential_id: str
    dialect: str
    stream: bool
    client_session: str
    parent_session_id: str
    subagent_id: str
    parent_agent_id: str
    is_title: bool
    commit: str
    launch_id: str
    request_bytes: int
    response_bytes: int
    web_searches: int
    price_version: str
    price: list[PriceLine]
    service_tier: str
    speed: str
    region: str
    upstream_request_id: str
    upstream_id: str
    capture_kept: bool  # its bodies can be read
    compression_version: int  # of the engine
    compression_faults: int  # results that went out as they came for doubt or lack of time
    tool_savings: list[ToolSaving]
    saving: list[SavingLine]  # empty: nothing saved, or the rates are not known any more


class RequestFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which requests; what is left out does not matter."""

    start: Annotated[Time, msgspec.Meta(description="From then on.")] | UnsetType = UNSET
    end: Annotated[Time, msgspec.Meta(description="Until before then.")] | UnsetType = UNSET
    member_id: Text = ""
    key_id: Text = ""
    agent: Agent | UnsetType = UNSET
    model: Annotated[Text, msgspec.Meta(description="The one served, else the one asked for.")] = ""
    session_id: Text = ""
    repository: Annotated[Text, msgspec.Meta(description="- for those without one.")] = ""
    outcome: Outcome | UnsetType = UNSET
    billing: Billing | UnsetType = UNSET
    status: StatusClass | UnsetType = UNSET
    captured: bool | UnsetType = UNSET
    estimated: bool | UnsetType = UNSET
    price_unknown: bool | UnsetType = UNSET
    ids: Annotated[
        Text,
        msgspec.Meta(
            description="An id: of the request, the upstream's, of the session or the launch."
        ),
    ] = ""


class RequestsQuery(RequestFilter, frozen=True, forbid_unknown_fields=True):
    """Which requests, and which part of their list."""

    limit: Limit = 50
    cursor: Cursor = ""


def list_requests(call: Call[RequestsQuery, NoBody]) -> Page[Request]:
    """List requests, the newest first: as an admin all, as a member your own."""
    query = call.query
    only = _only(query)
    name = filtered_list(_LIST, only)
    page = call.services.request_log.page(
        call.organization_id,
        only,
        cursor=read_cursor(name, query.cursor),
        limit=query.limit,
        member_id=own_rows(call.viewer),
    )
    after = write_cursor(name, page.older) if page.older else None
    return Page([Request(**common_of(row)) for row in page.rows], after)


def get_request(call: Call[NoQuery, NoBody]) -> RequestDetail:
    """One request, with the arithmetic of its price."""
    found = call.services.request_log.detail(
        call.organization_id, call.path["request_id"], member_id=own_rows(call.viewer)
    )
    event = found.event
    common = common_of(event)
    more = {
        name: getattr(event, name)
        for name in RequestDetail.__struct_fields__
        if name not in common and name != "tool_savings" and hasattr(event, name)
    }
    return RequestDetail(
        **common,
        **more,
        price=[_price_line(line) for line in found.lines],
        capture_kept=found.capture_kept,
        tool_savings=[ToolSaving(**msgspec.structs.asdict(each)) for each in event.tool_savings],
        saving=[
            SavingLine(bucket=e.bucket, tokens=e.tokens, rate_nusd=e.rate, saved_nusd=e.nano)
            for e in found.saving
        ],
    )


def export_requests_csv(call: Call[RequestFilter, NoBody]) -> File:
    """Export requests as CSV, all that fit the filter, the newest first.

    Texts that a spreadsheet would take for a formula get an apostrophe in front.
    """
    return _file(call, CSV)


def export_requests_jsonl(call: Call[RequestFilter, NoBody]) -> File:
    """Export requests as JSON lines, all that fit the filter, the newest first."""
    return _file(call, JSON_LINES)


def _file(call: Call[RequestFilter, NoBody], form: Form) -> File:
    parts = call.services.log_export.parts(
        call.organization_id,
        _only(call.query),
        form,
        zone=call.viewer.time_zone,
        member_id=own_rows(call.viewer),
    )
    return File(form, parts, "tidegate-requests")


def _only(query: RequestFilter) -> LogFilter:
    start_us, end_us = bounds_us(query.start, query.end)
    return LogFilter(
        member_ids=_one(query.member_id),
        agents=_one(query.agent),
        key_id=query.key_id,
        models=_one(query.model),
        session_id=query.session_id,
        repository=query.repository,
        outcomes=_one(query.outcome),
        billing="" if query.billing is UNSET else query.billing.value,
        status_class="" if query.status is UNSET else query.status,
        captured=_flag(query.captured),
        estimated=_flag(query.estimated),
        price_unknown=_flag(query.price_unknown),
        start_us=start_us,
        end_us=end_us,
        ids=query.ids,
    )


def _one(value: str | UnsetType) -> tuple[str, ...]:
    return () if value is UNSET or not value else (str(value),)


def _flag(value: bool | UnsetType) -> bool | None:
    return None if value is UNSET else value


def common_of(row: Any) -> dict[str, Any]:
    """What a row of the log and a usage event share."""
    given = {"id", "started_at", "tokens", "token_counts", "cost_nusd", "saved_nusd"}
    shared = [name for name in Request.__struct_fields__ if name not in given]
    return {name: getattr(row, name) for name in shared} | {
        "id": row.event_id,
        "started_at": time(row.started_us),
        "tokens": row.tokens.total,
        "token_counts": TokenBuckets(**msgspec.structs.asdict(row.tokens)),
        "cost_nusd": row.cost.total,
        "saved_nusd": row.saved_nano,
    }


def _price_line(line: CostLine) -> PriceLine:
    return PriceLine(
        bucket=line.bucket, units=line.units, rate_nusd=line.rate_nusd, cost_nusd=line.cost_nusd
    )


OPERATIONS = (
    get("/requests", list_requests, need=Need.MEMBER, tag=_TAG),
    get("/requests/export.csv", export_requests_csv, need=Need.MEMBER, tag=_TAG, file=CSV),
    get(
        "/requests/export.jsonl", export_requests_jsonl, need=Need.MEMBER, tag=_TAG, file=JSON_LINES
    ),
    get("/requests/{request_id}", get_request, need=Need.MEMBER, tag=_TAG),
)
