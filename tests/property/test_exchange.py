"""The exchange's invariants under every order of events."""

import gzip

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.effort import examples
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
from tidegate.core.model import Outcome


class ExchangeMachine(RuleBasedStateMachine):
    """Plays client and upstream in any order that their connections could."""

    @initialize(refused=st.sampled_from([False, False, False, True]))
    def begin(self, refused: bool) -> None:
        self.exchange = Exchange(ticket(), BOOK)
        self.commands: list[Command] = []
        self.received = b""
        self.clock = 1_000
        self.headed = self.upstream_over = self.client_gone = self.sent = False
        self.left = MESSAGES_STREAM
        self.send(RequestReceived(errors.model_not_allowed("m") if refused else None))
        self.refused = refused

    def send(self, event: Event) -> None:
        self.clock += 7
        for command in self.exchange.handle(event, self.clock):
            self.commands.append(command)
            if isinstance(command, Read):
                command.read()

    def running(self) -> bool:
        return not (self.upstream_over or self.client_gone or self.refused)

    @precondition(lambda self: self.running() and not self.headed)
    @rule()
    def connected(self) -> None:
        """Again after a connection was lost untouched."""
        self.sent = True
        self.send(UpstreamConnected())

    @precondition(lambda self: self.running() and not self.sent)
    @rule()
    def connected_but_not_recordable(self) -> None:
        self.refused = True
        self.clock += 7
        commands = self.exchange.handle(UpstreamConnected(), self.clock)
        assert isinstance(next(commands), Begin)  # it fails: the rest is left
        self.send(BeginRefused(errors.usage_not_recordable()))

    @precondition(lambda self: self.running() and self.sent and not self.headed)
    @rule(
        status=st.sampled_from([200, 200, 200, 400, 529]),
        sized=st.booleans(),
        packed=st.booleans(),
    )
    def head(self, status: int, sized: bool, packed: bool) -> None:
        self.headed = True
        if status >= 400:
            self.left = b'{"type":"error","error":{"type":"overloaded_error","message":"m"}}'
        if packed:
            self.left = gzip.compress(self.left)
        length = len(self.left) if sized else -1
        self.send(UpstreamHead(status, status == 200, length, "gzip" if packed else ""))

    @precondition(lambda self: self.running() and self.headed and self.left)
    @rule(size=st.integers(1, 400))
    def chunk(self, size: int) -> None:
        self.take(size)

    @precondition(lambda self: self.running() and self.headed and self.left)
    @rule(events=st.integers(1, 3))
    def whole_events(self, events: int) -> None:
        end = 0
        for _ in range(events):
            end = self.left.find(b"\n\n", end) + 2 if b"\n\n" in self.left[end:] else len(self.left)
        self.take(max(end, 1))

    def take(self, size: int) -> None:
        piece, self.left = self.left[:size], self.left[size:]
        self.received += piece
        if self.exchange.passes(piece):
            self.commands.append(Relay(piece))  # what the driver does then
        else:
            self.send(UpstreamBytes(piece))

    @precondition(lambda self: self.running() and self.headed)
    @rule()
    def ended(self) -> None:
        self.upstream_over = True
        self.send(UpstreamEnded())

    @precondition(lambda self: self.running())
    @rule(timed_out=st.booleans())
    def failed(self, timed_out: bool) -> None:
        self.upstream_over = True
        self.send(UpstreamFailed(errors.upstream_unreachable("h"), timed_out))

    @rule()
    def gone(self) -> None:
        self.client_gone = True
        self.send(ClientGone())

    def count(self, kind: type) -> int:
        return sum(isinstance(c, kind) for c in self.commands)

    @invariant()
    def one_record_at_most_and_exactly_one_at_the_end(self) -> None:
        if hasattr(self, "exchange"):
            over = self.refused or self.upstream_over or self.client_gone
            assert self.count(Record) == 1 if over else self.count(Record) <= 1

    @invariant()
    def nothing_is_sent_before_it_was_begun_once(self) -> None:
        kinds = [type(c) for c in getattr(self, "commands", [])]
        assert kinds.count(Begin) <= 1
        if Send in kinds:
            assert kinds.index(Begin) < kinds.index(Send)

    @invariant()
    def the_start_says_of_whom_it_is_as_the_event_does(self) -> None:
        commands = getattr(self, "commands", [])
        starts = [c.start.event for c in commands if isinstance(c, Begin)]
        for event in [c.event for c in commands if isinstance(c, Record)]:
            for start in starts:
                same = ("event_id", "key_id", "session_id", "model_asked", "started_us", "billing")
                assert [getattr(start, n) for n in same] == [getattr(event, n) for n in same]

    @invariant()
    def one_answer(self) -> None:
        if not hasattr(self, "exchange"):
            return
        assert self.count(Respond) + self.count(RelayHead) <= 1
        assert self.count(RelayEnd) + self.count(Abort) + self.count(Respond) <= 1
        for kind in (Abort, RelayEnd, Respond):
            if self.count(kind):
                assert isinstance(self.commands[-1], kind)

    @invariant()
    def relayed_equals_received(self) -> None:
        if hasattr(self, "exchange"):
            relayed = b"".join(c.chunk for c in self.commands if isinstance(c, Relay))
            assert relayed == self.received

    @invariant()
    def the_event_comes_before_the_bytes_that_complete_the_answer(self) -> None:
        if not hasattr(self, "exchange") or b'message_stop"}\n\n' not in self.received:
            return
        kinds = [type(c) for c in self.commands]
        assert kinds.index(Record) < max(i for i, k in enumerate(kinds) if k is Relay)
        event = next(c.event for c in self.commands if isinstance(c, Record))
        assert event.outcome == Outcome.OK
        assert event.tokens.output == 57

    @invariant()
    def a_client_that_leaves_costs_no_more(self) -> None:
        left_alone = (
            not (self.upstream_over or self.refused) if hasattr(self, "exchange") else False
        )
        if left_alone and self.client_gone:
            assert self.count(CloseUpstream) == 1

    @invariant()
    def nothing_unsent_is_billed(self) -> None:
        for command in getattr(self, "commands", []):
            if isinstance(command, Record) and not self.sent:
                assert command.event.tokens.total == 0
                assert command.event.cost.total == 0


ExchangeMachine.TestCase.settings = settings(
    max_examples=examples(300), stateful_step_count=25, deadline=None
)
TestExchange = ExchangeMachine.TestCase
