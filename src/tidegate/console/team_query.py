"""The state of the Team page and My usage, as it stands in the address.

What is no such value counts as not given: an old bookmark still opens. Only a custom range is
refused with a sentence, as a person typed its days.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from tidegate.core.periods import CUSTOM, PRESETS
from tidegate.services.team import Metric

DEFAULT_RANGE: Final = "30d"
_MAX_PAGE: Final = 100_000
_MAX_FIND_CHARS: Final = 100
_VIEWS: Final = ("cards", "table")
_CHARTS: Final = ("bars", "table")
_LISTS: Final = ("short", "all")


@dataclass(frozen=True)
class TeamQuery:
    """Every control's state. Fields at their default are left out of the address."""

    path: str = field(default="/", metadata={"hidden": True})
    sort: Metric = Metric.COST
    range: str = DEFAULT_RANGE
    first: str = ""
    last: str = ""
    chart: str = "bars"
    view: str = "cards"
    find: str = ""
    page: int = 1
    members: str = "short"  # on a phone
    repositories: int = 0  # page of the whole list; 0: the first few
    pulls: int = 0
    skip: int = 0  # steps of the first run that are left for later

    @property
    def first_day(self) -> date | None:
        return _date(self.first)

    @property
    def last_day(self) -> date | None:
        return _date(self.last)

    def text(self) -> str:
        """The query string of this state; the same state has the same."""
        return urlencode(self._given())

    def url(self, **changes: Any) -> str:
        """The address of this page with some of its state changed."""
        text = replace(self, **changes).text()
        return f"{self.path}?{text}" if text else self.path

    def with_range(self, name: str) -> str:
        """The address of another preset; pages start anew."""
        return self.url(range=name, first="", last="", page=1, repositories=0, pulls=0)

    def with_days(self, first: date, last: date) -> str:
        """The address of a custom range."""
        days = {"first": first.isoformat(), "last": last.isoformat()}
        return self.url(range=CUSTOM, page=1, repositories=0, pulls=0, **days)

    def kept(self, *changed: str) -> list[tuple[str, str]]:
        """What a form that changes some of the state sends along unseen."""
        left_out = {*changed, "page", "repositories", "pulls"}
        return [(name, str(value)) for name, value in self._given() if name not in left_out]

    def _given(self) -> list[tuple[str, Any]]:
        """What differs from the default."""
        return [(n, value) for n, default in _STATE if (value := getattr(self, n)) != default]


_STATE: Final = [(each.name, each.default) for each in fields(TeamQuery) if not each.metadata]


def read_query(params: QueryParams, path: str = "/") -> TeamQuery:
    """The state that an address asks for."""
    asked = params.get("range", DEFAULT_RANGE)
    custom = asked == CUSTOM
    return TeamQuery(
        path=path,
        sort=Metric(_one_of(params.get("sort"), list(Metric), Metric.COST)),
        range=_one_of(asked, [*PRESETS, CUSTOM], DEFAULT_RANGE),
        first=params.get("first", "")[:20] if custom else "",
        last=params.get("last", "")[:20] if custom else "",
        chart=_one_of(params.get("chart"), _CHARTS, "bars"),
        view=_one_of(params.get("view"), _VIEWS, "cards"),
        find=params.get("find", "").strip()[:_MAX_FIND_CHARS],
        page=max(1, _number(params.get("page"))),
        members=_one_of(params.get("members"), _LISTS, "short"),
        repositories=_number(params.get("repositories")),
        pulls=_number(params.get("pulls")),
        skip=_number(params.get("skip")),
    )


def _one_of(asked: str | None, known: Sequence[str], default: str) -> str:
    return asked if asked is not None and asked in known else default


def _number(text: str | None) -> int:
    found = text or ""
    return int(found) if found.isascii() and found.isdigit() and int(found) <= _MAX_PAGE else 0


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
