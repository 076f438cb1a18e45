"""Takes the known forms of secrets out of a text: what is kept of a request never holds one.

A text is also searched as it reads once the escapes of JSON and of URLs are undone, since a secret
may be written in either, or in both; and the deltas of an event stream as the text that they make.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from tidegate.core.secret_forms import ACCESS_KEY_ID, FORMS, Form, Found, beside_access_key_id

Text = TypeVar("Text", bytes, str)

_WINDOW_BYTES: Final = 128 << 10  # no single search keeps other threads waiting for longer
_TRIGGER_BYTES: Final = 256  # more than any trigger looks ahead
_FEW: Final = 64  # of an anchor in a window
_SUSPICIOUS: Final = re.compile(
    "sk-|tgp?_|gh[a-z]_|github_|tidegate_|xox|xapp-|eyJ|A[KS]IA|://|/(?:setup|reset|join)/|sign-in/"
    r"|aws|AccessKey|hooks\.|PRIVATE|[%\\]|[0-9A-Z]{4}-[0-9A-Z]{4}-",
    re.IGNORECASE,
)
_CODE_OF: Final = rb"(0[9AaDd]|[2-7][0-9A-Fa-f])"  # of a character that a secret may hold
_URL_ESCAPE: Final = re.compile(b"%%(?:25)*%b" % _CODE_OF)
_ESCAPE: Final = re.compile(rb"%%(?:25)*%b|\\+u00%b|\\+(/)" % (_CODE_OF, _CODE_OF))
_ESCAPED_SLASH: Final = re.compile(rb"/(?<=\\/)")
_JSON_ESCAPE: Final = b"\\u00"
# A piece of the answer in an event of a stream: Responses has it bare, the others in an object.
_NAMES: Final = (
    rb'"(?:text|partial_json|thinking|content|arguments|reasoning|reasoning_content|refusal)": ?"'
)
_DELTA: Final = re.compile(
    rb'"delta": ?(?:"|\{(?:"type": ?"\w+", ?)?%b|\{"(?:role|tool_calls|content)"[^\n]{0,400}?%b)'
    rb'([^"\\]*(?:\\.[^"\\]*)*)"' % (_NAMES, _NAMES)
)
_MOST_TEXTS: Final = 24  # of one answer
_EVENT_BYTES: Final = 2048  # a longer one is not looked for
_ESCAPES: Final = 64  # more backslashes than stand before any quote
_PLACE_BYTES: Final = 14  # before a delta, in which the number of its text is told

Pieces = Sequence[tuple[int, int]]


class Span(NamedTuple):
    """Where a secret is."""

    start: int
    end: int
    kind: str


class Edit(NamedTuple):
    """Put `text` in the place of these bytes."""

    start: int
    end: int
    text: bytes


class Redactor:
    """Finds and replaces secrets of some forms, and of some values that are known exactly."""

    def __init__(self, forms: Sequence[Form] = FORMS) -> None:
        by_anchor: dict[str, list[Form]] = {}
        for form in forms:
            by_anchor.setdefault(form.anchor, []).append(form)
        self._groups = [(a.encode(), _any_of(group), group) for a, group in by_anchor.items()]

    def redact(self, text: bytes, known: Sequence[bytes] = ()) -> bytes:
        """The text without secrets; `known` are values that are secret whatever their form."""
        return _edited(text, [_replacing(span) for span in self.spans(text, known)])

    def redact_events(self, text: bytes, known: Sequence[bytes] = ()) -> bytes:
        """The same for an event stream, whose events may each hold a piece of a secret."""
        if _is_mixed(text):
            text = self._redact_across(text, _streamed_texts(text), known)
        elif (merged := _merged_events(text)) is not None and not self.spans(merged, known):
            return text
        if self.spans(b"".join(_DELTA.findall(text)), known):
            whole = [match.span(1) for match in _DELTA.finditer(text)]
            text = self._redact_across(text, [whole], known)
        return self.redact(text, known)

    def is_secret(self, value: bytes) -> bool:
        """Whether all of it is one secret of a known form."""
        return [(s.start, s.end) for s in self.spans(value)] == [(0, len(value))]

    def spans(self, text: bytes, known: Sequence[bytes] = ()) -> list[Span]:
        """The secrets in a text, in their order, none within another."""
        found = [*self._plain(text), *_occurrences(text, known)]
        if _is_escaped(text):
            view = _Unescaped(text)
            for start, end, kind in (*self._plain(view.text), *_occurrences(view.text, known)):
                found.append(Span(view.origin(start), view.origin(end), kind))
        return _apart(found) if len(found) > 1 else found

    def _plain(self, text: bytes) -> Iterator[Span]:
        for anchor, triggers, forms in self._groups:
            beyond = [0] * len(forms)
            for match in _triggered(text, anchor, triggers):
                which = (match.lastindex or 1) - 1
                if match.start() >= beyond[which]:
                    found = forms[which].find(text, *match.span())
                    beyond[which] = found.beyond
                    yield from _spans_of(text, forms[which], found)

    def _redact_across(self, text: bytes, texts: Iterable[Pieces], known: Sequence[bytes]) -> bytes:
        edits: list[Edit] = []
        for pieces in texts:
            joined = b"".join([text[start:end] for start, end in pieces])
            for span in self.spans(joined, known):
                edits += _spread(span, pieces)
        return _edited(text, sorted(edits))


def _any_of(forms: Sequence[Form]) -> "re.Pattern[bytes]":
    """Matches an anchor from which a trigger does; the number of its group is the form's.

    The two bytes before an anchor are looked at first: few are such as any of the forms asks for.
    """
    anchor, close = forms[0].anchor, dict.fromkeys(form.close for form in forms)
    guard = f"(?<=(?:{'|'.join(close)}){anchor})" if all(close) else ""
    each = "|".join(f"(?<={form.before}{anchor}){form.after}()" for form in forms)
    return re.compile(f"{anchor}{guard}(?:{each})".encode())


def _triggered(
    text: bytes, anchor: bytes, triggers: "re.Pattern[bytes]"
) -> Iterator["re.Match[bytes]"]:
    """Where triggers match. Few anchors are found one by one, which costs next to nothing."""
    for begin in range(0, len(text), _WINDOW_BYTES):
        at, end = begin, begin + _WINDOW_BYTES
        for _ in range(_FEW if text.count(anchor, at, end) <= _FEW else 0):
            if (at := text.find(anchor, at, end)) < 0:
                break
            if (match := triggers.match(text, at)) is not None:
                yield match
            at += 1
        else:
            for match in triggers.finditer(text, at, end + _TRIGGER_BYTES):
                if match.start() < end:
                    yield match


def _is_escaped(text: bytes) -> bool:
    at = text.find(b"%")
    for _ in range(_FEW):
        if at < 0:
            return b"\\" in text and (_JSON_ESCAPE in text or _has_escaped_slash(text))
        if _URL_ESCAPE.match(text, at) is not None:
            return True
        at = text.find(b"%", at + 1)
    return _ESCAPE.search(text) is not None


def _has_escaped_slash(text: bytes) -> bool:
    return next(_triggered(text, b"/", _ESCAPED_SLASH), None) is not None


def _spans_of(text: bytes, form: Form, found: Found) -> Iterator[Span]:
    if found.start == found.end:
        return
    yield Span(found.start, found.end, form.kind)
    if form.kind == ACCESS_KEY_ID:
        for other in beside_access_key_id(text, found):
            yield Span(other.start, other.end, "aws-secret")


def _occurrences(text: bytes, values: Iterable[bytes]) -> Iterator[Span]:
    for value in values:
        at = text.find(value)
        while at >= 0:
            yield Span(at, at + len(value), "credential")
            at = text.find(value, at + len(value))


def _apart(spans: list[Span]) -> list[Span]:
    """Sorted, those that overlap made one by the kind of the first."""
    apart: list[Span] = []
    for span in sorted(spans):
        if apart and span.start < apart[-1].end:
            last = apart[-1]
            apart[-1] = Span(last.start, max(last.end, span.end), last.kind)
        else:
            apart.append(span)
    return apart


def _replacing(span: Span) -> Edit:
    return Edit(span.start, span.end, f"[redacted:{span.kind}]".encode())


def _edited(text: bytes, edits: Iterable[Edit]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for start, end, new in edits:
        parts += (text[at:start], new)
        at = end
    return b"".join((*parts, text[at:])) if parts else text


class _Unescaped:
    """A text as it reads with the escapes of JSON and URLs undone, and where that came from."""

    def __init__(self, text: bytes) -> None:
        parts: list[bytes] = []
        self._after: list[int] = [0]  # places behind escapes, here
        self._origins: list[int] = [0]  # and in the original
        at = length = 0
        for match in _ESCAPE.finditer(text):
            start, end = match.span()
            code = match[match.lastindex or 1]
            parts += (text[at:start], b"/" if code == b"/" else bytes((int(code, 16),)))
            length += start - at + 1
            at = end
            self._after.append(length)
            self._origins.append(end)
        self.text = b"".join((*parts, text[at:]))

    def origin(self, place: int) -> int:
        """Where in the original this place of the text is; a place behind an escape is its end."""
        known = bisect_right(self._after, place) - 1
        return self._origins[known] + place - self._after[known]


def _is_mixed(text: bytes) -> bool:
    """Whether several answers come at once, their events mixed: chat completions may."""
    return b'"choices"' in text[:_EVENT_BYTES] and b'"index":1' in text.replace(b" ", b"")


def _merged_events(text: bytes) -> bytes | None:
    """A stream with deltas that follow each other as one, which is shorter and as telling.

    What stands between them is the same each time. It comes once, at the end. None where it is not
    so simple.
    """
    between: list[bytes] = []
    at = 0
    for _ in range(_MOST_TEXTS):
        first = _DELTA.search(text, at)
        if first is None:
            return b"\n".join((text, *between))
        begin = first.start(1)
        while (second := _next_delta(text, begin)) is not None:
            if len(between) == _MOST_TEXTS:
                return None
            end, start = second
            between.append(text[end:start])
            text = _without(text, between[-1], _string_end(text, start))
        at = _string_end(text, begin)
    return None


def _without(text: bytes, between: bytes, at: int) -> bytes:
    """The text without what stands between deltas, wherever it does; perhaps `at` again.

    An expression finds it in half the time that bytes.replace takes, but has to be made first.
    """
    if text.startswith(between, at):
        return b"".join(re.split(re.escape(between), text))
    return text.replace(between, b"")


def _next_delta(text: bytes, begin: int) -> tuple[int, int] | None:
    """Where the delta that begins there ends, and the next one begins, if it follows closely."""
    end = _string_end(text, begin)
    following = _DELTA.search(text, end, end + _EVENT_BYTES)
    return None if following is None else (end, following.start(1))


def _string_end(text: bytes, begin: int) -> int:
    """Where the quote is that ends a JSON string."""
    at = text.find(b'"', begin)
    while at > begin and text[at - 1 : at] == b"\\":
        before = text[max(begin, at - _ESCAPES) : at]
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            break
        at = text.find(b'"', at + 1)
    return at if at >= 0 else len(text)


def _streamed_texts(text: bytes) -> list[Pieces]:
    """Where the pieces of each text are that an event stream brings piece by piece."""
    texts: dict[bytes, list[tuple[int, int]]] = {}
    for match in _DELTA.finditer(text):
        start = match.start()
        texts.setdefault(text[start - _PLACE_BYTES : start], []).append(match.span(1))
    return list(texts.values())


def _spread(span: Span, pieces: Pieces) -> Iterator[Edit]:
    """Edits that replace a secret in the first of the pieces it is in and delete the rest of it."""
    new, at = _replacing(span).text, 0
    for start, end in pieces:
        left, right = max(span.start, at), min(span.end, at + end - start)
        if left < right:
            yield Edit(start + left - at, start + right - at, new)
            new = b""
        at += end - start


_REDACTOR: Final = Redactor()


def redact(text: Text) -> Text:
    """The text with `[redacted:KIND]` in the place of each secret."""
    if isinstance(text, bytes):
        return _REDACTOR.redact(text)
    return _REDACTOR.redact(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def redact_name(text: str) -> str:
    """The same for a name, of which next to none is a secret: fast."""
    return redact(text) if _SUSPICIOUS.search(text) is not None else text


def holds_secret(value: bytes) -> bool:
    """Whether there is a known form of a secret in it."""
    return bool(_REDACTOR.spans(value))
