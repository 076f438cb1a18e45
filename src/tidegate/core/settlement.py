"""What the usage event of a request says of tokens and money, and of what compression saved."""

from typing import Any, Final

from tidegate.core.compression.requests_savings import Saved
from tidegate.core.model import Cost, Usage
from tidegate.core.pricing import PriceBook, Priced, applied, price
from tidegate.core.redaction import redact_name
from tidegate.core.routing import Route
from tidegate.core.savings import saving
from tidegate.core.ticket import Ticket

_NO_USAGE: Final = Usage()
_UNPRICED: Final = Priced(Cost(), "", False)


def settle(ticket: Ticket, usage: Usage, book: PriceBook, *, was_sent: bool) -> dict[str, Any]:
    """Fields of the event. What was not sent saved nothing."""
    priced, query = _UNPRICED, None
    if ticket.route is not None and usage != _NO_USAGE:
        priced, query = _price(ticket, ticket.route, usage, book)
    fields = {
        "tokens": usage.tokens,
        "model_served": redact_name(usage.model_served),
        "estimated": usage.estimated,
        "service_tier": usage.service_tier,
        "speed": usage.speed,
        "region": usage.region,
        "web_searches": usage.web_searches,
        "upstream_id": redact_name(usage.upstream_id),
        "cost": priced.cost,
        "price_version": priced.price_version,
        "price_unknown": priced.price_unknown,
    }
    if was_sent and ticket.compression is not None:
        known = None if priced.price_unknown else query
        fields |= _saved(ticket.compression.saved(), usage, book, known)
    return fields


def _saved(
    saved: Saved, usage: Usage, book: PriceBook, query: dict[str, Any] | None
) -> dict[str, Any]:
    rates = applied(book, **query).rates if query is not None else None
    return {
        "tool_savings": saved.tools,
        "saved_tokens_new": saved.new,
        "saved_tokens_again": saved.again,
        "saved_nano": saving(saved.new, saved.again, usage, rates),
    }


def _price(
    ticket: Ticket, route: Route, usage: Usage, book: PriceBook
) -> tuple[Priced, dict[str, Any]]:
    """Price by the model served, or by the one asked for if only that name is on a list.

    With the price comes what it was asked for with.
    """
    asked = ticket.facts.model if ticket.facts else ""
    served = usage.model_served or asked
    query = _query(ticket, route, usage, served)
    priced = price(book, **query)
    if priced.price_unknown and asked not in {"", served}:
        query_as_asked = _query(ticket, route, usage, asked)
        priced_as_asked = price(book, **query_as_asked)
        if not priced_as_asked.price_unknown:
            return priced_as_asked, query_as_asked
    return priced, query


def _query(ticket: Ticket, route: Route, usage: Usage, model: str) -> dict[str, Any]:
    return {
        "provider": route.provider,
        "model": model,
        "usage": usage,
        "at_us": ticket.started_us,
        "price_table": route.price_table,
    }
