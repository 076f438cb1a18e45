"""What the list of sessions shows: the filters, the rows, and what is wrong with the address."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tidegate.console.list_query import ALL_TIME, EXACT
from tidegate.console.live import attempt
from tidegate.console.log_choices import Group
from tidegate.console.log_range import ALL_TITLE, LogRange, choose_range, own_rows
from tidegate.console.range_picker import Choice, RangePicker, range_picker
from tidegate.console.session_choices import SessionFilterBar, loaded_choices, session_filter_bar
from tidegate.console.session_query import DEFAULT_RANGE, SessionQuery
from tidegate.console.session_rows import SessionRowsView, session_rows_view
from tidegate.console.web import Web
from tidegate.services.errors import InvalidField
from tidegate.services.logins import Viewer
from tidegate.services.session_reports import SessionFilter, SessionPage, SessionSort
from tidegate.store.people import MemberRecord

PER_PAGE: Final = 50
_MOST_CHOICES: Final = 200
_CHOICE_RANGE: Final = "90d"
_IN_PICKER: Final = frozenset({"range", "first", "last"})  # faults that it tells itself
_NOBODY: Final = "There is no such member in this organization."
_NOT_YOURS: Final = "These are sessions of others. You see your own; admins see all."


@dataclass(frozen=True)
class SessionListView:
    """The page. Rows that are None could not be read, or were not asked for properly."""

    query: SessionQuery
    title: str  # of the range
    picker: RangePicker
    bar: SessionFilterBar
    faults: dict[str, str]
    rows: SessionRowsView | None
    export: str  # query string of what is shown
    all_time: str  # address of the same filters at any time, where this is not it

    @property
    def told(self) -> list[str]:
        """What is wrong with the address, but for what stands beside its field."""
        return [text for name, text in self.faults.items() if name not in _IN_PICKER]


class SessionLook:
    """One look at the list: who looks, for what, and when."""

    def __init__(self, web: Web, viewer: Viewer, query: SessionQuery) -> None:
        self._services = web.services
        self._viewer = viewer
        self._now_us = web.clock()
        self._organization_id = viewer.organization_id
        self._member_id = own_rows(viewer)
        self.query = query
        self.faults = dict(query.faults)
        self._people = self._colleagues()
        self.range = self._range()

    @property
    def filter(self) -> SessionFilter:
        return self.query.filter(self.range.start_us, self.range.end_us)

    def view(self) -> SessionListView:
        page = None if self.faults else attempt(self._page)
        zone_name = self._viewer.time_zone
        return SessionListView(
            query=self.query,
            title=self.range.title,
            picker=self._picker(),
            bar=session_filter_bar(self.query, self._people),
            faults=self.faults,
            rows=session_rows_view(page, self.query, now_us=self._now_us, zone_name=zone_name)
            if page
            else None,
            export=self.query.filters_text(),
            all_time=self.query.with_range(ALL_TIME) if self.query.range_name != ALL_TIME else "",
        )

    def choices(self, name: str) -> Group:
        """The models, repositories or branches of late, and the one that is chosen."""
        return loaded_choices(name, self._values(name), self.query)

    def _values(self, name: str) -> list[str]:
        services, organization_id = self._services, self._organization_id
        if name == "model":
            table = services.usage.table(
                organization_id, _CHOICE_RANGE, self._now_us, self._member_id
            )
            return sorted({row.model for row in table.rows})
        if self._member_id:  # what colleagues work on is not for every member to know
            own = services.session_reports.page(
                organization_id, SessionFilter(), limit=_MOST_CHOICES, member_id=self._member_id
            )
            return [getattr(row, name) for row in own.rows]
        if name == "branch":
            return services.session_reports.branches(organization_id, _MOST_CHOICES)
        period = services.team.period(organization_id, _CHOICE_RANGE, self._now_us)
        ranked = services.team.top_repositories(organization_id, period, limit=_MOST_CHOICES)
        return [*(row.repository for row in ranked.rows), ""]

    def _page(self) -> SessionPage | None:
        try:
            return self._services.session_reports.page(
                self._organization_id,
                self.filter,
                SessionSort(self.query.sort_name),
                cursor=self.query.at,
                limit=PER_PAGE,
                member_id=self._member_id,
            )
        except InvalidField as refused:
            self.faults[refused.field] = refused.message
            return None

    def _colleagues(self) -> Sequence[MemberRecord]:
        """Those whose sessions this person may see."""
        members = self._services.members
        if not self._member_id:
            people: Sequence[MemberRecord] = members.list(self._organization_id)
        else:
            people = [members.get(self._organization_id, self._member_id)]
        if not set(self.query.member) <= {each.member_id for each in people}:
            self.faults["member"] = _NOT_YOURS if self._member_id else _NOBODY
        return people

    def _range(self) -> LogRange:
        team, viewer = self._services.team, self._viewer
        try:
            return choose_range(team, viewer, self.query, self._now_us)
        except InvalidField as refused:
            self.faults[refused.field] = refused.message
            usual = SessionQuery(range=DEFAULT_RANGE)
            return choose_range(team, viewer, usual, self._now_us)

    def _picker(self) -> RangePicker:
        """That of the Team page, and all time."""
        name = self.query.range_name
        query = replace(self.query, range=name)
        period = self.range.period
        if period is None or name == EXACT:
            period = self._services.team.period(self._organization_id, DEFAULT_RANGE, self._now_us)
        faults = {each: text for each, text in self.faults.items() if each in _IN_PICKER}
        drawn = range_picker(period, query, faults, now_us=self._now_us)
        all_time = Choice(ALL_TITLE, query.with_range(ALL_TIME), name == ALL_TIME)
        return replace(
            drawn,
            title=self.range.title,
            choices=[*drawn.choices, all_time],
            errors=faults,
            kept=query.kept("range", "first", "last", "start", "end"),
        )
