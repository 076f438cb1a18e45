"""The state of the log, as it stands in the address, and the filter that it means.

An address may be written by hand: what is no filter, or no value of one, is told in a sentence by
the name of the parameter. Nothing is listed then, as it would not be what was asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from tidegate.core.model import Agent, Billing, Outcome
from tidegate.core.periods import CUSTOM, PRESETS
from tidegate.services.request_log import NO_REPOSITORY, STATUS_CLASSES, LogFilter

PATH: Final = "/logs"
DEFAULT_RANGE: Final = "24h"
ALL_TIME: Final = "all"
EXACT: Final = "exact"  # from a moment to a moment
RANGES: Final = (*PRESETS, ALL_TIME, CUSTOM, EXACT)
NO_MODEL: Final = "-"
YES_NO: Final = ("yes", "no")
_MAX_CHARS: Final = 500
_MAX_VALUES: Final = 100
_PLACE: Final = frozenset({"at", "open"})


def _many() -> Any:
    return field(default=(), metadata={"many": True})


@dataclass(frozen=True)
class LogQuery:
    """Every control's state. Fields at their default are left out of the address."""

    range: str = ""  # one of RANGES; empty: DEFAULT_RANGE, and all time where an id is looked for
    first: str = ""  # days of a custom range
    last: str = ""
    start: str = ""  # moments of an exact one, as ISO 8601
    end: str = ""
    member: tuple[str, ...] = _many()
    agent: tuple[str, ...] = _many()
    model: tuple[str, ...] = _many()
    outcome: tuple[str, ...] = _many()
    key: str = ""
    session: str = ""
    repository: str = ""
    status: str = ""
    billing: str = ""
    captured: str = ""  # yes or no
    estimated: str = ""
    unpriced: str = ""
    ids: str = ""
    at: str = ""  # a cursor; empty: the newest
    open: str = ""  # the row whose detail is shown
    faults: Mapping[str, str] = field(default_factory=dict, metadata={"hidden": True})

    @property
    def range_name(self) -> str:
        """The range that is meant."""
        return self.range or self._usual_range

    @property
    def _usual_range(self) -> str:
        return ALL_TIME if self.ids else DEFAULT_RANGE

    @property
    def first_day(self) -> date | None:
        return _date(self.first)

    @property
    def last_day(self) -> date | None:
        return _date(self.last)

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the range is chosen."""
        return any(getattr(self, name) for name in FILTERS)

    def text(self) -> str:
        """The query string of this state; the same state has the same."""
        return urlencode(list(self._given()))

    def url(self, **changes: Any) -> str:
        """The address with some of the filters changed: from the newest row, with none open."""
        return replace(self, **{"at": "", "open": "", **changes}).address()

    def address(self, path: str = PATH) -> str:
        """The address of just this state."""
        text = self.text()
        return f"{path}?{text}" if text else path

    def filters_text(self) -> str:
        """The query string of the filters and the range, wherever one is in the list."""
        return replace(self, at="", open="").text()

    def with_row(self, event_id: str) -> str:
        """The address of this place in the list with that row open."""
        return replace(self, open=event_id).address()

    def with_range(self, name: str) -> str:
        """The address of another range."""
        return self.url(**_NO_RANGE | {"range": name})

    def kept(self, *changed: str) -> list[tuple[str, str]]:
        """What a form that changes some of the state sends along unseen."""
        left_out = {*changed, *_PLACE}
        return [(name, text) for name, text in self._given() if name not in left_out]

    def cleared(self) -> str:
        """The address of everything in the same range."""
        kept = {name: getattr(self, name) for name in _NO_RANGE}
        return LogQuery(**kept).address()

    def filter(self, start_us: int, end_us: int) -> LogFilter:
        """The rows that are meant, in that range; 0: without bound."""
        return LogFilter(
            member_ids=self.member,
            agents=self.agent,
            key_id=self.key,
            models=tuple("" if name == NO_MODEL else name for name in self.model),
            session_id=self.session,
            repository=self.repository,
            outcomes=self.outcome,
            billing=self.billing,
            status_class=self.status,
            captured=_flag(self.captured),
            estimated=_flag(self.estimated),
            price_unknown=_flag(self.unpriced),
            start_us=start_us,
            end_us=end_us,
            ids=self.ids,
        )

    def _given(self) -> Iterator[tuple[str, str]]:
        """What differs from the default."""
        for each in _STATE:
            value = getattr(self, each.name)
            if each.metadata.get("many"):
                yield from ((each.name, one) for one in value)
            elif value and (each.name, value) != ("range", self._usual_range):
                yield each.name, value


_STATE: Final = [each for each in fields(LogQuery) if not each.metadata.get("hidden")]
_MANY: Final = frozenset(each.name for each in _STATE if each.metadata.get("many"))
_NAMES: Final = frozenset(each.name for each in _STATE)
_NO_RANGE: Final = dict.fromkeys(("range", "first", "last", "start", "end"), "")
FILTERS: Final = tuple(n for n in (f.name for f in _STATE) if n not in {*_NO_RANGE, *_PLACE})
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "range": RANGES,
    "agent": tuple(Agent),
    "outcome": tuple(Outcome),
    "status": STATUS_CLASSES,
    "billing": tuple(Billing),
    "captured": YES_NO,
    "estimated": YES_NO,
    "unpriced": YES_NO,
}


def read_log_query(params: QueryParams, *others: str) -> LogQuery:
    """The state that an address asks for, with what is wrong with it; `others` are no filters."""
    state: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name in (each for each in dict.fromkeys(params) if each not in others):
        if name not in _NAMES:
            faults[_shown(name)] = f"There is no filter “{_shown(name)}”."
            continue
        values = tuple(dict.fromkeys(v for each in params.getlist(name) if (v := each.strip())))
        if fault := _fault(name, values):
            faults[name] = fault
        elif values:
            state[name] = values if name in _MANY else values[0]
    return LogQuery(**state, faults=faults)


def _fault(name: str, values: tuple[str, ...]) -> str:
    if len(values) > (_MAX_VALUES if name in _MANY else 1):
        return f"There are too many values of “{name}” in the address."
    for value in values:
        if len(value) > _MAX_CHARS or not value.isprintable():
            return f"The value of “{name}” is too long or holds characters that no name has."
        if name in _CHOICES and value not in _CHOICES[name]:
            known = ", ".join(_CHOICES[name])
            return f"“{_shown(value)}” is not a value of “{name}”. Choose from {known}."
    return ""


def repository_value(repository: str) -> str:
    """How the address names a repository, and the lack of one."""
    return repository or NO_REPOSITORY


def _shown(text: str) -> str:
    kept = "".join(char if char.isprintable() else "?" for char in text[:40])
    return kept + "…" if len(text) > len(kept) else kept


def _flag(text: str) -> bool | None:
    return {"yes": True, "no": False}.get(text)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
