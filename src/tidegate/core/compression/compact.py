"""JSON without the blanks between its parts; numbers, escapes and the order of names stay."""

import json
import re
from typing import Final

_BLANKS: Final = re.compile(r'("(?:[^"\\]+|\\.)*")|[ \t\r\n]+')
_LARGEST: Final = 256 << 10
_ENDS: Final = {"{": "}", "[": "]"}


def shorten(text: str) -> str | None:
    """The same JSON on one line; None where it is not one, or does not read back the same."""
    bare = text.strip()
    if not bare or len(bare) > _LARGEST or _ENDS.get(bare[0]) != bare[-1] or "\n" not in bare:
        return None
    shorter = _BLANKS.sub(r"\1", bare)
    try:
        same = _read(shorter) == _read(bare)
    except (ValueError, RecursionError):
        return None
    return shorter if same and len(shorter) < len(text) else None


def _read(text: str) -> object:
    """Numbers as they are written, names in their order, a name given twice as two."""
    return json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=tuple)
