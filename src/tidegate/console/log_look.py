"""What the Logs page shows, part by part: the list, what opens beside it, what loads apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.console import period_text
from tidegate.console.figures_view import (
    Savings,
    Value,
    money_value,
    request_value,
    savings_of,
    subscription_value,
    token_value,
)
from tidegate.console.live import attempt
from tidegate.console.log_chart import HistogramView, histogram_view
from tidegate.console.log_choices import FilterBar, Group, filter_bar, loaded
from tidegate.console.log_detail import DetailView, detail_view
from tidegate.console.log_query import ALL_TIME, DEFAULT_RANGE, EXACT, LogQuery
from tidegate.console.log_range import (
    ALL_TITLE,
    LogRange,
    choose_range,
    default_range,
    own_rows,
    period_of_rows,
)
from tidegate.console.log_rows import RowsView, rows_view
from tidegate.console.range_picker import Choice, RangePicker, range_picker
from tidegate.console.web import Web
from tidegate.core.calendar import local_time
from tidegate.services.errors import InvalidField, NotFound
from tidegate.services.logins import Viewer
from tidegate.services.request_log import Kept, LogFilter, LogPage
from tidegate.store.people import MemberRecord
from tidegate.store.ports import StoreUnavailable

PER_PAGE: Final = 50
_CHOICE_RANGE: Final = "90d"
_IN_PICKER: Final = frozenset({"range", "first", "last"})  # faults that it tells itself
_NOBODY: Final = "There is no such member in this organization."
_NOT_YOURS: Final = "These are requests of others. You see your own; admins see all."


@dataclass(frozen=True)
class LogView:
    """The page. Rows that are None could not be read, or were not asked for properly."""

    query: LogQuery
    title: str  # of the range
    picker: RangePicker
    bar: FilterBar
    faults: dict[str, str]
    rows: RowsView | None
    detail: DetailView | None
    gone: str  # why the row that is asked for is not there
    is_live: bool  # the newest rows, of a range that goes on
    kept: "KeptView"
    export: str  # query string of what is shown
    all_time: str  # address of the same filters at any time, where this is not it

    @property
    def told(self) -> list[str]:
        """What is wrong with the address, but for what stands beside its field."""
        return [text for name, text in self.faults.items() if name not in _IN_PICKER]


@dataclass(frozen=True)
class KeptView:
    """From which day on there are rows, where the range begins before it."""

    since: str = ""
    wholly_gone: bool = False


@dataclass(frozen=True)
class Totals:
    requests: Value
    cost: Value
    tokens: Value
    subscription: Value | None
    savings: Savings | None
    title: str


@dataclass(frozen=True)
class Histogram:
    """None: there is nothing to draw."""

    view: HistogramView | None
    zone_name: str
    kept: KeptView


class Look:
    """One look at the log: who looks, for what, and when."""

    def __init__(self, web: Web, viewer: Viewer, query: LogQuery) -> None:
        self._services = web.services
        self._log = web.services.request_log
        self._viewer = viewer
        self._now_us = web.clock()
        self._organization_id = viewer.organization_id
        self._member_id = own_rows(viewer)
        self.query = query
        self.faults = dict(query.faults)
        self._people = self._colleagues()
        self.range = self._range()

    def view(self) -> LogView:
        """The list, with what is open beside it."""
        page = None if self.faults else attempt(self._page)
        detail, gone = self._open_row()
        return LogView(
            query=self.query,
            title=self.range.title,
            picker=self._picker(),
            bar=filter_bar(self.query, self._people),
            faults=self.faults,
            rows=rows_view(page, self.query, now_us=self._now_us, zone_name=self._viewer.time_zone)
            if page
            else None,
            detail=detail,
            gone=gone,
            is_live=not self.query.at and not self.range.is_over(self._now_us),
            kept=self._kept_view(page.kept) if page else KeptView(),
            export=self.query.filters_text(),
            all_time=self.query.with_range(ALL_TIME) if self.query.range_name != ALL_TIME else "",
        )

    def detail(self, event_id: str) -> DetailView:
        """One request; NotFound if there is none, or none that this person may see."""
        found = self._log.detail(self._organization_id, event_id, member_id=self._member_id)
        return detail_view(found, now_us=self._now_us, zone_name=self._viewer.time_zone)

    def histogram(self) -> Histogram:
        log, only = self._log, self._filter
        period = self.range.period or period_of_rows(
            log, self._services.team, self._viewer, only, self._now_us
        )
        kept = self._kept_view(log.kept(self._organization_id))
        if period is None:
            return Histogram(None, self._viewer.time_zone, kept)
        found = log.histogram(self._organization_id, only, period, member_id=self._member_id)
        drawn = histogram_view(found, period, self.query, week_start=self._viewer.week_start)
        return Histogram(drawn if found.volume.requests else None, period.time_zone, kept)

    def totals(self) -> Totals:
        """What all the rows amount to."""
        sums = self._log.sums(self._organization_id, self._filter, member_id=self._member_id)
        return Totals(
            requests=request_value(sums.requests),
            cost=money_value(sums.cost_nusd),
            tokens=token_value(sums.tokens),
            subscription=subscription_value(sums),
            savings=savings_of(sums),
            title=self.range.title.lower(),
        )

    def count_new(self, top: str) -> int:
        """How many rows came since a page with that top; InvalidField if it is none."""
        return self._log.count_new(
            self._organization_id, self._filter, top, member_id=self._member_id
        )

    def choices(self, name: str) -> Group:
        """The models or repositories of the last ninety days, and those that are chosen."""
        team, organization_id = self._services.team, self._organization_id
        if name == "model":
            table = self._services.usage.table(
                organization_id, _CHOICE_RANGE, self._now_us, self._member_id
            )
            return loaded(name, sorted({row.model for row in table.rows}), self.query)
        period = team.period(organization_id, _CHOICE_RANGE, self._now_us)
        ranked = team.top_repositories(organization_id, period, limit=500)
        names = [] if self._member_id else [row.repository for row in ranked.rows]
        return loaded(name, [*names, ""], self.query)

    @property
    def _filter(self) -> LogFilter:
        return self.query.filter(self.range.start_us, self.range.end_us)

    def _page(self) -> LogPage | None:
        try:
            return self._log.page(
                self._organization_id,
                self._filter,
                cursor=self.query.at,
                limit=PER_PAGE,
                member_id=self._member_id,
            )
        except InvalidField as refused:
            self.faults["at"] = refused.message
            return None

    def _open_row(self) -> tuple[DetailView | None, str]:
        if not self.query.open:
            return None, ""
        try:
            return self.detail(self.query.open), ""
        except NotFound as refused:
            return None, refused.message
        except StoreUnavailable:
            return None, "The request could not be read. Try again in a moment."

    def _colleagues(self) -> Sequence[MemberRecord]:
        """Those whose rows this person may see."""
        members = self._services.members
        if not self._member_id:
            people: Sequence[MemberRecord] = members.list(self._organization_id)
        else:
            people = [members.get(self._organization_id, self._member_id)]
        if not set(self.query.member) <= {each.member_id for each in people}:
            self.faults["member"] = _NOT_YOURS if self._member_id else _NOBODY
        return people

    def _range(self) -> LogRange:
        try:
            return choose_range(self._services.team, self._viewer, self.query, self._now_us)
        except InvalidField as refused:
            self.faults[refused.field] = refused.message
            return default_range(self._services.team, self._viewer, self._now_us)

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
        return RangePicker(
            title=self.range.title,
            choices=[*drawn.choices, all_time],
            first=drawn.first,
            last=drawn.last,
            oldest=drawn.oldest,
            today=drawn.today,
            errors=faults,
            kept=query.kept("range", "first", "last", "start", "end"),
        )

    def _kept_view(self, kept: Kept) -> KeptView:
        since_us = kept.ledger_from_us
        if not since_us or not self.range.reaches_before(since_us):
            return KeptView()
        at = local_time(since_us, ZoneInfo(self._viewer.time_zone))
        return KeptView(
            period_text.date_text(at), bool(self.range.end_us) and self.range.end_us <= since_us
        )
