"""What is spent of budgets' envelopes: the ledger's sums.

All reads of one `SpentReads` see one snapshot.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.core.budgets import EACH, Envelope, Scope, Subject, Window
from tidegate.core.spans import Slice, slices_between
from tidegate.store.sql.straight import Statements

_DEFAULT_ZONE: Final = "UTC"
_IDS_AT_ONCE: Final = 500
_MOST_SUBJECTS: Final = 500
_FOREVER_US: Final = 1 << 62
_SUMS: Final = "coalesce(sum(cost_nusd), 0), coalesce(sum(subscription_nusd), 0)"
_SLICE: Final = "organization_id = ? AND span = ? AND bucket_start_us >= ? AND bucket_start_us < ?"
_TABLES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    Scope.ORGANIZATION: ("usage_totals", ()),
    Scope.SQUAD: ("usage_by_squad", ("squad_id", "member_id")),
    Scope.MEMBER: ("usage_by_member", ("member_id",)),
    Scope.KEY: ("usage_by_key", ("key_id",)),
    Scope.REPOSITORY: ("usage_by_repository", ("repository", "pull_request")),
}
_COST: Final = (
    "input_nusd + cache_write_5m_nusd + cache_write_1h_nusd + cache_read_nusd + output_nusd"
    " + extras_nusd"
)
_RUN: Final = (
    "SELECT coalesce(sum(cost_nusd - subscription_cost_nusd), 0),"
    " coalesce(sum(subscription_cost_nusd), 0), min(first_us), max(last_us)"
    " FROM sessions WHERE organization_id = ? AND root_session_id = ?"
)
_OF_RUN: Final = (
    f"SELECT coalesce(sum(CASE WHEN billing = 'subscription' THEN 0 ELSE {_COST} END), 0),"  # noqa: S608
    f" coalesce(sum(CASE WHEN billing = 'subscription' THEN {_COST} ELSE 0 END), 0)"
    " FROM usage_events WHERE organization_id = ? AND session_id IN (SELECT session_id"
    " FROM sessions WHERE organization_id = ? AND root_session_id = ?)"
    " AND started_us >= ? AND started_us < ?"
)
_RUNS: Final = (
    "SELECT root_session_id AS one, '' AS other, sum(cost_nusd - subscription_cost_nusd) AS api,"
    " sum(subscription_cost_nusd) AS subscription FROM sessions WHERE organization_id = ?{used}"
    " GROUP BY root_session_id{within}"
)
_WITHIN: Final = " HAVING min(first_us) >= ? AND max(last_us) < ?"
_ACROSS: Final = " HAVING min(first_us) < ? OR max(last_us) >= ?"
_USED_ROOTS: Final = (
    " AND root_session_id IN (SELECT root_session_id FROM sessions"
    " WHERE organization_id = ? AND last_us >= ?)"
)
# From the few runs to their requests, never from all requests of a window to their runs.
_OF_RUNS: Final = (
    "SELECT sessions.root_session_id AS one, '' AS other,"  # noqa: S608 - our names
    f" sum(CASE WHEN billing = 'subscription' THEN 0 ELSE {_COST} END) AS api,"
    f" sum(CASE WHEN billing = 'subscription' THEN {_COST} ELSE 0 END) AS subscription"
    " FROM sessions CROSS JOIN usage_events"
    " WHERE sessions.organization_id = ? AND sessions.root_session_id IN"
    " (SELECT root_session_id FROM sessions WHERE organization_id = ?"
    f"{_USED_ROOTS} GROUP BY root_session_id{_ACROSS})"
    " AND usage_events.organization_id = sessions.organization_id"
    " AND usage_events.session_id = sessions.session_id"
    " AND usage_events.started_us >= ? AND usage_events.started_us < ?"
    " GROUP BY sessions.root_session_id"
)
# Whatever is drained or attributed anew raises the version; a new zone does too.
_STATE: Final = (
    "SELECT coalesce((SELECT version FROM usage_versions WHERE organization_id = ?), 0),"
    " (SELECT time_zone FROM usage_zones WHERE organization_id = ?)"
)


class SpentReads:
    """Reads in a transaction of the ledger's database."""

    def __init__(self, ledger: Statements) -> None:
        self._ledger = ledger
        self._states: dict[str, tuple[int, ZoneInfo]] = {}

    def version(self, organization_id: str) -> int:
        """While it is the same, so is all that was spent."""
        return self._state(organization_id)[0]

    def spent(self, organization_id: str, envelope: Envelope) -> int:
        """What was spent of an envelope, in nano-USD."""
        subject, window = envelope.subject, envelope.window
        if subject.scope == Scope.SESSION:
            api, subscription = self._of_session(organization_id, subject.id, window)
        else:
            zone = self._state(organization_id)[1]
            slices = slices_of(window, zone)
            query, values = _sums(organization_id, subject, slices)
            rows = self._ledger.rows(query, values)
            api, subscription = (sum(int(row[index]) for row in rows) for index in (0, 1))
        return api + (subscription if envelope.counts_subscription else 0)

    def subjects(
        self,
        organization_id: str,
        envelope: Envelope,
        *,
        used_since_us: int = 0,
        least_nusd: int | None = None,
    ) -> dict[Subject, int]:
        """The same of all subjects of an envelope of EACH that spent at least so much of it;
        where no least is said, of those that spent the most."""
        if envelope.subject.scope == Scope.SESSION:
            queries = _of_sessions(organization_id, envelope.window, used_since_us)
        else:
            zone = self._state(organization_id)[1]
            slices = slices_of(envelope.window, zone)
            queries = [_grouped(organization_id, envelope.subject, slices)]
        counts = envelope.counts_subscription
        rows = chain.from_iterable(
            self._ledger.rows(*_cut(query, values, counts, least_nusd)) for query, values in queries
        )
        scope = envelope.subject.scope
        found = {
            Subject(scope, one, other): int(api) + (int(subscription) if counts else 0)
            for one, other, api, subscription in rows
            if one
        }
        if least_nusd is not None:
            return found
        most = sorted(found.items(), key=lambda each: (-each[1], each[0].text))
        return dict(most[:_MOST_SUBJECTS])

    def root_of(self, organization_id: str, session_id: str) -> str:
        """The session that a sub-agent's session belongs to, itself if that is not known."""
        query = "SELECT root_session_id FROM sessions WHERE organization_id = ? AND session_id = ?"
        rows = self._ledger.rows(query, (organization_id, session_id))
        return str(rows[0][0]) if rows else session_id

    def known(self, event_ids: Sequence[str]) -> set[str]:
        """Which of these requests the ledger has."""
        found: set[str] = set()
        for at in range(0, len(event_ids), _IDS_AT_ONCE):
            some = event_ids[at : at + _IDS_AT_ONCE]
            marks = ", ".join("?" * len(some))
            query = f"SELECT event_id FROM usage_events WHERE event_id IN ({marks})"  # noqa: S608
            found.update(str(row[0]) for row in self._ledger.rows(query, tuple(some)))
        return found

    def _state(self, organization_id: str) -> tuple[int, ZoneInfo]:
        state = self._states.get(organization_id)
        if state is None:
            ((version, zone),) = self._ledger.rows(_STATE, (organization_id, organization_id))
            state = self._states[organization_id] = (int(version), ZoneInfo(zone or _DEFAULT_ZONE))
        return state

    def _of_session(self, organization_id: str, session_id: str, window: Window) -> tuple[int, int]:
        root_id = self.root_of(organization_id, session_id)
        ((api, subscription, first_us, last_us),) = self._ledger.rows(
            _RUN, (organization_id, root_id)
        )
        if first_us is None or (window.has(first_us) and window.has(last_us)):
            return int(api), int(subscription)
        within = (window.start_us, window.end_us or _FOREVER_US)
        values = (organization_id, organization_id, root_id, *within)
        ((api, subscription),) = self._ledger.rows(_OF_RUN, values)
        return int(api), int(subscription)


@lru_cache(maxsize=1024)
def slices_of(window: Window, zone: ZoneInfo) -> tuple[Slice, ...]:
    """The buckets of a window; those of another zone that the sums are still in begin within."""
    return slices_between(window.start_us, window.end_us, zone)


def _sums(
    organization_id: str, subject: Subject, slices: Iterable[Slice]
) -> tuple[str, tuple[object, ...]]:
    table, _ = _TABLES[subject.scope]
    conditions, wanted = _one(subject)
    parts, values = [], []
    for part in slices:
        within = (organization_id, part.span.value, part.start_us, part.end_us)
        if conditions:  # with the buckets in which anything was used a row is found by its key
            buckets = f"SELECT bucket_start_us FROM usage_totals WHERE {_SLICE}"  # noqa: S608
            where = f"organization_id = ? AND span = ? AND bucket_start_us IN ({buckets})"
            values.append((*within[:2], *within, *wanted))
        else:
            where = _SLICE
            values.append(within)
        parts.append(f"SELECT {_SUMS} FROM {table} WHERE {where}{conditions}")  # noqa: S608
    return " UNION ALL ".join(parts), tuple(chain.from_iterable(values))


def _one(subject: Subject) -> tuple[str, tuple[str, ...]]:
    """What a subject's rows have in common."""
    _, columns = _TABLES[subject.scope]
    if subject.scope == Scope.REPOSITORY:
        wanted: tuple[str, ...] = (subject.id, "")
    elif subject.scope == Scope.SQUAD:
        wanted = (subject.id, subject.member_id) if subject.member_id else (subject.id,)
    else:
        wanted = (subject.id,) if columns else ()
    named = zip(columns, wanted, strict=False)
    return "".join(f" AND {column} = ?" for column, _ in named), wanted


def _of_sessions(
    organization_id: str, window: Window, used_since_us: int
) -> list[tuple[str, tuple[object, ...]]]:
    """Runs that lie within the window by their sums, the others by their requests in it."""
    if not window.start_us:
        used = (organization_id, used_since_us) if used_since_us else ()
        query = _RUNS.format(used=_USED_ROOTS if used else "", within="")
        return [(query, (organization_id, *used))]
    within = (window.start_us, window.end_us or _FOREVER_US)
    since = (organization_id, max(used_since_us, window.start_us))
    whole = _RUNS.format(used=_USED_ROOTS, within=_WITHIN)
    return [
        (whole, (organization_id, *since, *within)),
        (_OF_RUNS, (organization_id, organization_id, *since, *within, *within)),
    ]


def _cut(
    query: str, values: tuple[object, ...], counts_subscription: bool, least_nusd: int | None
) -> tuple[str, tuple[object, ...]]:
    """Of the rows of a query who spent so much, or else those who spent the most."""
    spent = "api + subscription" if counts_subscription else "api"
    query = f"SELECT one, other, api, subscription FROM ({query}) AS found"  # noqa: S608
    if least_nusd is not None:
        return f"{query} WHERE {spent} >= ?", (*values, least_nusd)
    return f"{query} ORDER BY {spent} DESC, one, other LIMIT {_MOST_SUBJECTS}", values


def _grouped(
    organization_id: str, subject: Subject, slices: Iterable[Slice]
) -> tuple[str, tuple[object, ...]]:
    """Two columns of whom, and two sums, of each of a kind."""
    table, columns = _TABLES[subject.scope]
    per_head = subject.scope == Scope.SQUAD and subject.member_id == EACH
    whom = f"{columns[0]} AS one, {'member_id' if per_head else chr(39) * 2} AS other"
    more: str = ""
    wanted: tuple[str, ...] = ()
    if subject.scope == Scope.REPOSITORY:
        more = " AND pull_request = ''"
    elif subject.id != EACH:
        more, wanted = f" AND {columns[0]} = ?", (subject.id,)
    parts, values = [], []
    for part in slices:
        parts.append(
            f"SELECT {whom}, cost_nusd, subscription_nusd FROM {table} WHERE {_SLICE}{more}"  # noqa: S608
        )
        values.append((organization_id, part.span.value, part.start_us, part.end_us, *wanted))
    query = (
        "SELECT one, other, sum(cost_nusd) AS api,"  # noqa: S608 - our names
        " sum(subscription_nusd) AS subscription"
        f" FROM ({' UNION ALL '.join(parts)}) AS parts GROUP BY one, other"
    )
    return query, tuple(chain.from_iterable(values))
