"""The exchange, told as conversations: events in, commands out, and what is recorded."""

import gzip

import pytest
from tests.unit.core.tickets import BOOK, MESSAGES_STREAM, ticket

from tidegate.core import errors
from tidegate.core.exchange import (
    Abort,
    Begin,
    BeginRefused,
    ClientGone,
    CloseUpstream,
    Command,
    Event,
    Exchange,
    Forward,
    Read,
    Record,
    Relay,
    RelayEnd,
    RelayHead,
    RequestReceived,
    Respond,
    Send,
    UpstreamBytes,
    UpstreamConnected,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamHead,
)
from tidegate.core.model import Dialect, Outcome, TokenCounts, UsageEvent
from tidegate.core.ticket import Ticket

STREAM = UpstreamHead(200, event_stream=True)
EVENTS = [e + b"\n\n" for e in MESSAGES_STREAM.split(b"\n\n")[:-1]]
GO: list[Event] = [RequestReceived(), UpstreamConnected()]
LOST = UpstreamFailed(errors.upstream_garbled("h"))


def play(*events: Event, about: Ticket | None = None) -> list[Command]:
    exchange = Exchange(about or ticket(), BOOK)
    commands: list[Command] = []
    for number, event in enumerate(events):
        for command in exchange.handle(event, 1_000 + 10 * (number + 1)):
            commands.append(command)
            if isinstance(command, Read):
                command.read()
    return commands


def kinds(commands: list[Command]) -> list[type]:
    return [type(c) for c in commands]


def recorded(commands: list[Command]) -> UsageEvent:
    [event] = [c.event for c in commands if isinstance(c, Record)]
    return event


def test_a_stream_is_recorded_before_its_last_event_is_relayed() -> None:
    commands = play(*GO, STREAM, *map(UpstreamBytes, EVENTS), UpstreamEnded())
    assert kinds(commands) == [
        Forward,
        Begin,
        Send,
        RelayHead,
        *[Relay] * 4,
        Record,
        Relay,
        RelayEnd,
    ]
    event = recorded(commands)
    assert event.tokens == TokenCounts(12, 100, 200, 900, 57)
    assert (event.outcome, event.status, event.estimated) == (Outcome.OK, 200, False)
    assert event.first_byte_us == 40
    assert event.response_bytes == len(MESSAGES_STREAM)


def test_a_whole_stream_in_one_read_is_recorded_first() -> None:
    commands = play(*GO, STREAM, UpstreamBytes(MESSAGES_STREAM), UpstreamEnded())
    assert kinds(commands) == [Forward, Begin, Send, RelayHead, Record, Relay, RelayEnd]


BODY = (
    b'{"id":"msg_2","type":"message","model":"claude-sonnet-4-5","content":[],'
    b'"usage":{"input_tokens":5,"output_tokens":6}}'
)


def test_a_sized_body_is_recorded_before_its_last_byte() -> None:
    head = UpstreamHead(200, length=len(BODY))
    commands = play(*GO, head, UpstreamBytes(BODY[:9]), UpstreamBytes(BODY[9:]), UpstreamEnded())
    assert kinds(commands) == [Forward, Begin, Send, RelayHead, Relay, Record, Relay, RelayEnd]
    assert recorded(commands).tokens == TokenCounts(input=5, output=6)


def test_an_unsized_body_is_recorded_before_its_end() -> None:
    commands = play(*GO, UpstreamHead(200), UpstreamBytes(BODY), UpstreamEnded())
    assert kinds(commands) == [Forward, Begin, Send, RelayHead, Relay, Record, RelayEnd]
    assert recorded(commands).tokens == TokenCounts(input=5, output=6)


def test_a_start_is_handed_over_once_before_the_request_goes_out() -> None:
    commands = play(RequestReceived(), UpstreamConnected(), UpstreamConnected())
    assert kinds(commands) == [Forward, Begin, Send, Send]
    [start] = [c.start for c in commands if isinstance(c, Begin)]
    assert (start.event.event_id, start.event.outcome) == ("req_1", Outcome.CRASHED)
    assert (start.event.model_asked, start.event.provider) == ("claude-sonnet-4-5", "anthropic")
    assert (start.event.request_bytes, start.prompt_bytes) == (4000, 4000)


def test_what_cannot_be_recorded_is_refused_and_not_sent() -> None:
    exchange = Exchange(ticket(), BOOK)
    list(exchange.handle(RequestReceived(), 1_000))
    assert isinstance(next(exchange.handle(UpstreamConnected(), 1_010)), Begin)
    refused = BeginRefused(errors.usage_not_recordable())
    commands = list(exchange.handle(refused, 1_020))
    assert kinds(commands) == [CloseUpstream, Record, Respond]
    event = recorded(commands)
    assert (event.outcome, event.status) == (Outcome.REFUSED, 503)
    assert event.error_code == "usage_not_recordable"
    assert event.tokens.total == 0


def test_a_refusal_never_reaches_the_upstream() -> None:
    commands = play(RequestReceived(errors.model_not_allowed("m")))
    assert kinds(commands) == [Record, Respond]
    event = recorded(commands)
    assert (event.outcome, event.error_code, event.status) == ("refused", "model_not_allowed", 403)
    assert event.cost.total == 0


def test_a_client_that_leaves_mid_stream_closes_the_upstream_and_pays_what_was_delivered() -> None:
    commands = play(*GO, STREAM, *map(UpstreamBytes, EVENTS[:3]), ClientGone())
    assert kinds(commands)[-2:] == [CloseUpstream, Record]
    event = recorded(commands)
    assert (event.outcome, event.estimated) == (Outcome.CANCELLED, True)
    assert event.tokens.prompt == 1212  # reported: stays exact
    assert event.tokens.output > 0
    assert event.cost.total > 0


def test_a_client_that_leaves_after_the_terminal_event_is_ok() -> None:
    commands = play(*GO, STREAM, UpstreamBytes(MESSAGES_STREAM), ClientGone())
    assert recorded(commands).outcome == Outcome.OK
    assert kinds(commands)[-1] is CloseUpstream


def test_a_client_that_leaves_before_the_request_was_sent_pays_nothing() -> None:
    commands = play(RequestReceived(), ClientGone())
    event = recorded(commands)
    assert (event.outcome, event.tokens.total, event.status) == (Outcome.CANCELLED, 0, 499)


def test_a_client_that_leaves_before_the_answer_pays_an_estimated_prompt() -> None:
    event = recorded(play(*GO, ClientGone()))
    assert event.estimated
    assert event.tokens.prompt > 0
    assert event.tokens.output == 0


def test_a_cut_stream_is_aborted_so_that_the_client_sees_it() -> None:
    commands = play(*GO, STREAM, *map(UpstreamBytes, EVENTS[:3]), LOST)
    assert kinds(commands)[-3:] == [CloseUpstream, Record, Abort]
    assert recorded(commands).outcome == Outcome.CUT


def test_a_stream_that_ends_regularly_without_its_terminal_event_is_cut() -> None:
    commands = play(*GO, STREAM, *map(UpstreamBytes, EVENTS[:3]), UpstreamEnded())
    assert recorded(commands).outcome == Outcome.CUT
    assert kinds(commands)[-1] is RelayEnd


def test_a_connection_that_breaks_after_the_terminal_event_ends_regularly() -> None:
    commands = play(*GO, STREAM, UpstreamBytes(MESSAGES_STREAM), LOST)
    assert recorded(commands).outcome == Outcome.OK
    assert kinds(commands)[-1] is RelayEnd


def test_an_unreachable_upstream_costs_nothing() -> None:
    commands = play(RequestReceived(), UpstreamFailed(errors.upstream_unreachable("h")))
    assert kinds(commands) == [Forward, Record, CloseUpstream, Respond]
    event = recorded(commands)
    assert (event.outcome, event.status, event.cost.total) == ("upstream_error", 502, 0)


def test_a_forbidden_address_is_a_refusal() -> None:
    commands = play(RequestReceived(), UpstreamFailed(errors.upstream_forbidden("h")))
    assert (recorded(commands).outcome, recorded(commands).status) == (Outcome.REFUSED, 403)


def test_silence_is_timed_out() -> None:
    silence = UpstreamFailed(errors.upstream_timeout("h"), timed_out=True)
    commands = play(*GO, silence)
    assert kinds(commands)[-1] is Respond
    assert (recorded(commands).outcome, recorded(commands).status) == (Outcome.TIMED_OUT, 504)
    commands = play(*GO, STREAM, UpstreamBytes(EVENTS[0]), silence)
    assert kinds(commands)[-1] is Abort
    assert recorded(commands).outcome == Outcome.TIMED_OUT


@pytest.mark.parametrize("status", [400, 429, 500, 529])
def test_an_upstream_error_passes_and_is_never_billed(status: int) -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"m"}}'
    commands = play(
        *GO, UpstreamHead(status, length=len(body)), UpstreamBytes(body), UpstreamEnded()
    )
    event = recorded(commands)
    assert (event.outcome, event.status) == (Outcome.UPSTREAM_ERROR, status)
    assert (event.tokens.total, event.cost.total, event.estimated) == (0, 0, False)


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_is_no_answer_and_never_billed(status: int) -> None:
    event = recorded(play(*GO, UpstreamHead(status, length=0), UpstreamEnded()))
    assert (event.outcome, event.status) == (Outcome.UPSTREAM_ERROR, status)
    assert (event.tokens.total, event.cost.total, event.estimated) == (0, 0, False)


def test_an_error_event_in_the_stream_is_an_upstream_error_that_keeps_its_counts() -> None:
    failure = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'
    commands = play(*GO, STREAM, UpstreamBytes(EVENTS[0]), UpstreamBytes(failure), UpstreamEnded())
    event = recorded(commands)
    assert event.outcome == Outcome.UPSTREAM_ERROR
    assert event.tokens.prompt == 1212


def test_an_answer_encoded_all_the_same_is_relayed_as_it_came_and_read() -> None:

    packed = gzip.compress(MESSAGES_STREAM)
    head = UpstreamHead(200, event_stream=True, encoding="gzip")
    commands = play(
        *GO, head, UpstreamBytes(packed[:50]), UpstreamBytes(packed[50:]), UpstreamEnded()
    )
    assert b"".join(c.chunk for c in commands if isinstance(c, Relay)) == packed
    assert recorded(commands).tokens == TokenCounts(12, 100, 200, 900, 57)


@pytest.mark.parametrize("sized", [True, False])
def test_a_large_body_is_read_apart_before_its_end(sized: bool) -> None:
    body = BODY[:-1] + b', "padding": "' + b"x" * (2 << 20) + b'"}'
    pieces = [UpstreamBytes(body[at : at + 99_999]) for at in range(0, len(body), 99_999)]
    head = UpstreamHead(200, length=len(body) if sized else -1)
    commands = play(*GO, head, *pieces, UpstreamEnded())
    assert [k for k in kinds(commands) if k is not Relay][-3:] == [Read, Record, RelayEnd]
    if sized:
        assert kinds(commands)[-4:] == [Read, Record, Relay, RelayEnd]
    assert recorded(commands).tokens.output > 0
    assert not recorded(commands).estimated


def test_a_large_event_is_read_apart_but_relayed_first() -> None:
    large = b'event: ping\ndata: {"type":"ping","padding":"' + b"x" * (2 << 20) + b'"}\n\n'
    pieces = [UpstreamBytes(large[at : at + 99_999]) for at in range(0, len(large), 99_999)]
    commands = play(*GO, STREAM, *pieces, UpstreamBytes(MESSAGES_STREAM), UpstreamEnded())
    order = kinds(commands)
    assert order[order.index(Read) - 1] is Relay
    assert recorded(commands).tokens == TokenCounts(12, 100, 200, 900, 57)


def test_what_is_encoded_is_read_apart() -> None:
    packed = gzip.compress(MESSAGES_STREAM)
    head = UpstreamHead(200, event_stream=True, encoding="gzip")
    commands = play(*GO, head, UpstreamBytes(packed), UpstreamEnded())
    assert kinds(commands)[-4:] == [Read, Record, Relay, RelayEnd]


def test_an_answer_that_nobody_can_read_is_relayed_and_estimated() -> None:
    head = UpstreamHead(200, event_stream=True, encoding="br")
    commands = play(*GO, head, UpstreamBytes(b"\x0b\x02\x80"), UpstreamEnded())
    event = recorded(commands)
    assert (event.outcome, event.estimated) == (Outcome.OK, True)


def test_a_served_name_that_is_on_no_list_is_priced_as_the_model_asked_for() -> None:
    body = BODY.replace(b"claude-sonnet-4-5", b"our-own-alias")
    commands = play(*GO, UpstreamHead(200), UpstreamBytes(body), UpstreamEnded())
    event = recorded(commands)
    assert (event.model_served, event.price_unknown) == ("our-own-alias", False)
    assert event.cost.total == 5 * 3_000 + 6 * 15_000


def test_a_chat_stream_without_usage_is_estimated() -> None:
    stream = (
        b'data: {"id":"c1","model":"gpt-5","choices":[{"index":0,"delta":{"content":"tides and"}}]}'
        b"\n\ndata: [DONE]\n\n"
    )
    about = ticket(Dialect.CHAT, "gpt-5")
    event = recorded(play(*GO, STREAM, UpstreamBytes(stream), UpstreamEnded(), about=about))
    assert (event.outcome, event.estimated) == (Outcome.OK, True)
    assert event.tokens.prompt > 0
    assert event.tokens.output > 0
