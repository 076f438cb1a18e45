"""Small memories of a worker: what happened how often, and how long the last prompts were."""

from collections import Counter, OrderedDict
from typing import Final

_LOG_EVERY_S: Final = 10.0
_SESSIONS: Final = 4096

Session = tuple[str, str]
"""A key's id and the client's session id."""


class Counters:
    """Counts by name, and how often a repeated event may be logged."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._reported: dict[str, tuple[float, int]] = {}

    def add(self, name: str, count: int = 1) -> None:
        self._counts[name] += count

    def due(self, name: str, now: float) -> int | None:
        """How many of `name` were not logged yet, or None if it was logged a moment ago."""
        at, reported = self._reported.get(name, (float("-inf"), 0))
        if now - at < _LOG_EVERY_S:
            return None
        self._reported[name] = (now, self._counts[name])
        return self._counts[name] - reported

    def as_dict(self) -> dict[str, int]:
        return dict(self._counts)


class PromptMemory:
    """The prompt tokens of each session's last request with a model, for the newest sessions."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[tuple[Session, str], int] = OrderedDict()

    def get(self, session: Session, model: str) -> int | None:
        return self._tokens.get((session, model))

    def put(self, session: Session, model: str, tokens: int) -> None:
        self._tokens[session, model] = tokens
        self._tokens.move_to_end((session, model))
        if len(self._tokens) > _SESSIONS:
            self._tokens.popitem(last=False)
