"""What tests of the exchange need: a ticket, a price book, golden streams."""

from tidegate.core.dialects import RequestFacts
from tidegate.core.identity import ClientFacts
from tidegate.core.model import Agent, Billing, Dialect, KeyRecord, Provider
from tidegate.core.routing import Origin, Route
from tidegate.core.ticket import Ticket
from tidegate.services.price_book import compile_price_book

BOOK = compile_price_book()

MESSAGES_STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message",'
    b'"role":"assistant","model":"claude-sonnet-4-5","content":[],"usage":{"input_tokens":12,'
    b'"cache_creation_input_tokens":300,"cache_creation":{"ephemeral_5m_input_tokens":100,'
    b'"ephemeral_1h_input_tokens":200},"cache_read_input_tokens":900,"output_tokens":1}}}\n\n'
    b'event: ping\ndata: {"type":"ping"}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"tides and gates"}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":57}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def key_record() -> KeyRecord:
    return KeyRecord(
        key_id="key_1", organization_id="org_1", member_id="mem_1", agent=Agent.CLAUDE_CODE
    )


def ticket(dialect: Dialect = Dialect.MESSAGES, model: str = "claude-sonnet-4-5") -> Ticket:
    """A ticket of a streamed request that goes out with the organization's credential."""
    provider = Provider.ANTHROPIC if dialect is Dialect.MESSAGES else Provider.OPENAI
    return Ticket(
        event_id="req_1",
        key=key_record(),
        client=ClientFacts(Agent.CLAUDE_CODE, "2.1.330", "s1"),
        dialect=dialect,
        facts=RequestFacts(
            model=model,
            stream=True,
            max_tokens=1000,
            is_title=False,
            service_tier="",
            include_usage=False,
        ),
        route=Route(
            origin=Origin(True, "api.example.com", 443),
            path="/v1/messages",
            provider=provider,
            billing=Billing.API,
            credential_id="cred_1",
            set_header=(b"x-api-key", b"secret"),
        ),
        request_bytes=4000,
        started_us=1_790_000_000_000_000,
        started_mono_us=1_000,
        prompt_bytes=4000,
    )
