"""The state of a page that lists something, as it stands in the address.

An address may be written by hand: what is no filter, or no value of one, is told in a sentence by
the name of the parameter. Nothing is listed then, as it would not be what was asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from datetime import date
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from tidegate.core.periods import CUSTOM, PRESETS

ALL_TIME: Final = "all"
EXACT: Final = "exact"  # from a moment to a moment
RANGES: Final = (*PRESETS, ALL_TIME, CUSTOM, EXACT)
YES_NO: Final = ("yes", "no")
_RANGE: Final = ("range", "first", "last", "start", "end")
_NO_RANGE: Final = dict.fromkeys(_RANGE, "")
_MAX_CHARS: Final = 500
_MAX_VALUES: Final = 100

Query = TypeVar("Query", bound="ListQuery")


def many() -> Any:
    """A field of which the address may name several values."""
    return field(default=(), metadata={"many": True})


@dataclass(frozen=True)
class ListQuery:
    """Every control's state. Fields at their default are left out of the address."""

    range: str = ""  # one of RANGES; empty: the usual one
    first: str = ""  # days of a custom range
    last: str = ""
    start: str = ""  # moments of an exact one, as ISO 8601
    end: str = ""
    member: tuple[str, ...] = many()
    agent: tuple[str, ...] = many()
    faults: Mapping[str, str] = field(default_factory=dict, metadata={"hidden": True}, kw_only=True)

    PATH: ClassVar[str]
    DEFAULT_RANGE: ClassVar[str]
    SEARCH: ClassVar[str]  # the parameter that looks for something, at any time
    PLACE: ClassVar[frozenset[str]]  # where in the list one is
    LOOK: ClassVar[frozenset[str]] = frozenset()  # how it is shown, not what
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]]  # the values that there are

    @property
    def range_name(self) -> str:
        """The range that is meant."""
        return self.range or self.usual_range

    @property
    def usual_range(self) -> str:
        return ALL_TIME if self.sought else self.DEFAULT_RANGE

    @property
    def sought(self) -> str:
        """What is looked for."""
        return str(getattr(self, self.SEARCH))

    @property
    def first_day(self) -> date | None:
        return _date(self.first)

    @property
    def last_day(self) -> date | None:
        return _date(self.last)

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the range is chosen."""
        apart = {*_RANGE, *self.PLACE, *self.LOOK}
        return any(
            getattr(self, each.name) for each in _state(type(self)) if each.name not in apart
        )

    def text(self) -> str:
        """The query string of this state; the same state has the same."""
        return urlencode(list(self._given()))

    def url(self, **changes: Any) -> str:
        """The address with some of the filters changed: from the top of the list."""
        return replace(self, **{**dict.fromkeys(self.PLACE, ""), **changes}).address()

    def address(self, path: str = "") -> str:
        """The address of just this state."""
        text = self.text()
        return f"{path or self.PATH}?{text}" if text else path or self.PATH

    def filters_text(self) -> str:
        """The query string of the filters and the range, wherever one is in the list."""
        nowhere: dict[str, Any] = dict.fromkeys(self.PLACE, "")
        return replace(self, **nowhere).text()

    def with_range(self, name: str) -> str:
        """The address of another range."""
        return self.url(**_NO_RANGE | {"range": name})

    def kept(self, *changed: str) -> list[tuple[str, str]]:
        """What a form that changes some of the state sends along unseen."""
        left_out = {*changed, *self.PLACE}
        return [(name, text) for name, text in self._given() if name not in left_out]

    def cleared(self) -> str:
        """The address of everything in the same range."""
        return type(self)(**{name: getattr(self, name) for name in (*_RANGE, *self.LOOK)}).address()

    def _given(self) -> Iterator[tuple[str, str]]:
        """What differs from the default."""
        for each in _state(type(self)):
            value = getattr(self, each.name)
            if each.metadata.get("many"):
                yield from ((each.name, one) for one in value)
            elif value and (each.name, value) != ("range", self.usual_range):
                yield each.name, value


def read_query(kind: type[Query], params: QueryParams, *others: str) -> Query:
    """The state that an address asks for, with what is wrong with it; `others` are no filters."""
    known = {each.name: bool(each.metadata.get("many")) for each in _state(kind)}
    state: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name in (each for each in dict.fromkeys(params) if each not in others):
        if name not in known:
            faults[shown(name)] = f"There is no filter “{shown(name)}”."
            continue
        values = tuple(dict.fromkeys(v for each in params.getlist(name) if (v := each.strip())))
        if fault := _fault(kind, name, values, most=_MAX_VALUES if known[name] else 1):
            faults[name] = fault
        elif values:
            state[name] = values if known[name] else values[0]
    return kind(**state, faults=faults)


def shown(text: str) -> str:
    """What an address holds, fit to be told."""
    kept = "".join(char if char.isprintable() else "?" for char in text[:40])
    return kept + "…" if len(text) > len(kept) else kept


def flag(text: str) -> bool | None:
    """Yes, no, or it does not matter."""
    return {"yes": True, "no": False}.get(text)


def _state(kind: "type[ListQuery]") -> "tuple[Field[Any], ...]":
    return tuple(each for each in fields(kind) if not each.metadata.get("hidden"))


def _fault(kind: type[ListQuery], name: str, values: tuple[str, ...], *, most: int) -> str:
    if len(values) > most:
        return f"There are too many values of “{name}” in the address."
    choices = RANGES if name == "range" else kind.CHOICES.get(name)
    for value in values:
        if len(value) > _MAX_CHARS or not value.isprintable():
            return f"The value of “{name}” is too long or holds characters that no name has."
        if choices and value not in choices:
            known = ", ".join(choices)
            return f"“{shown(value)}” is not a value of “{name}”. Choose from {known}."
    return ""


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
