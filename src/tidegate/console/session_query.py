"""The state of the list of sessions, as it stands in the address, and the filter that it means.

Parameters that the log has too are named as there, so that a link leads to either.
"""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar, Final

from starlette.datastructures import QueryParams

from tidegate.console.list_query import YES_NO, ListQuery, flag, read_query
from tidegate.core.model import NANO_PER_USD, Agent
from tidegate.services.session_reports import SessionFilter

PATH: Final = "/sessions"
DEFAULT_SORT: Final = "last"
SORTS: Final = {
    "last": "Last activity",
    "begun": "Begun",
    "cost": "Cost",
    "tokens": "Tokens",
    "requests": "Requests",
    "duration": "Duration",
}
_COST: Final = re.compile(r"\d{1,7}(\.\d{1,9})?")
_PULL_REQUEST: Final = re.compile(r"([^#]{3,300}#|#)?[1-9]\d{0,8}")
_NO_PULL_REQUEST: Final = "Write a pull request like github.com/acme/app#12."
_WHOSE: Final = "A number alone needs a repository. Write it like github.com/acme/app#12."
_NO_COST: Final = "Write an amount in dollars, like 2.50."


@dataclass(frozen=True)
class SessionQuery(ListQuery):
    """Every control's state. All time is the usual range where something is looked for."""

    model: str = ""
    repository: str = ""  # whole, as github.com/acme/app
    branch: str = ""
    pull_request: str = ""  # github.com/acme/app#12, or 12 beside a repository
    errors: str = ""  # yes or no
    cost: str = ""  # at least, in dollars
    find: str = ""  # in names, ids, repositories, branches
    sort: str = ""
    at: str = ""  # a cursor; empty: the first page

    PATH: ClassVar = PATH
    DEFAULT_RANGE: ClassVar = "7d"
    SEARCH: ClassVar = "find"
    PLACE: ClassVar = frozenset({"at"})
    LOOK: ClassVar = frozenset({"sort"})
    CHOICES: ClassVar = {"agent": tuple(Agent), "errors": YES_NO, "sort": tuple(SORTS)}

    @property
    def sort_name(self) -> str:
        return self.sort or DEFAULT_SORT

    @property
    def least_cost_nusd(self) -> int:
        return int(Decimal(self.cost) * NANO_PER_USD) if _COST.fullmatch(self.cost) else 0

    def filter(self, start_us: int, end_us: int) -> SessionFilter:
        """The sessions that are meant, in that range; 0: without bound."""
        number = self.pull_request.lstrip("#")
        whole = "#" in number
        return SessionFilter(
            member_ids=self.member,
            agents=self.agent,
            model=self.model,
            repository=self.repository,
            branch=self.branch,
            pull_request=number if whole or not number else f"{self.repository}#{number}",
            has_errors=flag(self.errors),
            least_cost_nusd=self.least_cost_nusd,
            start_us=start_us,
            end_us=end_us,
            search=self.find,
        )

    def with_sort(self, name: str) -> str:
        """The address of the same list, sorted otherwise."""
        return self.url(sort="" if name == DEFAULT_SORT else name)


def read_session_query(params: QueryParams, *others: str) -> SessionQuery:
    """The state that an address asks for, with what is wrong with it; `others` are no filters."""
    query = read_query(SessionQuery, params, *others)
    faults = dict(query.faults)
    if query.cost and not _COST.fullmatch(query.cost):
        faults["cost"] = _NO_COST
    if query.pull_request and not _PULL_REQUEST.fullmatch(query.pull_request):
        faults["pull_request"] = _NO_PULL_REQUEST
    elif query.pull_request and "#" not in query.pull_request.lstrip("#") and not query.repository:
        faults["pull_request"] = _WHOSE
    return replace(query, faults=faults)
