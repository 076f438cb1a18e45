"""What every usage reader is and gives, and how counts are taken from whatever a provider sent."""

import json
from typing import Any, Final, Protocol, TypeVar

import msgspec

from tidegate.core.model import Usage

MOST_TOKENS: Final = 10**9  # a larger count is garbage
_LONGEST_TEXT: Final = 128


class Reported(msgspec.Struct, frozen=True):
    """What the upstream reported so far, and how much it delivered.

    `output_bytes` is the size of the delivered text (UTF-8, without JSON and event framing) in
    `output_deltas` pieces. Both are only measured while `output_known` is false: they are for the
    estimate, and measuring takes time that a regular request should not pay for.
    """

    usage: Usage
    prompt_known: bool
    output_known: bool
    output_bytes: int = 0
    output_deltas: int = 0


class UsageReader(Protocol):
    """Observe one response. It may go blind, but it never raises."""

    @property
    def done(self) -> bool:
        """Whether the terminal event was seen in full."""
        ...

    @property
    def failed(self) -> bool:
        """Whether it was an error."""
        ...

    @property
    def fault(self) -> str | None:
        """Why something could not be read; the counts are those seen all the same."""
        ...

    @property
    def feed_bytes(self) -> int:
        """How many bytes kept so far the next `feed` may go through again."""
        ...

    @property
    def finish_bytes(self) -> int:
        """How many bytes `finish` may go through."""
        ...

    def may_end(self, chunk: bytes) -> bool:
        """Whether this read could complete the terminal event. Cheap, changes nothing."""
        ...

    def passes(self, chunk: bytes) -> bool:
        """Whether this read cannot end anything and holds no counts. If so, it has been fed."""
        ...

    def feed(self, chunk: bytes) -> None: ...

    def finish(self) -> None:
        """Say that the body ended regularly."""
        ...

    def reported(self) -> Reported: ...


class Tally(Protocol):
    """The counts of one response in one dialect; how its bytes were framed is not its concern."""

    done: bool
    failed: bool

    def observe(self, name: bytes, data: bytes) -> None:
        """Take one event; raise `Unreadable` if it should have been readable."""
        ...

    def observe_whole(self, body: bytes) -> None:
        """Take a whole JSON body; raise `Unreadable` if it is none."""
        ...

    def reported(self) -> Reported: ...


class Unreadable(ValueError):
    """An event or body that may have held counts is not JSON of the expected shape."""


T = TypeVar("T")


def decode(decoder: msgspec.json.Decoder[T], payload: bytes) -> T:
    """Decode typed; where msgspec refuses (lone surrogates occur) try Python's reader."""
    try:
        return decoder.decode(payload)
    except (ValueError, RecursionError):
        pass
    try:
        return decoder.decode(_mended(payload))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{type(error).__name__}: {str(error)[:200]}") from None


def _mended(payload: bytes) -> bytes:
    """Write JSON anew without what only Python's reader takes: surrogates, NaN, endless numbers."""
    value = json.loads(
        payload.decode("utf-8", "replace"),
        parse_int=lambda digits: int(digits) if len(digits) < 18 else None,
        parse_constant=lambda _: None,
    )
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def count(container: Any, *path: str) -> int | None:
    """Follow `path` to a count; None for whatever is no sensible number of tokens."""
    for name in path:  # as in `within`, written out: it runs a dozen times an answer
        container = container.get(name) if isinstance(container, dict) else None
    return container if type(container) is int and 0 <= container <= MOST_TOKENS else None


def first_count(container: Any, *paths: tuple[str, ...]) -> int | None:
    """Return the first of several spellings of the same count: they must never be added up."""
    for path in paths:
        if (found := count(container, *path)) is not None:
            return found
    return None


def text(value: Any) -> str:
    """Return a short printable text as it is, anything else as the empty one."""
    if isinstance(value, str) and len(value) <= _LONGEST_TEXT and value.isprintable():
        return value
    return ""


def within(container: Any, *path: str) -> Any:
    """Follow keys through nested objects; None where there is nothing."""
    for name in path:
        container = container.get(name) if isinstance(container, dict) else None
    return container
