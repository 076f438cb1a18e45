"""What one request has shown so far: calls and results in their order, each result made shorter.

What a result becomes depends on the calls and results before it alone, so it is the same in every
later request of the conversation, which begins with the same calls and results.
"""

from typing import Final, NamedTuple

from tidegate.core.compression import engine, gutter
from tidegate.core.compression.references import History
from tidegate.core.compression.tools import Kind, class_of, kind_of, path_of
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
            raise ValueError(
                f"no engine version {version}; there are {', '.join(map(str, VERSIONS))}"
            )
        self._level = level
        self._calls: dict[str, Call] = {}
        self._history = History() if level != "lossless" else None

    def called(self, call_id: str, tool: str, call: object) -> None:
        """Take a tool call. Of two with the same id the later one counts from there on."""
        self._calls[call_id] = Call(tool, call)

    def result(self, call_id: str, text: str, *, is_error: bool = False) -> str:
        """The text to send for a result (or one text part of it): itself if nothing is to gain."""
        call = self._calls.get(call_id, _UNKNOWN)
        shorter = engine.shorten(call.tool, call.arguments, text)
        if self._history is None:
            return shorter
        return _refer(self._history, call, text, shorter)

    def known(self, call_id: str, text: str, *, is_error: bool = False) -> None:
        """Take a result whose text to send is known from an earlier request: much cheaper."""
        if self._history is not None:
            self.result(call_id, text, is_error=is_error)

    def tool_class(self, call_id: str) -> str:
        """For reports: read, search, list, shell, edit or other."""
        call = self._calls.get(call_id, _UNKNOWN)
        return class_of(call.tool, call.arguments)


def _refer(history: History, call: Call, text: str, shorter: str) -> str:
    result = history.next()
    named = None
    kind = kind_of(call.tool, call.arguments)
    path = path_of(call.arguments)
    if kind is Kind.READ and path:
        numbered = gutter.parse(text, ("→", "\t", "| ", ": "))
        if numbered is not None:
            named = history.reread(result, path, numbered)
    elif path and isinstance(call.arguments, dict):
        if isinstance(call.arguments.get("content"), str) and not text.startswith(
            "<tool_use_error>"
        ):
            history.wrote(result, path, call.arguments["content"])
        elif (echo := gutter.parse(text, ("→", "\t"))) is not None:
            history.reread(result, path, echo)
    if named is None:
        named = history.repeated(result, text)
        if named is None:
            history.shows(result, text)
    return named if named is not None and len(named) < len(shorter) else shorter
