"""Watch an event stream go past: find the few events that matter, leave the rest unparsed.

The hot path is a read that holds one content event and nothing else; it costs a few searches in C.
What is delivered is kept as it came, up to a limit, and measured only if an estimate is needed.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Final

import msgspec

from tidegate.core.dialects.reading import Reported, Tally, Unreadable
from tidegate.core.sse import EventRuns, fields

ERROR: Final = b'"error"'  # in every error event, and never within a JSON string
_END_BYTES: Final = 512
_KEPT_BYTES: Final = 64 << 10


class StreamRules(msgspec.Struct, frozen=True):
    """How a dialect names its events."""

    terminal: bytes  # stands in every event that ends a stream well
    delta_lines: tuple[bytes, ...] = ()  # the usual name lines of events that deliver content
    skip_lines: frozenset[bytes] = frozenset()  # name lines of all events that need no look
    skip_starts: tuple[bytes, ...] = ()  # those, and how such events begin without a name


def stream_rules(
    *, terminal: bytes, deltas: Sequence[bytes], passed_over: Sequence[bytes]
) -> StreamRules:
    """Make the rules from names: of events that deliver content, and of others of no interest."""
    names = [*deltas, *passed_over]
    lines = [form + name + b"\n" for name in names for form in (b"event: ", b"event:")]
    forms = (b'data: {"type":"', b'data: {"type": "', b'data:{"type":"')
    return StreamRules(
        terminal=terminal,
        delta_lines=tuple(b"event: " + name + b"\n" for name in deltas),
        skip_lines=frozenset(lines),
        skip_starts=(*lines, *(form + name + b'"' for name in names for form in forms)),
    )


class EventStreamReader:
    """Read the usage of one streamed answer, whatever the reads it comes in.

    Terminal are only events that hold `rules.terminal` or `"error"`, so that `may_end` can tell by
    searching for them, in the read or in what is left of earlier ones.
    """

    def __init__(
        self, tally: Tally, rules: StreamRules, payload_bytes: Callable[[bytes], int]
    ) -> None:
        self.done = False
        self.failed = False
        self.fault: str | None = None
        self._tally = tally
        self._terminal = rules.terminal
        self._runs = EventRuns()
        self._armed = False  # the event that has begun could be the terminal one
        self._content = _Content(payload_bytes)

    @property
    def feed_bytes(self) -> int:
        return self._runs.held

    @property
    def finish_bytes(self) -> int:
        return self._runs.held

    def may_end(self, chunk: bytes) -> bool:
        if self._armed or self._terminal in chunk[-_END_BYTES:]:
            return True  # it is nearly always at the very end
        return self._terminal in chunk or ERROR in chunk

    def passes(self, chunk: bytes) -> bool:
        return False

    def feed(self, chunk: bytes) -> None:
        if self.passes(chunk):
            return
        try:
            self._read(chunk)
        except Exception as error:  # noqa: BLE001  an observer must not break an exchange
            self._go_blind(f"{type(error).__name__}: {error}")

    def finish(self) -> None:
        try:
            self._read_rest(self._runs.rest())
        except Exception as error:  # noqa: BLE001  an observer must not break an exchange
            self._go_blind(f"{type(error).__name__}: {error}")

    def reported(self) -> Reported:
        reported = self._tally.reported()
        if reported.output_known:
            return reported
        size, deltas = self._content.measure()
        return msgspec.structs.replace(
            reported, output_bytes=reported.output_bytes + size, output_deltas=deltas
        )

    def _read(self, chunk: bytes) -> None:
        if self.done or not chunk:
            return
        run = self._runs.push(chunk)
        if (head := self._runs.oversized) is not None:
            self._runs.oversized = None
            if not self._is_content(head):
                self._go_blind("an event was too large to be read")
        if run:
            self._scan(run)
        self._armed = bool(self._runs.tail) and self._could_end(self._runs.tail)

    def _read_rest(self, rest: bytes) -> None:
        if self.done:
            return
        if rest.startswith(b"{") and not self._content.started:
            self._observe_whole(rest)  # JSON under the name of an event stream
        elif rest:
            self._scan(rest + b"\n\n")
        if self._tally.done:
            self.done, self.failed = True, self._tally.failed

    def _scan(self, run: bytes) -> None:
        events = self._interesting(run)
        content_bytes = len(run) - sum(len(event) + 2 for event in events)
        if content_bytes > 0:
            self._content.keep_of(run, content_bytes)
        for event in events:
            self._observe(event)
            if self.done:
                self._release()
                break

    def _observe(self, event: bytes) -> None:
        name, data = fields(event)
        if not name and not data:
            return  # a comment
        try:
            self._tally.observe(name, data)
        except Unreadable as error:
            if data:
                self._go_blind(str(error))
        self.failed = self._tally.failed
        self.done = self._tally.done and (self._terminal in event or ERROR in event)

    def _observe_whole(self, body: bytes) -> None:
        try:
            self._tally.observe_whole(body)
        except Unreadable as error:
            self._go_blind(str(error))

    def _go_blind(self, why: str) -> None:
        self.fault = self.fault or why

    def _release(self) -> None:
        if self._tally.reported().output_known:
            self._content.clear()

    def _interesting(self, run: bytes) -> Sequence[bytes]:
        """Return the events of a run that have to be looked into, in order."""
        raise NotImplementedError

    def _is_content(self, head: bytes) -> bool:
        """Whether an event that begins so is one that needs no look."""
        raise NotImplementedError

    def _could_end(self, tail: bytes) -> bool:
        """Whether an unfinished event that begins so could be a terminal one."""
        raise NotImplementedError


class NamedEventReader(EventStreamReader):
    """For dialects whose events have names, or at least a JSON `type` in first place."""

    def __init__(
        self, tally: Tally, rules: StreamRules, payload_bytes: Callable[[bytes], int]
    ) -> None:
        super().__init__(tally, rules, payload_bytes)
        self._rules = rules
        self._delta_lines = rules.delta_lines

    def passes(self, chunk: bytes) -> bool:
        # Exactly one content event: its name line, one data line, a blank line.
        if (
            chunk.startswith(self._delta_lines)
            and chunk.endswith(b"\n\n")
            and chunk.count(b"\n") == 3
            and b"\r" not in chunk
            and self._runs.clean
            and not self.done
        ):
            self._content.keep(chunk)
            return True
        return False

    def _interesting(self, run: bytes) -> Sequence[bytes]:
        lines = BytesIO(run).readlines()  # the fastest way to cut at newlines
        names = lines[::3]
        if len(lines) == 3 * len(names) == 3 * lines[2::3].count(b"\n"):
            return self._of_two_lines(names, lines)
        skip_starts = self._rules.skip_starts
        pieces = (piece.lstrip(b"\n") for piece in run.split(b"\n\n"))
        return [event for event in pieces if event and not event.startswith(skip_starts)]

    def _of_two_lines(self, names: list[bytes], lines: list[bytes]) -> list[bytes]:
        """Pick from a run where every event has two lines and a blank one, as is usual."""
        skip, skip_starts = self._rules.skip_lines, self._rules.skip_starts
        usual = names[len(names) // 2]  # comparing is cheaper than hashing, and mostly decides
        if usual not in skip:
            usual = b""
        return [
            name + lines[3 * at + 1]
            for at, name in enumerate(names)
            if name != usual and name not in skip and not name.startswith(skip_starts)
        ]

    def _is_content(self, head: bytes) -> bool:
        return head.startswith(self._rules.skip_starts)

    def _could_end(self, tail: bytes) -> bool:
        return not tail.startswith(self._rules.skip_starts)


class _Content:
    """What was delivered: kept as it came up to a limit, extrapolated beyond it."""

    __slots__ = ("_all_bytes", "_kept", "_kept_bytes", "_measured_bytes", "_payload_bytes")

    def __init__(self, payload_bytes: Callable[[bytes], int]) -> None:
        self._payload_bytes = payload_bytes
        self._kept: list[bytes] = []
        self._kept_bytes = 0  # held in memory
        self._measured_bytes = 0  # content events among them
        self._all_bytes = 0  # all content events, kept or not

    @property
    def started(self) -> bool:
        return self._all_bytes > 0

    def keep(self, event: bytes) -> None:
        """Take one whole content event."""
        size = len(event)
        self._all_bytes += size
        if self._kept_bytes < _KEPT_BYTES:
            self._kept.append(event)
            self._kept_bytes += size
            self._measured_bytes += size

    def keep_of(self, run: bytes, content_bytes: int) -> None:
        """Take a run of events, of which so many bytes are of content events."""
        self._all_bytes += content_bytes
        if self._kept_bytes < _KEPT_BYTES:
            self._kept.append(run)
            self._kept_bytes += len(run)
            self._measured_bytes += content_bytes

    def clear(self) -> None:
        self._kept = []

    def measure(self) -> tuple[int, int]:
        """Return how many bytes of text were delivered, and in how many pieces."""
        size = deltas = 0
        for run in self._kept:
            for event in run.split(b"\n\n"):
                if piece := self._payload(event):
                    size += piece
                    deltas += 1
        if self._all_bytes > self._measured_bytes:
            size = size * self._all_bytes // self._measured_bytes
            deltas = deltas * self._all_bytes // self._measured_bytes
        return size, deltas

    def _payload(self, event: bytes) -> int:
        _, data = fields(event)
        if not data:
            return 0
        try:
            return self._payload_bytes(data)
        except (ValueError, RecursionError):
            return 0
