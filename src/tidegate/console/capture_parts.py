"""The parts of the capture viewer as values: what each of its pages shows."""

from dataclasses import dataclass
from typing import Final

from tidegate.console import formats
from tidegate.console.capture_answer import Answer, read_events, read_response
from tidegate.console.capture_json import Document, Level, find, level, plain, read_document
from tidegate.console.capture_messages import Block, Message, read_conversation
from tidegate.console.capture_text import Excerpt, body_text, excerpt, is_binary, visible
from tidegate.core.captures import REMOVED, Capture, Part
from tidegate.core.model import Dialect
from tidegate.services.errors import NotFound

RECEIVED, SENT, RESPONSE = "received", "sent", "response"
PER_PAGE: Final = 20
EVENTS_PER_PAGE: Final = 50
_PAGE_CHARS: Final = 120_000
_LEAST_CHARS: Final = 120
_MOST_PIECES: Final = 40  # of one message
_EVENT_CHARS: Final = 400
_BODY_TITLES: Final = {RECEIVED: "Received", SENT: "Sent", RESPONSE: "Answer"}
_NOTHING: Final = "There is no such part in this capture."


@dataclass(frozen=True, slots=True)
class PieceView:
    name: str
    text: Excerpt
    is_code: bool


@dataclass(frozen=True, slots=True)
class BlockView:
    kind: str
    title: str
    pieces: list[PieceView]
    failed: bool
    hidden: int  # pieces that are not shown


@dataclass(frozen=True, slots=True)
class MessageView:
    number: int  # 0: the answer
    role: str
    blocks: list[BlockView]


@dataclass(frozen=True, slots=True)
class Pages:
    """Where in a long list a page is."""

    number: int  # from 1
    count: int
    first: int
    last: int
    total: int


@dataclass(frozen=True, slots=True)
class MessagesView:
    messages: list[MessageView]
    answer: list[MessageView]
    pages: Pages
    note: str


@dataclass(frozen=True, slots=True)
class BodyView:
    of: str
    title: str
    level: Level | None
    raw: Excerpt | None
    fault: str
    at: str
    notes: list[str]


@dataclass(frozen=True, slots=True)
class HeaderLine:
    name: str
    value: str
    removed: bool


@dataclass(frozen=True, slots=True)
class HeadersView:
    title: str
    line: str  # the request line or the status
    headers: list[HeaderLine]
    note: str


@dataclass(frozen=True, slots=True)
class EventView:
    number: int
    name: str
    summary: str
    data: Excerpt | None  # where the summary is not all of it


@dataclass(frozen=True, slots=True)
class ResponseView:
    status: int
    ended: str
    is_stream: bool
    fault: str
    raw: Excerpt | None  # of what is no message
    messages: list[MessageView]
    events: list[EventView]
    pages: Pages
    notes: list[str]


def body_of(capture: Capture, of: str) -> Part:
    """One of the three messages. Raises NotFound."""
    part = {RECEIVED: capture.received, SENT: capture.sent, RESPONSE: capture.response}.get(of)
    if part is None:
        raise NotFound(_NOTHING)
    return part


def messages_view(dialect: Dialect, capture: Capture, page: int) -> MessagesView:
    """A page of the conversation, the last one if none is named; the answer ends the last."""
    document = _document(capture.received)
    conversation = read_conversation(dialect, document.value)
    pages = _pages(len(conversation), page or _count(len(conversation), PER_PAGE), PER_PAGE)
    shown = conversation[pages.first - 1 : pages.last] if pages.total else []
    answer = (
        read_response(dialect, capture.response).messages if pages.number == pages.count else []
    )
    most = _piece_chars([*shown, *answer])
    note = document.fault or ("" if conversation else "It holds no conversation.")
    return MessagesView(
        [
            _message(each, f"message:{i}", i + 1, most)
            for i, each in enumerate(shown, pages.first - 1)
        ],
        [_message(each, f"answer:{i}", 0, most) for i, each in enumerate(answer)],
        pages,
        note,
    )


def body_view(capture: Capture, of: str, *, as_raw: bool, at: str = "") -> BodyView:
    """A body as a tree, opened at a place; as it is where that is wanted or no tree is possible."""
    part = body_of(capture, of)
    notes = part_notes(part)
    if not part.body:
        return BodyView(of, _BODY_TITLES[of], None, None, "There is no body.", "", notes)
    if is_binary(part.body):
        told = "It is no text. Download it to see what it is."
        return BodyView(of, _BODY_TITLES[of], None, None, told, "", notes)
    document = _document(part)
    is_tree = not as_raw and not document.fault
    raw = None if is_tree else excerpt(body_text(part), f"raw:{of}", most=8_000)
    fault = "" if as_raw else document.fault
    shown = tree_level(capture, f"{of}:{at}") if is_tree else None
    return BodyView(of, _BODY_TITLES[of], shown, raw, fault, at if is_tree else "", notes)


def tree_level(capture: Capture, source: str, start: int = 0) -> Level:
    """What is at a place of a body: `received:/messages/3`. Raises NotFound."""
    of, _, at = source.partition(":")
    try:
        return level(find(_document(body_of(capture, of)).value, at), at, f"json:{of}", start)
    except (LookupError, TypeError):
        raise NotFound(_NOTHING) from None


def headers_views(capture: Capture) -> list[HeadersView]:
    """Those of the three messages."""
    asked = visible(f"{capture.method} {capture.path}")
    sent = "" if capture.sent else "It was never sent."
    same = capture.sent is not None and capture.sent.headers == capture.received.headers
    return [
        _headers("Received", asked, capture.received, ""),
        _headers(
            "Sent", "", capture.sent or Part(), sent or ("The same as received." if same else "")
        ),
        _headers("Answer", f"Status {capture.status}", capture.response, ""),
    ]


def response_view(dialect: Dialect, capture: Capture, page: int) -> ResponseView:
    part = capture.response
    answer: Answer = read_response(dialect, part)
    pages = _pages(len(answer.events), max(1, page), EVENTS_PER_PAGE)
    most = _piece_chars(answer.messages)
    shows_raw = not answer.messages and not answer.is_stream and part.body
    raw = excerpt(body_text(part), f"raw:{RESPONSE}") if shows_raw else None
    return ResponseView(
        status=capture.status,
        ended=answer.ended,
        is_stream=answer.is_stream,
        fault=answer.fault,
        raw=None if is_binary(part.body) else raw,
        messages=[_message(each, f"answer:{i}", 0, most) for i, each in enumerate(answer.messages)],
        events=[
            EventView(
                each.number, visible(each.name), each.summary, _event_data(each.data, each.number)
            )
            for each in answer.events[max(0, pages.first - 1) : pages.last]
        ],
        pages=pages,
        notes=part_notes(part),
    )


def text_at(dialect: Dialect, capture: Capture, source: str) -> str:
    """The whole text that an excerpt is from. Raises NotFound."""
    kind, _, place = source.partition(":")
    try:
        match kind:
            case "raw":
                return body_text(body_of(capture, place))
            case "json":
                of, _, at = place.partition(":")
                return plain(find(_document(body_of(capture, of)).value, at))
            case "event":
                data = read_events(capture.response.body)[_number(place) - 1].data
                return data.decode("utf-8", "replace")
            case "message":
                document = _document(capture.received)
                return _piece(read_conversation(dialect, document.value), place)
            case "answer":
                return _piece(read_response(dialect, capture.response).messages, place)
    except (LookupError, TypeError, ValueError):
        pass
    raise NotFound(_NOTHING)


def part_notes(part: Part) -> list[str]:
    """What is to be known of a body: that it is not whole, that it came encoded."""
    notes = []
    if part.truncated_bytes:
        kept = formats.count(len(part.body))
        notes.append(
            f"Only the first {kept} bytes were kept; {formats.count(part.truncated_bytes)} more"
            " are not here."
        )
    if part.encoding and part.encoding != "identity":
        notes.append(f"It came encoded as {visible(part.encoding)} and is shown decoded.")
    if part.note:
        notes.append(visible(part.note))
    return notes


def _document(part: Part) -> Document:
    return read_document(part.body, cut=bool(part.truncated_bytes))


def _headers(title: str, line: str, part: Part, note: str) -> HeadersView:
    lines = [
        HeaderLine(visible(name), visible(value), REMOVED in value) for name, value in part.headers
    ]
    return HeadersView(title, line, lines, note)


def _message(message: Message, source: str, number: int, most: int) -> MessageView:
    left, blocks = _MOST_PIECES, []
    for i, block in enumerate(message.blocks[:_MOST_PIECES]):
        view = _block(block, f"{source}.{i}", most, left)
        left -= len(view.pieces)
        blocks.append(view)
    if len(message.blocks) > len(blocks):
        hidden = len(message.blocks) - len(blocks)
        blocks.append(BlockView("hidden", "", [], failed=False, hidden=hidden))
    return MessageView(number, visible(message.role[:40]), blocks)


def _block(block: Block, source: str, most: int, left: int) -> BlockView:
    shown = max(left, 1 if block.pieces else 0)
    if block.kind == "tools":
        shown, most = 2 * PER_PAGE * 5, min(most, 240)
    pieces = [
        PieceView(
            visible(piece.name[:200]),
            excerpt(piece.text, f"{source}.{i}", most=most),
            piece.is_code,
        )
        for i, piece in enumerate(block.pieces[:shown])
    ]
    hidden = len(block.pieces) - len(pieces)
    return BlockView(block.kind, visible(block.title[:300]), pieces, block.failed, hidden)


def _piece_chars(messages: list[Message]) -> int:
    """How long the excerpts on a page may be, so that the page stays small."""
    count = sum(len(block.pieces) for message in messages for block in message.blocks)
    return min(2_000, max(_LEAST_CHARS, _PAGE_CHARS // max(1, count)))


def _piece(messages: list[Message], place: str) -> str:
    message, block, piece = (_number(each) for each in place.split("."))
    return messages[message].blocks[block].pieces[piece].text


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise ValueError(text)
    return int(text)


def _event_data(data: bytes, number: int) -> Excerpt | None:
    text = data.decode("utf-8", "replace")
    return excerpt(text, f"event:{number}", most=_EVENT_CHARS) if len(text) > 120 else None


def _count(total: int, per_page: int) -> int:
    return max(1, -(-total // per_page))


def _pages(total: int, number: int, per_page: int) -> Pages:
    count = _count(total, per_page)
    number = min(max(1, number), count)
    first = (number - 1) * per_page + 1
    return Pages(number, count, first, min(total, first + per_page - 1), total)
