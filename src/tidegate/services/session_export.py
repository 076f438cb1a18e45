"""Sessions as a file, written while it is sent: memory stays flat."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.calendar import local_time
from tidegate.services.log_export import LogExport
from tidegate.services.log_table import CSV, Form
from tidegate.services.request_log import LogFilter
from tidegate.services.session_reports import (
    SessionFilter,
    SessionReports,
    SessionRow,
    SessionSort,
)

COLUMNS: Final = (
    "session_id", "name", "client_session", "begun", "begun_us", "ended", "ended_us",
    "duration_us", "member_id", "member", "key_id", "agent", "client_version", "models",
    "repository", "branch", "repositories", "pull_requests", "subagents", "requests", "errors",
    "input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens",
    "output_tokens", "reasoning_tokens", "tokens", "cost_nusd", "subscription_nusd", "cost_usd",
    "compression", "saved_tokens", "saved_nusd", "saved_usd",
)  # fmt: skip
"""What the lines hold, in this order. The cost is what is billed; what was used on subscriptions
is apart, at list price."""
_PLAIN: Final = (
    "session_id", "name", "client_session", "duration_us", "member_id", "key_id", "agent",
    "client_version", "repository", "branch", "subagents", "requests", "errors", "compression",
    "saved_tokens", "saved_nusd",
)  # fmt: skip


class _Dollars(int):
    """Nano-dollars that are written as dollars."""

    def __str__(self) -> str:
        return f"{self / 1e9:.6f}"


class SessionExport:
    """Times are those of the organization's zone."""

    def __init__(self, reports: SessionReports, log: LogExport) -> None:
        self._reports = reports
        self._log = log

    def sessions(
        self,
        organization_id: str,
        only: SessionFilter,
        sort: SessionSort,
        form: Form,
        *,
        zone: str,
        member_id: str = "",
    ) -> Iterator[bytes]:
        """The list in parts of some hundred rows; a `member_id` restricts it to that member."""
        if form is CSV:
            yield (",".join(COLUMNS) + "\r\n").encode()
        at = ZoneInfo(zone)
        seen: set[str] = set()
        for rows in self._reports.all(organization_id, only, sort, member_id=member_id):
            new = [row for row in rows if row.session_id not in seen]
            seen.update(row.session_id for row in new)
            names = self._reports.names(organization_id, {row.member_id for row in new})
            lines = [_line(form, row, names.get(row.member_id, ""), at) for row in new]
            yield "".join(lines).encode()

    def requests(
        self, organization_id: str, session_id: str, form: Form, *, zone: str
    ) -> Iterator[bytes]:
        """All requests of one session, the newest first, as the log's export has them."""
        only = LogFilter(session_id=session_id)
        return self._log.parts(organization_id, only, form, zone=zone)


def _line(form: Form, row: SessionRow, member: str, zone: tzinfo) -> str:
    values = _values(row, member, zone)
    written = [_written(form, values[name]) for name in COLUMNS]
    return form.line([form.fields(COLUMNS, written)])


def _written(form: Form, value: Any) -> str:
    if isinstance(value, str):
        return form.text(value)
    if isinstance(value, tuple):
        if form is CSV:
            return form.text(" ".join(value))
        return msgspec.json.encode(value).decode()
    return str(value)


def _values(row: SessionRow, member: str, zone: tzinfo) -> dict[str, Any]:
    billed = row.cost_nusd - row.subscription_cost_nusd
    tokens = {f"{name}_tokens": n for name, n in msgspec.structs.asdict(row.tokens).items()}
    return {
        **{name: getattr(row, name) for name in _PLAIN},
        **tokens,
        "begun": local_time(row.first_us, zone).isoformat(),
        "begun_us": row.first_us,
        "ended": local_time(row.last_us, zone).isoformat(),
        "ended_us": row.last_us,
        "member": member,
        "models": row.models,
        "repositories": row.repositories,
        "pull_requests": row.pull_requests,
        "tokens": row.tokens.total,
        "cost_nusd": billed,
        "subscription_nusd": row.subscription_cost_nusd,
        "cost_usd": _Dollars(billed),
        "saved_usd": _Dollars(row.saved_nusd),
    }
