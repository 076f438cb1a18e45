"""What a spool file's frames hold: starts and usage events, each within a bounded size.

The bound is what lets a writer keep room for the end of every request that it let begin.
"""

from typing import Final

import msgspec

from tidegate.core.frames import frame
from tidegate.core.model import RequestStart, UsageEvent

ROOM_BYTES: Final = 8192
"""No frame of a start or an event is longer."""

_TEXT_CHARS: Final = (2000, 30)  # of each text, tried in turn; 30 characters are 120 bytes at most
_ARRAY: Final = 0x90  # the first byte of a short array in msgpack: only starts are arrays
_ARRAY_MASK: Final = 0xF0

_encoder: Final = msgspec.msgpack.Encoder()
_events: Final = msgspec.msgpack.Decoder(UsageEvent)
_starts: Final = msgspec.msgpack.Decoder(RequestStart)


class _Id(msgspec.Struct):
    event_id: str


class _StartId(msgspec.Struct, array_like=True):
    event: _Id


_event_ids: Final = msgspec.msgpack.Decoder(_Id)
_start_ids: Final = msgspec.msgpack.Decoder(_StartId)


def event_frame(event: UsageEvent) -> bytes:
    """The frame of a finished request."""
    try:
        payload = _encoder.encode(event)
        if len(payload) <= ROOM_BYTES - 64:
            return frame(payload)
    except (UnicodeEncodeError, OverflowError):  # half a surrogate pair, a number beyond 64 bits
        pass
    return frame(_encoder.encode(_storable(event)))


def start_frame(start: RequestStart) -> bytes:
    """The frame of a request that is about to go out."""
    try:
        payload = _encoder.encode(start)
        if len(payload) <= ROOM_BYTES - 64:
            return frame(payload)
    except (UnicodeEncodeError, OverflowError):
        pass
    fit = RequestStart(
        _storable(start.event),
        _fit_number(start.prompt_bytes),
        _fit_number(start.previous_prompt_tokens or 0) or None,
        _fit_text(start.price_table, _TEXT_CHARS[1]),
    )
    return frame(_encoder.encode(fit))


def is_start(payload: bytes) -> bool:
    """Whether a frame's payload is a start; else it is a usage event."""
    return payload[:1] != b"" and payload[0] & _ARRAY_MASK == _ARRAY


def read_event(payload: bytes) -> UsageEvent:
    """Raises msgspec.DecodeError, as all of these do."""
    return _events.decode(payload)


def read_start(payload: bytes) -> RequestStart:
    return _starts.decode(payload)


def unfinished(payloads: list[bytes]) -> list[bytes]:
    """The starts among `payloads` whose usage event is not. What cannot be read is left out."""
    found: dict[str, bytes] = {}
    finished: set[str] = set()
    for payload in payloads:
        try:
            if is_start(payload):
                found[_start_ids.decode(payload).event.event_id] = payload
            else:
                finished.add(_event_ids.decode(payload).event_id)
        except msgspec.DecodeError:
            continue
    return [payload for event_id, payload in found.items() if event_id not in finished]


def _storable(event: UsageEvent) -> UsageEvent:
    """The event with texts and numbers of a sane size and nothing that UTF-8 cannot say."""
    fields = msgspec.structs.asdict(event)
    numbers = {n: _fit_number(v) for n, v in fields.items() if isinstance(v, int)}
    numbers |= {n: bool(v) for n, v in fields.items() if isinstance(v, bool)}
    fit = event
    for chars in _TEXT_CHARS:
        texts = {n: _fit_text(v, chars) for n, v in fields.items() if isinstance(v, str)}
        fit = msgspec.structs.replace(event, **texts, **numbers)
        fit = msgspec.structs.replace(
            fit, tokens=_fit_numbers(event.tokens), cost=_fit_numbers(event.cost)
        )
        if len(_encoder.encode(fit)) <= ROOM_BYTES - 64:
            break
    return fit


def _fit_numbers(values: msgspec.Struct) -> msgspec.Struct:
    return type(values)(*map(_fit_number, msgspec.structs.astuple(values)))


def _fit_number(value: int) -> int:
    return min(max(value, -(1 << 63)), (1 << 64) - 1)


def _fit_text(value: str, chars: int) -> str:
    return value[:chars].encode("utf-8", "replace").decode()
