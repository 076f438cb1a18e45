"""The state of the log, as it stands in the address, and the filter that it means."""

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from starlette.datastructures import QueryParams

from tidegate.console.list_query import (
    ALL_TIME,
    EXACT,
    RANGES,
    YES_NO,
    ListQuery,
    flag,
    many,
    read_query,
)
from tidegate.core.model import Agent, Billing, Outcome
from tidegate.services.request_log import NO_REPOSITORY, STATUS_CLASSES, LogFilter

__all__ = [
    "ALL_TIME", "EXACT", "NO_MODEL", "PATH", "RANGES", "YES_NO", "LogQuery",
    "read_log_query", "repository_value",
]  # fmt: skip

PATH: Final = "/logs"
NO_MODEL: Final = "-"


@dataclass(frozen=True)
class LogQuery(ListQuery):
    """Every control's state. All time is the usual range where an id is looked for."""

    model: tuple[str, ...] = many()
    outcome: tuple[str, ...] = many()
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

    PATH: ClassVar = PATH
    DEFAULT_RANGE: ClassVar = "24h"
    SEARCH: ClassVar = "ids"
    PLACE: ClassVar = frozenset({"at", "open"})
    CHOICES: ClassVar = {
        "agent": tuple(Agent),
        "outcome": tuple(Outcome),
        "status": STATUS_CLASSES,
        "billing": tuple(Billing),
        "captured": YES_NO,
        "estimated": YES_NO,
        "unpriced": YES_NO,
    }

    def with_row(self, event_id: str) -> str:
        """The address of this place in the list with that row open."""
        return replace(self, open=event_id).address()

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
            captured=flag(self.captured),
            estimated=flag(self.estimated),
            price_unknown=flag(self.unpriced),
            start_us=start_us,
            end_us=end_us,
            ids=self.ids,
        )


def read_log_query(params: QueryParams, *others: str) -> LogQuery:
    """The state that an address asks for, with what is wrong with it; `others` are no filters."""
    return read_query(LogQuery, params, *others)


def repository_value(repository: str) -> str:
    """How the address names a repository, and the lack of one."""
    return repository or NO_REPOSITORY
