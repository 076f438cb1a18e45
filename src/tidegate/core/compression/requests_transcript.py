"""What one conversation has shown so far, so that only what is new in a request needs work.

A client sends all of its conversation with every request. Each message of the last one is kept as
it came and as it was sent. Messages that come again to the byte are sent again to the byte, after
one comparison of memory. Of the others those whose calls and results are the same (clients move
their cache marks from message to message) keep what was sent for these results. What is new goes
through the engine. If the conversation took another turn, all before that turn is told to a new
`Conversation`, and what was sent of it stays.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from tidegate.core.compression.conversation import Conversation
from tidegate.core.compression.requests import Call, Item, Message, ResultText, read_message
from tidegate.core.compression.splice import (
    Doubt,
    Span,
    elements,
    replace,
    text_of,
    without_lone_surrogates,
)
from tidegate.core.model import Dialect, ToolSaving

_COST_BYTES: Final = 400  # what a message takes beside its bytes
_LOOSE: Final = 12  # messages at most that are compared one by one
_NEWEST: Final = 3  # of them, those that may come in another form
_BLANKS: Final = b" \t\n\r"
_SEPARATOR: Final = re.compile(rb"[ \t\n\r]*,")
_UNREAD: Final = Message()


class Shown(msgspec.Struct):
    """One text of a tool result. `sent` is its string as it went out, None for unchanged."""

    text: ResultText
    tool_class: str = ""
    sent: bytes | None = None
    tokens_before: int = -1  # -1: not counted yet
    tokens_after: int = -1


class Entry(msgspec.Struct):
    """One message with what stands before it, as it came and as it was sent."""

    original: bytes
    sent: bytes
    message: Message
    shown: tuple[Shown, ...] = ()
    breaks: bool = False  # the engine failed here: what comes after goes out as it came
    so_far: "Sums | None" = None  # of all up to here, once they are counted


class Sums(msgspec.Struct, frozen=True):
    """Tokens of tool results, and how many fewer went out than came."""

    tools: tuple[ToolSaving, ...] = ()
    saved: int = 0


class _Front(msgspec.Struct, frozen=True):
    """All but the newest messages, put together: one comparison, one piece to send."""

    count: int = 0
    original: bytes = b""
    sent: bytes = b""
    is_changed: bool = False


class Shortened(msgspec.Struct, frozen=True):
    """A request's body with shorter results, or None for as it came."""

    body: bytes | None
    entries: tuple[Entry, ...]
    faults: int = 0  # results that stay as they came for doubt, a fault or lack of time


class Plan(msgspec.Struct, frozen=True):
    """What there is to do for a request: nothing was done yet."""

    body: bytes
    span: Span  # of the conversation
    known: int  # messages that came again to the byte
    at: int  # where the others begin

    @property
    def new_bytes(self) -> int:
        return self.span[1] - self.at


class Transcript:
    """The messages of one conversation, and the engine that has seen them."""

    def __init__(
        self,
        dialect: Dialect,
        level: str,
        version: int,
        conversation: Callable[[str, int], Conversation] = Conversation,
    ) -> None:
        self._dialect = dialect
        self._begin: Callable[[], _Engine] = lambda: _Engine(conversation(level, version))
        self._entries: list[Entry] = []
        self._front = _Front()
        self._engine = self._begin()
        self.size_bytes = 0

    def plan(self, body: bytes, span: Span) -> Plan:
        """Compare a body with what is known of its conversation. `span` is of its list."""
        at, known = span[0] + 1, 0
        if self._front.count and body.startswith(self._front.original, at):
            at, known = at + len(self._front.original), self._front.count
        for entry in self._entries[known:]:
            if not body.startswith(entry.original, at):
                break
            at += len(entry.original)
            known += 1
        return Plan(body, span, known, at)

    def goes_back(self, plan: Plan) -> bool:
        """Whether more of what was shown is gone than a message or two."""
        return len(self._entries) > plan.known + 2

    def shorten(self, plan: Plan, is_late: Callable[[], bool]) -> Shortened:
        """Do what is planned. Results that come when it `is_late` go out as they are.

        Raises Doubt where the body is not understood: then it goes out as it came.
        """
        came, left_over, faults = _messages(self._dialect, plan)
        known = self._recognise(came, plan.known)
        if any(entry.message.items for entry in self._entries[known:]):
            self._go_back(known)
        del self._entries[known:]
        if plan.known < self._front.count:
            self._front = _Front()
        for entry in came[known - plan.known :]:
            self._entries.append(entry)
            faults += self._engine.take(entry, is_late)
            _splice(entry)
        self._move_front()
        return Shortened(self._body(plan, left_over), tuple(self._entries), faults)

    def _recognise(self, came: Sequence[Entry], known: int) -> int:
        """Take over messages that say the same of tools as before: how many are known then."""
        for entry, old in zip(came, self._entries[known:], strict=False):
            if not _same(old, entry):
                break
            entry.breaks = old.breaks
            for before, now in zip(old.shown, entry.shown, strict=True):
                now.tool_class, now.sent = before.tool_class, before.sent
                now.tokens_before, now.tokens_after = before.tokens_before, before.tokens_after
            _splice(entry)
            self._entries[known] = entry
            known += 1
        return known

    def _go_back(self, known: int) -> None:
        """Tell a new engine what was said up to there."""
        self._engine = self._begin()
        for entry in self._entries[:known]:
            self._engine.remember(entry)

    def _move_front(self) -> None:
        """Have all but the newest messages in one piece, once there are some more of them."""
        front, entries = self._front, self._entries
        if len(entries) - front.count > _LOOSE:
            more = entries[front.count : -_NEWEST]
            self._front = front = _Front(
                front.count + len(more),
                b"".join((front.original, *(entry.original for entry in more))),
                b"".join((front.sent, *(entry.sent for entry in more))),
                front.is_changed or any(entry.sent is not entry.original for entry in more),
            )
        loose = sum(len(entry.original) + len(entry.sent) for entry in entries[front.count :])
        put_together = len(front.original) + len(front.sent)
        self.size_bytes = 2 * put_together + loose + _COST_BYTES * len(entries)

    def _body(self, plan: Plan, left_over: int) -> bytes | None:
        front, loose = self._front, self._entries[self._front.count :]
        if not front.is_changed and all(entry.sent is entry.original for entry in loose):
            return None
        pieces = [plan.body[: plan.span[0] + 1], front.sent]
        pieces += [entry.sent for entry in loose]
        pieces.append(plan.body[left_over:])
        return b"".join(pieces)


class _Engine:
    """Tells a `Conversation` what comes, and checks what it makes of it.

    Its fault stops no request: from there on all goes out as it came, as it would again.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._open: set[str] = set()  # calls without a result
        self._is_answer = False
        self._is_broken = False

    def take(self, entry: Entry, is_late: Callable[[], bool]) -> int:
        """Shorten a message's results; how many stay as they came for a fault or lack of time."""
        was_broken = self._is_broken
        faults = 0
        shown = iter(entry.shown)
        for item in entry.message.items:
            if isinstance(item, Call):
                self._call(item)
            else:
                self._is_broken = self._is_broken or is_late()
                self._result(entry.original, next(shown))
                faults += self._is_broken
        entry.breaks = self._is_broken and not was_broken
        return faults

    def remember(self, entry: Entry) -> None:
        """Take what was shortened before."""
        for item in entry.message.items:
            if isinstance(item, Call):
                self._call(item)
            else:
                self._open_or_not(item)
                self._know(entry.original, item)
        self._is_broken = self._is_broken or entry.breaks

    def _call(self, call: Call) -> None:
        self._open.add(call.call_id)
        self._guarded(lambda: self._conversation.called(call.call_id, call.tool, call.arguments))

    def _result(self, original: bytes, shown: Shown) -> None:
        text = shown.text
        self._open_or_not(text)
        self._guarded(lambda: self._classify(shown))
        if self._is_answer:
            self._guarded(lambda: self._shorten(original, shown))
        else:  # of which call it is cannot be told
            self._know(original, text)

    def _open_or_not(self, text: ResultText) -> None:
        """Find out whether a call waits for this result; its further texts belong to the first."""
        if text.is_first:
            self._is_answer = text.call_id in self._open
            self._open.discard(text.call_id)

    def _classify(self, shown: Shown) -> None:
        shown.tool_class = self._conversation.tool_class(shown.text.call_id)

    def _shorten(self, original: bytes, shown: Shown) -> None:
        """Have a text shortened: it is sent so if it is shorter in bytes, and reads back."""
        text = shown.text
        plain = _plain(original, text)
        shorter = self._conversation.result(text.call_id, plain, is_error=text.is_error)
        if shorter != plain:
            written = msgspec.json.encode(shorter)
            if len(written) < text.span[1] - text.span[0] and text_of(written) == shorter:
                shown.sent = written

    def _know(self, original: bytes, text: ResultText) -> None:
        """Have the engine take a text that it need not shorten."""
        plain = _plain(original, text)
        self._guarded(lambda: self._conversation.known(text.call_id, plain, is_error=text.is_error))

    def _guarded(self, step: Callable[[], object]) -> None:
        if self._is_broken:
            return
        try:
            step()
        except Exception:  # noqa: BLE001 - whatever ails the engine, the request goes on
            self._is_broken = True


def _plain(original: bytes, text: ResultText) -> str:
    """A result's text; nothing where it has half a surrogate pair, as that cannot be written."""
    try:
        return text_of(original[text.span[0] : text.span[1]])
    except Doubt:
        return ""


def _messages(dialect: Dialect, plan: Plan) -> tuple[list[Entry], int, int]:
    """Read what is new: the messages, where the body goes on after them, and doubtful ones."""
    tail = plan.body[plan.at : plan.span[1]]
    lead = _SEPARATOR.match(tail) if plan.known else None
    if plan.known and lead is None:
        if tail.strip(_BLANKS) != b"]":
            raise Doubt("a message goes on after its end")
        return [], plan.at, 0
    skipped = lead.end() if lead is not None else 0
    source = b"[" + tail[skipped:]
    source, spans = _elements(source)
    entries, doubtful, done = [], 0, 1
    for start, end in spans:
        before = tail[: skipped + start - 1] if done == 1 else source[done:start]
        try:
            message = read_message(dialect, source[start:end], len(before))
        except Doubt:
            message, doubtful = _UNREAD, doubtful + 1
        first, last = plan.at + skipped + done - 1, plan.at + skipped + end - 1
        original = plan.body[first if done > 1 else plan.at : last]
        shown = tuple(Shown(item) for item in message.items if isinstance(item, ResultText))
        entries.append(Entry(original, original, message, shown))
        done = end
    return entries, plan.at + skipped + done - 1, doubtful


def _elements(source: bytes) -> tuple[bytes, list[Span]]:
    try:
        return source, elements(source)
    except Doubt:
        source = without_lone_surrogates(source)
        return source, elements(source)


def _splice(entry: Entry) -> None:
    """Write the message as it is sent."""
    changes = [(shown.text.span, shown.sent) for shown in entry.shown if shown.sent is not None]
    entry.sent = replace(entry.original, changes) if changes else entry.original


def _same(one: Entry, other: Entry) -> bool:
    """Whether two forms of a message have the same calls, and the same results to the byte."""
    if one.original == other.original:
        return True
    items, others = one.message.items, other.message.items
    return len(items) == len(others) and all(
        _told(one.original, a) == _told(other.original, b)
        for a, b in zip(items, others, strict=True)
    )


def _told(original: bytes, item: Item) -> object:
    if isinstance(item, Call):
        return item
    return item.call_id, item.is_error, item.is_first, original[item.span[0] : item.span[1]]
