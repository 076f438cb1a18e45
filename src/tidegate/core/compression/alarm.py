"""Words of a line that speaks of something gone wrong: such lines are never left out or split."""

from typing import Final

_WORDS: Final = (
    "err", "fatal", "panic", "exception", "traceback", "fail", "assert", "undefined", "cannot",
    "not found", "denied", "fault", "unresolved", "warn", "✕", "✗", "✘", "refused", "timeout",
    "timed out", "time out", "timedout", "abort", "kill", "invalid", "unable", "missing",
    "conflict", "reject", "vulnerab", "deprecat", "unknown", "unexpected", "critical", "severe",
)  # fmt: skip


def words_in(text: str) -> tuple[str, ...]:
    """Those of the words that a text holds: looking for them in its lines is cheaper."""
    lower = text.lower()
    return tuple(word for word in _WORDS if word in lower)


def speaks_of(line: str, words: tuple[str, ...]) -> bool:
    """Whether a line holds one of the words."""
    if not words:
        return False
    lower = line.lower()
    return any(word in lower for word in words)
