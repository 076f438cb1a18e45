"""What the Logs page shows, part by part: the list, what opens beside it, what loads apart."""

from dataclasses import dataclass
from typing import ClassVar, Final
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
from tidegate.console.list_look import PER_PAGE, ListLook, ListView
from tidegate.console.live import attempt
from tidegate.console.log_chart import HistogramView, histogram_view
from tidegate.console.log_choices import LOADED, filter_bar
from tidegate.console.log_detail import DetailView, detail_view
from tidegate.console.log_query import LogQuery
from tidegate.console.log_range import period_of_rows
from tidegate.console.log_rows import RowsView, rows_view
from tidegate.console.web import Web
from tidegate.core.calendar import local_time
from tidegate.services.errors import InvalidField, NotFound
from tidegate.services.logins import Viewer
from tidegate.services.request_log import Kept, LogFilter, LogPage
from tidegate.store.ports import StoreUnavailable

_MOST_CHOICES: Final = 500


@dataclass(frozen=True, kw_only=True)
class LogView(ListView[LogQuery]):
    """The page. Rows that are None could not be read, or were not asked for properly."""

    rows: RowsView | None
    detail: DetailView | None
    gone: str  # why the row that is asked for is not there
    is_live: bool  # the newest rows, of a range that goes on
    kept: "KeptView"


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


class Look(ListLook[LogQuery]):
    """One look at the log."""

    WHAT: ClassVar = "requests"
    LOADED: ClassVar = LOADED

    def __init__(self, web: Web, viewer: Viewer, query: LogQuery) -> None:
        super().__init__(web, viewer, query)
        self._log = web.services.request_log

    def view(self) -> LogView:
        """The list, with what is open beside it."""
        page = None if self.faults else attempt(self._page)
        detail, gone = self._open_row()
        return LogView(
            query=self.query,
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

    def _values(self, name: str) -> list[str]:
        if name == "model":
            return self._models()
        # What colleagues work on is not for every member to know.
        return [""] if self._member_id else self._repositories(_MOST_CHOICES)

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

    def _kept_view(self, kept: Kept) -> KeptView:
        since_us = kept.ledger_from_us
        if not since_us or not self.range.reaches_before(since_us):
            return KeptView()
        at = local_time(since_us, ZoneInfo(self._viewer.time_zone))
        return KeptView(
            period_text.date_text(at), bool(self.range.end_us) and self.range.end_us <= since_us
        )
