"""One look at a list: who looks, for what, and when. What every page of a list shows around it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Generic, TypeVar

from tidegate.console.list_filters import FilterBar, Group, Loaded
from tidegate.console.list_query import ALL_TIME, EXACT, ListQuery
from tidegate.console.log_range import ALL_TITLE, LogRange, choose_range, own_rows
from tidegate.console.range_picker import Choice, RangePicker, range_picker
from tidegate.console.web import Web
from tidegate.services.errors import InvalidField
from tidegate.services.logins import Viewer
from tidegate.store.people import MemberRecord

PER_PAGE: Final = 50
_CHOICE_RANGE: Final = "90d"  # from which there are choices of a filter
_IN_PICKER: Final = frozenset({"range", "first", "last"})  # faults that it tells itself
_NOBODY: Final = "There is no such member in this organization."

Query = TypeVar("Query", bound=ListQuery)


@dataclass(frozen=True, kw_only=True)
class ListView(Generic[Query]):
    """What stands around a list."""

    query: Query
    picker: RangePicker
    bar: FilterBar
    faults: dict[str, str]

    @property
    def title(self) -> str:
        """Of the range."""
        return self.picker.title

    @property
    def told(self) -> list[str]:
        """What is wrong with the address, but for what stands beside its field."""
        return [text for name, text in self.faults.items() if name not in _IN_PICKER]

    @property
    def export(self) -> str:
        """The query string of what is shown."""
        return self.query.filters_text()

    @property
    def all_time(self) -> str:
        """The address of the same filters at any time; empty where this is it."""
        return self.query.with_range(ALL_TIME) if self.query.range_name != ALL_TIME else ""


class ListLook(ABC, Generic[Query]):
    """What is asked for, as far as this person may see it, with what is wrong with it."""

    WHAT: ClassVar[str]  # is listed, as in "requests"
    LOADED: ClassVar[Mapping[str, Loaded]]  # filters whose values are fetched

    def __init__(self, web: Web, viewer: Viewer, query: Query) -> None:
        self._services = web.services
        self._viewer = viewer
        self._now_us = web.clock()
        self._organization_id = viewer.organization_id
        self._member_id = own_rows(viewer)
        self.query = query
        self.faults = dict(query.faults)
        self._people = self._colleagues()
        self.range = self._range()

    def choices(self, name: str) -> Group:
        """The values of a filter of late, and those that are chosen."""
        if name not in self.LOADED:
            raise InvalidField(f"There are choices of {', '.join(self.LOADED)} only.", field="of")
        return self.LOADED[name].group(self._values(name), self.query)

    @abstractmethod
    def _values(self, name: str) -> list[str]:
        """Of a filter; empty: the lack of one."""

    def _colleagues(self) -> Sequence[MemberRecord]:
        """Those whose rows this person may see."""
        members = self._services.members
        if not self._member_id:
            people: Sequence[MemberRecord] = members.list(self._organization_id)
        else:
            people = [members.get(self._organization_id, self._member_id)]
        if not set(self.query.member) <= {each.member_id for each in people}:
            not_yours = f"These are {self.WHAT} of others. You see your own; admins see all."
            self.faults["member"] = not_yours if self._member_id else _NOBODY
        return people

    def _range(self) -> LogRange:
        team, viewer = self._services.team, self._viewer
        try:
            return choose_range(team, viewer, self.query, self._now_us)
        except InvalidField as refused:
            self.faults[refused.field] = refused.message
            usual = type(self.query)(range=self.query.DEFAULT_RANGE)
            return choose_range(team, viewer, usual, self._now_us)

    def _picker(self) -> RangePicker:
        """That of the Team page, and all time."""
        query = replace(self.query, range=self.query.range_name)
        period = self.range.period
        if period is None or query.range == EXACT:
            period = self._services.team.period(
                self._organization_id, query.DEFAULT_RANGE, self._now_us
            )
        faults = {each: text for each, text in self.faults.items() if each in _IN_PICKER}
        drawn = range_picker(period, query, faults, now_us=self._now_us)
        all_time = Choice(ALL_TITLE, query.with_range(ALL_TIME), query.range == ALL_TIME)
        return replace(
            drawn,
            title=self.range.title,
            choices=[*drawn.choices, all_time],
            kept=query.kept("range", "first", "last", "start", "end"),
        )

    def _models(self) -> list[str]:
        """What was used of late."""
        table = self._services.usage.table(
            self._organization_id, _CHOICE_RANGE, self._now_us, self._member_id
        )
        return sorted({row.model for row in table.rows})

    def _repositories(self, most: int) -> list[str]:
        """What everyone worked on of late; empty: without a repository."""
        team = self._services.team
        period = team.period(self._organization_id, _CHOICE_RANGE, self._now_us)
        ranked = team.top_repositories(self._organization_id, period, limit=most)
        return [*(row.repository for row in ranked.rows), ""]
