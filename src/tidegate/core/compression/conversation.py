"""What one request has shown so far: calls and results in their order, each result made shorter.

What a result becomes depends on the calls and results before it alone, so it is the same in every
later request of the conversation, which begins with the same calls and results.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tidegate.core.compression import diffs, echoes, engine, reminders, trims
from tidegate.core.compression.engine import Shortened
from tidegate.core.compression.references import History
from tidegate.core.compression.tools import Kind, class_of, kind_of, path_of, text_of
from tidegate.core.compression.versions import ENGINE_VERSION, VERSIONS

LEVELS: Final = ("lossless", "references", "trims")


class Call(NamedTuple):
    """A tool call, as far as its result depends on it."""

    tool: str
    arguments: object  # decoded, or the text that could not be


_UNKNOWN: Final = Call("", None)


class Conversation:
    """Tool calls and results of one request, told in its order."""

    def __init__(self, level: str, version: int = ENGINE_VERSION) -> None:
        if level not in LEVELS:
            raise ValueError(f"no level {level!r}; there are {', '.join(LEVELS)}")
        if version not in VERSIONS:
            there_are = ", ".join(map(str, VERSIONS))
            raise ValueError(f"no engine version {version}; there are {there_are}")
        self._trims = level == "trims"
        self._calls: dict[str, Call] = {}
        self._history = History() if level != "lossless" else None
        self._last: str | None = None

    def called(self, call_id: str, tool: str, call: object) -> None:
        """Take a tool call. Of two with the same id the later one counts from there on."""
        self._calls[call_id] = Call(tool, call)

    def result(self, call_id: str, text: str, *, is_error: bool = False) -> str:
        """The text to send for a result (or one text part of it): itself if nothing is to gain."""
        call = self._calls.get(call_id, _UNKNOWN)
        history, number = self._history, self._next(call_id, call, is_error)
        if engine.is_left_alone(text, is_error=is_error):
            return text
        kind = kind_of(call.tool, call.arguments)
        shortened = engine.shorten(kind, text)
        if history is None or number == 0:
            return shortened.text
        others = list(self._others(history, number, call, text, shortened))
        others = [other for other in others if reminders.keeps(other, text)]
        return min([shortened.text, *others], key=len)

    def known(self, call_id: str, text: str, *, is_error: bool = False) -> None:
        """Take a result whose text to send is known from an earlier request, instead of `result`.

        Later results refer to it as they would have; it costs a fraction of `result`.
        """
        history = self._history
        if history is None:
            return
        call = self._calls.get(call_id, _UNKNOWN)
        path, kind = path_of(call.arguments), kind_of(call.tool, call.arguments)
        if path and kind is not Kind.READ:
            self.result(call_id, text, is_error=is_error)
            return
        number = self._next(call_id, call, is_error)
        if number == 0 or engine.is_left_alone(text, is_error=is_error):
            return
        repeated = history.repeated(number, text)
        if path and (repeated is None or not reminders.keeps(repeated, text)):
            history.printed(number, path, text)

    def tool_class(self, call_id: str) -> str:
        """For reports: read, search, list, shell, edit or other."""
        call = self._calls.get(call_id, _UNKNOWN)
        return class_of(call.tool, call.arguments)

    def _next(self, call_id: str, call: Call, is_error: bool) -> int:
        """Number a result; 0 for its further parts, which are only looked at by themselves."""
        history = self._history
        if history is None or call_id == self._last:
            return 0
        self._last = call_id
        number = history.next()
        written = text_of(call.tool, call.arguments)
        if written is not None and not is_error:
            history.wrote(number, path_of(call.arguments), written)
        return number

    def _others(
        self, history: History, number: int, call: Call, text: str, shortened: Shortened
    ) -> Iterator[str]:
        """What may be sent instead of the lossless text, if it is shorter."""
        repeated = history.repeated(number, text)
        if repeated is not None and reminders.keeps(repeated, text):
            yield repeated
            return
        path, numbered = path_of(call.arguments), shortened.numbered
        kind = kind_of(call.tool, call.arguments)
        if path and numbered is not None:
            if kind is Kind.READ:
                named = history.reread(number, path, numbered)
                if named is not None:
                    yield named
                return
            written = text_of(call.tool, call.arguments)
            trimmed = None
            if written is not None and self._trims:
                trimmed = echoes.trim(
                    written, numbered, lambda parts: history.latest(number, path, parts)
                )
            if trimmed is not None:
                yield trimmed
            else:
                history.showed(number, path, numbered)
        elif kind is Kind.SHELL:
            is_trimmed = self._trims and class_of(call.tool, call.arguments) == "shell"
            trimmed = trims.trim(shortened.text) if is_trimmed else None
            if trimmed is not None:
                yield trimmed
            named = diffs.shorten(trimmed or shortened.text, number, history.shown)
            if named is not None:
                yield named
