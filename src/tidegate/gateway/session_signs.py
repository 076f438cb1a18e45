"""Finds in a request that is on its way what its session works on."""

from tidegate.core.ticket import Ticket
from tidegate.core.tool_traffic import look
from tidegate.gateway.admission import Reading
from tidegate.gateway.counters import Counters


def look_for_signs(ticket: Ticket, reading: Reading, counters: Counters) -> None:
    """Note on the ticket what the newest tool calls show. A request for a title shows nothing."""
    if not ticket.client.session or reading.facts is None or reading.facts.is_title:
        return
    try:
        seen = look(reading.plain, reading.members, ticket.dialect)
    except Exception:  # noqa: BLE001 - whatever ails us, the request is on its way
        counters.add("session_sign_faults")
        return
    ticket.links, ticket.calls = seen.links, seen.calls
