"""What the list of sessions shows: the filters, the rows, and what is wrong with the address."""

from dataclasses import dataclass
from typing import ClassVar, Final

from tidegate.console.list_look import PER_PAGE, ListLook, ListView
from tidegate.console.live import attempt
from tidegate.console.session_choices import LOADED, session_filter_bar
from tidegate.console.session_query import SessionQuery
from tidegate.console.session_rows import SessionRowsView, session_rows_view
from tidegate.services.errors import InvalidField
from tidegate.services.session_reports import SessionFilter, SessionPage, SessionSort

_MOST_CHOICES: Final = 200


@dataclass(frozen=True, kw_only=True)
class SessionListView(ListView[SessionQuery]):
    """The page. Rows that are None could not be read, or were not asked for properly."""

    rows: SessionRowsView | None


class SessionLook(ListLook[SessionQuery]):
    """One look at the list."""

    WHAT: ClassVar = "sessions"
    LOADED: ClassVar = LOADED

    @property
    def filter(self) -> SessionFilter:
        return self.query.filter(self.range.start_us, self.range.end_us)

    def view(self) -> SessionListView:
        page = None if self.faults else attempt(self._page)
        zone_name = self._viewer.time_zone
        return SessionListView(
            query=self.query,
            picker=self._picker(),
            bar=session_filter_bar(self.query, self._people),
            faults=self.faults,
            rows=session_rows_view(page, self.query, now_us=self._now_us, zone_name=zone_name)
            if page
            else None,
        )

    def _values(self, name: str) -> list[str]:
        reports, organization_id = self._services.session_reports, self._organization_id
        if name == "model":
            return self._models()
        if self._member_id:  # what colleagues work on is not for every member to know
            own = reports.page(
                organization_id, SessionFilter(), limit=_MOST_CHOICES, member_id=self._member_id
            )
            return [getattr(row, name) for row in own.rows]
        if name == "branch":
            return reports.branches(organization_id, _MOST_CHOICES)
        return self._repositories(_MOST_CHOICES)

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
