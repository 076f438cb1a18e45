"""Lists in pages: a cursor holds the place, so that what is added meanwhile moves nothing.

Every list is ordered by ids, which sort by the time they were made at and never change.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec

from tidegate.console.api_v1.problems import ProblemRaised, at_field

MAX_LIMIT: Final = 200
_MAX_CURSOR_CHARS: Final = 500

Item = TypeVar("Item")

Limit = Annotated[
    int, msgspec.Meta(ge=1, le=MAX_LIMIT, description="How many to answer with at most.")
]
Cursor = Annotated[
    str,
    msgspec.Meta(
        max_length=_MAX_CURSOR_CHARS,
        description="`next_cursor` of the page before; nothing for the first page.",
    ),
]


class PageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a page starts, and how long it is."""

    limit: Limit = 50
    cursor: Cursor = ""


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A part of a list. `next_cursor` is null on the last one."""

    items: list[Item]
    next_cursor: str | None


class _Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Which list a cursor is of, and after what the next page starts."""

    list_name: str
    after: str


def filtered_list(kind: str, asked: Any) -> str:
    """What a list is called that depends on what was asked for: a cursor goes with the same."""
    return f"{kind} {hashlib.sha256(msgspec.msgpack.encode(asked)).hexdigest()[:16]}"


def write_cursor(list_name: str, after: str) -> str:
    """An opaque text for a place in a list."""
    place = msgspec.msgpack.encode(_Place(list_name, after))
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def read_cursor(list_name: str, cursor: str) -> str:
    """The place, if the cursor is one that this list gave; empty for none."""
    if not cursor:
        return ""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
        place = msgspec.msgpack.decode(raw, type=_Place)
    except (UnicodeEncodeError, binascii.Error, ValueError, msgspec.MsgspecError):
        raise foreign_cursor() from None
    if place.list_name != list_name or not place.after:
        raise foreign_cursor()
    return place.after


def foreign_cursor() -> ProblemRaised:
    return at_field("cursor", "Use next_cursor of a page of this very list, unchanged.")


def page_of(
    list_name: str, query: PageQuery, records: Sequence[Item], id_of: Callable[[Item], str]
) -> tuple[list[Item], str | None]:
    """The records of one page by id, and the cursor of the next."""
    after = read_cursor(list_name, query.cursor)
    left = sorted((r for r in records if id_of(r) > after), key=id_of)
    page = left[: query.limit]
    more = len(left) > len(page)
    return page, write_cursor(list_name, id_of(page[-1])) if more else None
