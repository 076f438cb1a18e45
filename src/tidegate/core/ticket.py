"""A request that was decided on, and what its usage event says before there is an answer."""

import msgspec

from tidegate.core.compression.requests_savings import Compression
from tidegate.core.dialects import RequestFacts
from tidegate.core.identity import ClientFacts, session_id
from tidegate.core.model import (
    Dialect,
    KeyRecord,
    Link,
    Outcome,
    RequestStart,
    SessionCall,
    UsageEvent,
)
from tidegate.core.redaction import redact_name
from tidegate.core.routing import Route


class Ticket(msgspec.Struct, kw_only=True):
    """All that is known of a request when it is decided on.

    `started_us` is UTC, `started_mono_us` the same moment on the monotonic clock. `prompt_bytes`
    is the size of the body that goes out, once decoded; `previous_prompt_tokens` is the prompt of
    the session's last request with this model.
    """

    event_id: str
    key: KeyRecord
    client: ClientFacts
    dialect: Dialect
    facts: RequestFacts | None
    route: Route | None
    request_bytes: int
    started_us: int
    started_mono_us: int
    prompt_bytes: int = 0
    previous_prompt_tokens: int | None = None
    compression: Compression | None = None
    squad_id: str = ""
    budget_percent: int = -1  # gone of the budget nearest to its limit; -1: nothing to tell
    budget_resets_us: int = 0
    links: tuple[Link, ...] = ()  # found in the request's new part once it was on its way
    calls: tuple[SessionCall, ...] = ()  # of our tools, found there too


def known_event(ticket: Ticket) -> UsageEvent:
    """The event of a request of which nothing is known but that it was asked."""
    key, client, facts, route = ticket.key, ticket.client, ticket.facts, ticket.route
    compression = ticket.compression
    return UsageEvent(
        event_id=ticket.event_id,
        organization_id=key.organization_id,
        member_id=key.member_id,
        key_id=key.key_id,
        agent=key.agent,
        client_version=client.version,
        provider=route.provider.value if route else "",
        credential_id=route.credential_id if route else "",
        billing=route.billing.value if route else "api",
        model_asked=redact_name(facts.model) if facts else "",
        dialect=ticket.dialect,
        stream=facts.stream if facts else False,
        session_id=session_id(key.organization_id, key.key_id, client.session),
        client_session=client.session,
        parent_session_id=session_id(key.organization_id, key.key_id, client.parent_session),
        subagent_id=client.subagent,
        parent_agent_id=client.parent_agent,
        is_title=facts.is_title if facts else False,
        repository=client.repository,
        branch=client.branch,
        commit=client.commit,
        links=client.links,
        launch_id=client.launch_id,
        started_us=ticket.started_us,
        outcome=Outcome.CRASHED,
        request_bytes=ticket.request_bytes,
        compression=compression.level if compression else "",
        compression_version=compression.version if compression else 0,
        compression_faults=compression.faults if compression else 0,
        squad_id=ticket.squad_id,
    )


def start_of(ticket: Ticket, known: UsageEvent) -> RequestStart:
    """What is to be recorded before the request goes out."""
    return RequestStart(
        known,
        ticket.prompt_bytes,
        ticket.previous_prompt_tokens,
        ticket.route.price_table if ticket.route is not None else "",
    )
