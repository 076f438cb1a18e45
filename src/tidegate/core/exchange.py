"""One request from its acceptance to its usage event: events in, commands out.

The machine decides *what* happens and in which order; the driver does it. `handle` is a generator:
the driver executes each command before it asks for the next one. That is how "relayed first, read
afterwards" is said: the code behind `yield Relay(...)` runs when the bytes are on their way.

The one exception is the read that completes the terminal event. It is read first and the usage
event handed over before those bytes go out, so that no client ever holds an answer that the ledger
does not know. In the same way `Begin` comes before the first `Send`: no request reaches an upstream
of which nothing would be known if we ended now.

Invariants, held by tests: at most one `Begin`, before every `Send`; exactly one `Record`; at most
one `Respond`, none after a `RelayHead`; nothing after `Abort`; relayed bytes equal received bytes.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import msgspec

from tidegate.core import errors
from tidegate.core.dialects import Reported, UsageReader, usage_reader
from tidegate.core.encodings import EncodingFault, StreamDecoder
from tidegate.core.errors import Failure, Remedy
from tidegate.core.estimate import complete
from tidegate.core.model import (
    Outcome,
    RequestStart,
    Usage,
    UsageEvent,
)
from tidegate.core.pricing import PriceBook
from tidegate.core.redaction import redact_name
from tidegate.core.settlement import settle
from tidegate.core.ticket import Ticket, known_event, start_of

_HEAVY_BYTES: Final = 1 << 20  # reading more than this at once takes milliseconds
_DECODED_LIMIT_BYTES: Final = 64 << 20
_NO_USAGE: Final = Usage()


# -- events ------------------------------------------------------------------


class RequestReceived(msgspec.Struct, frozen=True):
    """The request is complete; `refusal` is why it may not go on, if it may not."""

    refusal: Failure | None = None


class UpstreamConnected(msgspec.Struct, frozen=True):
    """There is a connection for the request; a second one if the first was lost untouched."""


class BeginRefused(msgspec.Struct, frozen=True):
    """The request may not begin, as its usage could not be recorded. Comes instead of `Begin`."""

    failure: Failure


class UpstreamHead(msgspec.Struct, frozen=True):
    """The head of the upstream's answer. `length` is -1 unless the answer's size was announced."""

    status: int
    event_stream: bool = False
    length: int = -1
    encoding: str = ""
    request_id: str = ""


class UpstreamBytes(msgspec.Struct, frozen=True):
    chunk: bytes


class UpstreamEnded(msgspec.Struct, frozen=True):
    """The answer ended as its framing announced."""


class UpstreamFailed(msgspec.Struct, frozen=True):
    """The upstream could not be reached, broke off, or kept silent for too long (`timed_out`)."""

    failure: Failure
    timed_out: bool = False


class ClientGone(msgspec.Struct, frozen=True):
    """The client closed, or read nothing for too long."""


Event = (
    RequestReceived
    | UpstreamConnected
    | BeginRefused
    | UpstreamHead
    | UpstreamBytes
    | UpstreamEnded
    | UpstreamFailed
    | ClientGone
)


# -- commands ----------------------------------------------------------------


class Forward(msgspec.Struct, frozen=True):
    """Get a connection to the upstream."""


class Begin(msgspec.Struct, frozen=True):
    """Hand over what is to be recorded if we end before the request does."""

    start: RequestStart


class Send(msgspec.Struct, frozen=True):
    """Send the request on the connection: from here on it may cost money."""


class Respond(msgspec.Struct, frozen=True):
    """Answer the client ourselves."""

    failure: Failure


class RelayHead(msgspec.Struct, frozen=True):
    """Send the upstream's head to the client."""


class Relay(msgspec.Struct, frozen=True):
    chunk: bytes


class RelayEnd(msgspec.Struct, frozen=True):
    """End the answer as its framing wants."""


class Abort(msgspec.Struct, frozen=True):
    """Close the client's connection without a regular end: its answer is incomplete."""


class CloseUpstream(msgspec.Struct, frozen=True):
    """Give up the upstream's connection at once, so that nobody pays for the rest."""


class Record(msgspec.Struct, frozen=True):
    """Hand the usage event over."""

    event: UsageEvent


class Read(msgspec.Struct, frozen=True):
    """Call `read`, in a thread: it goes through so many bytes that a loop would stand still."""

    read: Callable[[], None]


Command = (
    Forward
    | Begin
    | Send
    | Respond
    | RelayHead
    | Relay
    | RelayEnd
    | Abort
    | CloseUpstream
    | Record
    | Read
)

FORWARD: Final = Forward()
SEND: Final = Send()
RELAY_HEAD: Final = RelayHead()
RELAY_END: Final = RelayEnd()
ABORT: Final = Abort()
CLOSE_UPSTREAM: Final = CloseUpstream()


class Exchange:
    """The state machine of one metered request. See the module's text."""

    __slots__ = (
        "_book",
        "_decoder",
        "_first_byte_us",
        "_head",
        "_known",
        "_over",
        "_passing",
        "_reader",
        "_received",
        "_sent",
        "_ticket",
        "recorded",
    )

    def __init__(self, ticket: Ticket, book: PriceBook) -> None:
        self._ticket = ticket
        self._book = book
        self._head: UpstreamHead | None = None
        self._reader: UsageReader | None = None
        self._passing: Callable[[bytes], bool] | None = None  # the reader's, while it may be asked
        self._decoder: StreamDecoder | None = None
        self._received = 0
        self._first_byte_us = 0
        self._sent = False
        self._known: UsageEvent | None = None  # what is known of the event from the beginning on
        self._over = False
        self.recorded = False

    def handle(self, event: Event, at_us: int) -> Iterator[Command]:
        """Yield what to do about `event`, which happened at `at_us` on the monotonic clock.

        Exhaust the iterator, executing each command before taking the next.
        """
        if self._over:
            return iter(())
        if type(event) is UpstreamBytes:
            return self._bytes(event.chunk, at_us)
        if type(event) is UpstreamEnded:
            return self._ended(at_us)
        if type(event) is UpstreamHead:
            return self._on_head(event)
        if type(event) is RequestReceived:
            return self._on_request(event.refusal, at_us)
        if type(event) is UpstreamFailed:
            return self._failed(event, at_us)
        if type(event) is UpstreamConnected:
            return self._connected()
        if type(event) is BeginRefused:
            return self._begin_refused(event.failure, at_us)
        return self._gone(at_us)

    def _on_request(self, refusal: Failure | None, at_us: int) -> Iterator[Command]:
        if refusal is None:
            yield FORWARD
            return
        self._over = True
        yield self._record(Outcome.REFUSED, at_us, failure=refusal)
        yield Respond(refusal)

    def _connected(self) -> Iterator[Command]:
        if self._known is None:
            yield Begin(start_of(self._ticket, self._what_is_known()))
        yield SEND
        self._sent = True

    def _begin_refused(self, failure: Failure, at_us: int) -> Iterator[Command]:
        self._over = True
        yield CLOSE_UPSTREAM
        yield self._record(Outcome.REFUSED, at_us, failure=failure)
        yield Respond(failure)

    def _on_head(self, head: UpstreamHead) -> Iterator[Command]:
        self._head = head
        self._reader = usage_reader(self._ticket.dialect, event_stream=head.event_stream)
        if head.encoding not in {"", "identity"}:
            try:
                self._decoder = StreamDecoder(head.encoding, _DECODED_LIMIT_BYTES)
            except EncodingFault:
                self._reader = None
        elif head.length < 0:
            self._passing = self._reader.passes
        yield RELAY_HEAD

    def _bytes(self, chunk: bytes, at_us: int) -> Iterator[Command]:
        if not self._first_byte_us:
            self._first_byte_us = max(1, at_us - self._ticket.started_mono_us)
        self._received += len(chunk)
        assert self._head is not None
        if self.recorded:
            yield Relay(chunk)
        elif self._decoder is not None or self._received == self._head.length:
            if self._is_heavy(chunk):
                yield Read(partial(self._observe, chunk))
            else:
                self._observe(chunk)
            yield from self._settle_if_done(at_us)
            yield Relay(chunk)
        elif self._reader is not None and self._reader.may_end(chunk):
            if self._reader.feed_bytes + len(chunk) > _HEAVY_BYTES:
                yield Read(partial(self._reader.feed, chunk))
            else:
                self._reader.feed(chunk)
            yield from self._settle_if_done(at_us)
            yield Relay(chunk)
        else:
            yield Relay(chunk)
            if self._reader is not None:
                if self._reader.feed_bytes + len(chunk) > _HEAVY_BYTES:
                    yield Read(partial(self._reader.feed, chunk))
                else:
                    self._reader.feed(chunk)

    def passes(self, chunk: bytes) -> bool:
        """Whether bytes of the answer need only be relayed; what `handle` says of them is `Relay`.

        The short way for the bulk of a stream: content events that the reader need not look into.
        Only `handle` knows the time, so the first bytes never pass.
        """
        if self._first_byte_us and self._passing is not None and self._passing(chunk):
            self._received += len(chunk)
            return True
        return False

    def _is_heavy(self, chunk: bytes) -> bool:
        """Whether `_observe` may take long: a few bytes can decode to a thousand times as many."""
        reader = self._reader
        if reader is None or self._decoder is not None:
            return reader is not None
        return max(reader.feed_bytes, reader.finish_bytes) + len(chunk) > _HEAVY_BYTES

    def _observe(self, chunk: bytes) -> None:
        """Read a copy of the answer that came encoded, or its last piece."""
        if self._reader is None:
            return
        if self._decoder is not None:
            try:
                chunk = self._decoder.feed(chunk)
            except EncodingFault:
                self._reader = None
                return
        self._reader.feed(chunk)
        if self._head is not None and self._received == self._head.length:
            self._reader.finish()

    def _settle_if_done(self, at_us: int) -> Iterator[Command]:
        assert self._head is not None
        whole = self._received == self._head.length
        if whole or (self._reader is not None and self._reader.done):
            yield from self._counted()
            yield self._record(self._outcome_at_end(), at_us)

    def _counted(self) -> Iterator[Command]:
        """Wait for what compression saved, if that is still being counted."""
        compression = self._ticket.compression
        if compression is not None and not compression.is_counted and compression.settle:
            yield Read(compression.settle)

    def _ended(self, at_us: int) -> Iterator[Command]:
        self._over = True
        if not self.recorded:
            if self._reader is not None:
                if self._reader.finish_bytes > _HEAVY_BYTES:
                    yield Read(self._reader.finish)
                else:
                    self._reader.finish()
            yield from self._counted()
            yield self._record(self._outcome_at_end(), at_us)
        yield RELAY_END

    def _outcome_at_end(self) -> Outcome:
        """The outcome of an answer whose framing was complete."""
        assert self._head is not None
        if self._head.status >= 300:  # a redirect is not followed: it is no answer either
            return Outcome.UPSTREAM_ERROR
        reader = self._reader
        if reader is None:
            return Outcome.OK  # unreadable for us, whole for the client
        if reader.failed:
            return Outcome.UPSTREAM_ERROR
        if self._head.event_stream and not reader.done and reader.fault is None:
            return Outcome.CUT
        return Outcome.OK

    def _failed(self, event: UpstreamFailed, at_us: int) -> Iterator[Command]:
        self._over = True
        if self._head is None:
            outcome = Outcome.TIMED_OUT if event.timed_out else Outcome.UPSTREAM_ERROR
            if event.failure.remedy is not Remedy.RETRY:
                outcome = Outcome.REFUSED
            yield self._record(outcome, at_us, failure=event.failure)
            yield CLOSE_UPSTREAM
            yield Respond(event.failure)
            return
        yield CLOSE_UPSTREAM
        if self.recorded and self._head.event_stream:
            yield RELAY_END  # the client has its terminal event: nothing is missing
            return
        if not self.recorded:
            yield self._record(
                Outcome.TIMED_OUT if event.timed_out else Outcome.CUT, at_us, failure=event.failure
            )
        yield ABORT

    def _gone(self, at_us: int) -> Iterator[Command]:
        self._over = True
        yield CLOSE_UPSTREAM
        if not self.recorded:
            yield self._record(Outcome.CANCELLED, at_us)

    # -- the usage event -----------------------------------------------------

    def _what_is_known(self) -> UsageEvent:
        if self._known is None:
            self._known = known_event(self._ticket)
        return self._known

    def _record(self, outcome: Outcome, at_us: int, failure: Failure | None = None) -> Record:
        self.recorded = True
        usage = self._usage(outcome)
        event = msgspec.structs.replace(
            self._what_is_known(),
            first_byte_us=self._first_byte_us,
            duration_us=max(0, at_us - self._ticket.started_mono_us),
            status=self._status(failure),
            outcome=outcome,
            error_code=failure.code if failure else "",
            response_bytes=self._received,
            upstream_request_id=redact_name(self._head.request_id) if self._head else "",
            links=self._ticket.client.links + self._ticket.links,
            calls=self._ticket.calls,
            **settle(self._ticket, usage, self._book, was_sent=self._sent),
        )
        return Record(event)

    def _status(self, failure: Failure | None) -> int:
        if self._head is not None:
            return self._head.status
        if failure is None:
            return 499  # the client left before there was an answer, as proxies log it
        return errors.render(failure, self._ticket.dialect, self._ticket.client.agent).status

    def _usage(self, outcome: Outcome) -> Usage:
        """What the request used: reported counts stay, only missing buckets are estimated."""
        if not self._sent or outcome is Outcome.REFUSED:
            return _NO_USAGE
        reported = self._reader.reported() if self._reader is not None else None
        head = self._head
        if head is None and outcome is Outcome.UPSTREAM_ERROR:
            return _NO_USAGE  # no answer began: nothing to bill
        if head is not None and head.status >= 300:
            return reported.usage if reported is not None else _NO_USAGE
        if reported is None:
            received = self._received if self._reader is None else 0
            reported = Reported(
                usage=_NO_USAGE,
                prompt_known=False,
                output_known=False,
                output_bytes=received,
                output_deltas=0,
            )
        ticket = self._ticket
        if reported.prompt_known and reported.output_known:
            return reported.usage
        return complete(
            reported,
            dialect=ticket.dialect,
            prompt_bytes=ticket.prompt_bytes,
            previous_prompt_tokens=ticket.previous_prompt_tokens,
            request_model=ticket.facts.model if ticket.facts else "",
        )
