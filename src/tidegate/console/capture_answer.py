"""The answer of a capture: put together from its events, and the events themselves."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from tidegate.console.capture_json import Document, read_document
from tidegate.console.capture_messages import Message, read_answer
from tidegate.console.capture_text import header, one_line
from tidegate.core.captures import Part
from tidegate.core.model import Dialect
from tidegate.core.sse import fields

_BLANK_LINE: Final = re.compile(rb"\n\n+")
_SUMMARY_CHARS: Final = 140
_CONTENTS: Final = ("content", "arguments", "input", "summary", "action", "encrypted_content")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream. `number` counts from 1, in the order in which they came."""

    number: int
    name: str
    data: bytes

    @property
    def summary(self) -> str:
        return one_line(self.data[: 4 * _SUMMARY_CHARS].decode("utf-8", "replace"), _SUMMARY_CHARS)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; `ended` is why it ended, in the words of the provider."""

    messages: list[Message]
    events: list[Event] = field(default_factory=list)
    ended: str = ""
    is_stream: bool = False
    fault: str = ""  # why it cannot be shown as a message


def read_response(dialect: Dialect, part: Part) -> Answer:
    """Read an answer, streamed or whole."""
    if is_stream(part):
        events = read_events(part.body)
        whole = gathered(dialect, events)
        return Answer(read_answer(dialect, whole), events, _ended(whole), is_stream=True)
    document = read_document(part.body, cut=bool(part.truncated_bytes))
    messages = read_answer(dialect, document.value)
    return Answer(messages, ended=_ended(document.value), fault="" if messages else _why(document))


def is_stream(part: Part) -> bool:
    return header(part, "content-type").lower().startswith("text/event-stream")


def read_events(body: bytes) -> list[Event]:
    """The events of a stream, the last one perhaps cut."""
    text = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").strip(b"\n")
    events = []
    for number, raw in enumerate(_BLANK_LINE.split(text) if text else (), 1):
        name, data = fields(raw)
        shown = name.decode("utf-8", "replace")
        events.append(Event(number, shown or _type_of(data), data or raw))
    return events


def _type_of(data: bytes) -> str:
    """What an event without a name is called by its data."""
    match = re.match(rb'\{"(?:type|object)":\s*"([\w.]{1,60})"', data)
    if match is None:
        match = re.search(rb'"object":\s*"([\w.]{1,60})"', data[:400])
    return match[1].decode() if match else ""


def gathered(dialect: Dialect, events: list[Event]) -> dict[str, Any]:
    """A streamed answer as it would have come whole."""
    gatherer = _GATHERERS[dialect]()
    for event in events:
        try:
            value = msgspec.json.decode(event.data)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            gatherer.take(value)
    return gatherer.whole()


def _ended(value: Any) -> str:
    """`end_turn`, `completed`, `stop` ..."""
    if not isinstance(value, dict):
        return ""
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    reasons = (
        value.get("stop_reason"),
        first.get("finish_reason") if isinstance(first, dict) else None,
        value.get("status"),
    )
    return next((one_line(each, 60) for each in reasons if isinstance(each, str)), "")


def _why(document: Document) -> str:
    return document.fault or "It holds no message that is known."


class _Gatherer:
    def __init__(self) -> None:
        self.error: Any = None

    def take(self, value: dict[str, Any]) -> None:
        if value.get("type") == "error" or isinstance(value.get("error"), dict):
            self.error = value.get("error") or value
        self.add(value)

    def add(self, value: dict[str, Any]) -> None:
        raise NotImplementedError

    def whole(self) -> dict[str, Any]:
        raise NotImplementedError


class _Messages(_Gatherer):
    def __init__(self) -> None:
        super().__init__()
        self._blocks: dict[Any, dict[str, Any]] = {}
        self._texts: dict[Any, dict[str, list[str]]] = {}
        self._stopped: Any = None

    def add(self, value: dict[str, Any]) -> None:
        index, delta = _key(value.get("index")), value.get("delta")
        if isinstance(value.get("content_block"), dict):
            self._blocks[index] = value["content_block"]
        if not isinstance(delta, dict):
            return
        if isinstance(delta.get("stop_reason"), str):
            self._stopped = delta["stop_reason"]
        for name in ("text", "thinking", "partial_json"):
            if isinstance(delta.get(name), str):
                self._texts.setdefault(index, {}).setdefault(name, []).append(delta[name])

    def whole(self) -> dict[str, Any]:
        content = []
        for index in self._blocks | dict.fromkeys(self._texts, None):
            block = dict(self._blocks.get(index) or {"type": "text"})
            for name, parts in self._texts.get(index, {}).items():
                target = "input" if name == "partial_json" else name
                before = block.get(target) if isinstance(block.get(target), str) else ""
                block[target] = (before or "") + "".join(parts)
            content.append(block)
        return {"content": content, "stop_reason": self._stopped, "error": self.error}


class _Chat(_Gatherer):
    def __init__(self) -> None:
        super().__init__()
        self._choices: dict[Any, dict[str, Any]] = {}

    def add(self, value: dict[str, Any]) -> None:
        choices = value.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict):
                continue
            known = self._choices.setdefault(_key(choice.get("index")), {"texts": {}, "calls": {}})
            known["finish_reason"] = choice.get("finish_reason") or known.get("finish_reason")
            delta = choice.get("delta")
            if isinstance(delta, dict):
                _add_delta(known, delta)

    def whole(self) -> dict[str, Any]:
        choices = [
            {
                "message": {name: "".join(parts) for name, parts in each["texts"].items()}
                | {"tool_calls": [_call(one) for one in each["calls"].values()]},
                "finish_reason": each["finish_reason"],
            }
            for each in self._choices.values()
        ]
        return {"choices": choices, "error": self.error}


def _add_delta(known: dict[str, Any], delta: dict[str, Any]) -> None:
    for name in ("content", "reasoning_content", "reasoning", "refusal"):
        if isinstance(delta.get(name), str):
            known["texts"].setdefault(name, []).append(delta[name])
    calls = delta.get("tool_calls")
    for each in calls if isinstance(calls, list) else ():
        wanted = each.get("function") if isinstance(each, dict) else None
        if isinstance(wanted, dict):
            one = known["calls"].setdefault(_key(each.get("index")), {"name": "", "arguments": []})
            one["name"] = wanted.get("name") or one["name"]
            if isinstance(wanted.get("arguments"), str):
                one["arguments"].append(wanted["arguments"])


def _call(one: dict[str, Any]) -> dict[str, Any]:
    return {"function": {"name": one["name"], "arguments": "".join(one["arguments"])}}


class _Responses(_Gatherer):
    """Whole items win over the deltas that they were announced by, a whole response over both."""

    def __init__(self) -> None:
        super().__init__()
        self._items: dict[Any, dict[str, Any]] = {}
        self._done: set[Any] = set()
        self._texts: dict[Any, dict[tuple[str, Any], list[str]]] = {}
        self._response: dict[str, Any] = {}

    def add(self, value: dict[str, Any]) -> None:
        index, kind = _key(value.get("output_index")), value.get("type")
        if isinstance(value.get("response"), dict):
            self._response = value["response"]
        if isinstance(value.get("item"), dict):
            self._items[index] = value["item"]
            if kind == "response.output_item.done":
                self._done.add(index)
        if isinstance(value.get("delta"), str) and isinstance(kind, str):
            place = kind, _key(value.get("content_index", value.get("summary_index")))
            self._texts.setdefault(index, {}).setdefault(place, []).append(value["delta"])

    def whole(self) -> dict[str, Any]:
        error = self.error or self._response.get("error")
        if self._response.get("output"):
            return self._response | {"error": error}
        output = [
            self._items[index] if self._is_whole(index) else self._unfinished(index)
            for index in self._items | dict.fromkeys(self._texts, None)
        ]
        return {"output": output, "status": self._response.get("status"), "error": error}

    def _is_whole(self, index: Any) -> bool:
        item = self._items.get(index, {})
        return index in self._done and any(item.get(name) for name in _CONTENTS)

    def _unfinished(self, index: Any) -> dict[str, Any]:
        texts = self._texts.get(index, {})
        is_call = any("arguments" in kind for kind, _ in texts)
        unknown = {"type": "function_call" if is_call else "message", "role": "assistant"}
        item = dict(self._items.get(index) or unknown)
        for (kind, _), parts in texts.items():
            text = "".join(parts)
            if "arguments" in kind:
                item["arguments"] = text
            elif "input" in kind:
                item["input"] = text
            elif "reasoning" in kind:
                item["summary"] = [*_texts_of(item, "summary"), {"text": text}]
            elif "text" in kind or "refusal" in kind:
                item["content"] = [*_texts_of(item, "content"), {"type": "text", "text": text}]
        return item


def _texts_of(item: dict[str, Any], name: str) -> list[Any]:
    return item[name] if isinstance(item.get(name), list) else []


def _key(index: Any) -> Any:
    return index if isinstance(index, int | str) else 0


_GATHERERS: Final[Mapping[Dialect, Callable[[], _Gatherer]]] = {
    Dialect.MESSAGES: _Messages,
    Dialect.CHAT: _Chat,
    Dialect.RESPONSES: _Responses,
}
