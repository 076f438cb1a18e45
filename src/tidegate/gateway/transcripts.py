"""The conversations that this worker remembers, the newest ones, within a number of bytes."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

from tidegate.core.compression.requests_transcript import Transcript
from tidegate.core.model import Dialect
from tidegate.store.pins import Pin

_BRANCHES: Final = 4  # conversations of one session: side questions, retries, a turn taken back
_WEIGHT: Final = 2  # what the engine keeps of a text, beside it


class Place(NamedTuple):
    """Whose conversation it is, and all that its results depend on beside itself."""

    organization_id: str
    session_id: str
    subagent: str
    dialect: Dialect
    pin: Pin


class Transcripts:
    """Conversations by place. Who takes some has them alone until they are put back."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[Place, list[Transcript]] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, place: Place) -> list[Transcript]:
        """Those of a place, the newest first."""
        taken = self._kept.pop(place, [])
        self.size_bytes -= _size(taken)
        return taken

    def put(self, place: Place, transcripts: Sequence[Transcript]) -> None:
        """Keep these; what was put there meanwhile is older."""
        kept = [*transcripts, *self.take(place)][:_BRANCHES]
        self._kept[place] = kept
        self.size_bytes += _size(kept)
        while self.size_bytes > self._limit_bytes and self._kept:
            _, dropped = self._kept.popitem(last=False)
            self.size_bytes -= _size(dropped)


def _size(transcripts: Sequence[Transcript]) -> int:
    return _WEIGHT * sum(transcript.size_bytes for transcript in transcripts)
