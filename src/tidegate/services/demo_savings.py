"""What compression made of the demo's tool results: by class, as shares that are usual for each."""

from random import Random
from typing import Any, Final

from tidegate.core.model import ToolSaving, Usage
from tidegate.core.price_book import Rates
from tidegate.core.savings import saving

LEVEL: Final = "lossless"
HOLDOUT: Final = "holdout"
HOLDOUT_PERMILLE: Final = 50
LENGTHENED: Final = 1.13  # what a turn brings where nothing is compressed
_ENGINE_VERSION: Final = 1
_OF_RESULTS: Final = 0.8  # of what a turn brings; the rest is what the model and people said
_CLASSES: Final = (
    # class, how much of all, least and most that is saved
    ("read", 0.46, 0.16, 0.25),
    ("shell", 0.27, 0.02, 0.12),
    ("search", 0.15, 0.18, 0.42),
    ("list", 0.04, 0.24, 0.5),
    ("edit", 0.06, 0.1, 0.2),
    ("other", 0.02, 0.0, 0.03),
)


class Results:
    """The tool results that a session's requests have shown so far."""

    def __init__(self, session: str) -> None:
        self._chance = Random(session)  # noqa: S311 -- no secret
        self.is_held_out = self._chance.randrange(1000) < HOLDOUT_PERMILLE
        self._classes: dict[str, ToolSaving] = {}
        self._new = 0
        self._again = 0

    def grow(self, tokens: int) -> None:
        """A turn brings one more result."""
        self._again += self._new
        sent = int(tokens * _OF_RESULTS)
        [(name, _, least, most)] = self._chance.choices(_CLASSES, [each[1] for each in _CLASSES])
        share = 0.0 if self.is_held_out else self._chance.uniform(least, most)
        before = int(sent / (1 - share))
        self._new = before - sent
        known = self._classes.get(name, ToolSaving(name, 0, 0, 0))
        self._classes[name] = ToolSaving(
            name, known.results + 1, known.tokens_before + before, known.tokens_after + sent
        )

    def forget(self) -> None:
        """The agent summed up what was said, and begins anew."""
        self._classes.clear()
        self._new = self._again = 0

    def fields(self, usage: Usage, rates: Rates, *, is_answered: bool) -> dict[str, Any]:
        """Those of a usage event."""
        found: dict[str, Any] = {
            "compression": HOLDOUT if self.is_held_out else LEVEL,
            "compression_version": 0 if self.is_held_out else _ENGINE_VERSION,
        }
        if is_answered:
            found["tool_savings"] = tuple(self._classes[name] for name in sorted(self._classes))
        if is_answered and not self.is_held_out:
            found["saved_tokens_new"], found["saved_tokens_again"] = self._new, self._again
            found["saved_nano"] = saving(self._new, self._again, usage, rates)
        return found
