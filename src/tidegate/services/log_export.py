"""The rows of a filtered log as a file, written while it is sent: memory stays flat."""

from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.calendar import local_time
from tidegate.services.log_table import READ, Form, LogLines
from tidegate.services.request_log import LogFilter, RequestLog
from tidegate.store.ports import Store

_CUT = (
    "This export may not be complete: while it ran, the organization's retention deleted the "
    "requests from before {}."
)


class LogExport:
    """Times are those of the organization's zone."""

    def __init__(self, store: Store, log: RequestLog) -> None:
        self._directory = store.directory
        self._log = log

    def parts(
        self, organization_id: str, only: LogFilter, form: Form, *, zone: str, member_id: str = ""
    ) -> Iterator[bytes]:
        """The file in parts of some thousand rows; a `member_id` restricts it to that member.

        Where the retention deleted rows of the range meanwhile, the last line says so.
        """
        lines = LogLines(form, self._names(organization_id), ZoneInfo(zone))
        kept = self._log.kept(organization_id)
        start_us = max(only.start_us, kept.ledger_from_us)  # what is older is being deleted
        only = msgspec.structs.replace(only, start_us=start_us)
        if form.head:
            yield form.head.encode()
        for rows in self._log.values(organization_id, only, READ, member_id=member_id):
            yield lines.lines(rows)
        from_us = self._log.kept(organization_id).ledger_from_us
        if from_us != kept.ledger_from_us and only.start_us < from_us:
            since = local_time(from_us, ZoneInfo(zone)).isoformat()
            yield form.remark(_CUT.format(since)).encode()

    def _names(self, organization_id: str) -> Callable[[str], tuple[str, str]]:
        """Names of members, of removed ones too, each read once."""
        known: dict[str, tuple[str, str]] = {}

        def names(member_id: str) -> tuple[str, str]:
            if member_id not in known:
                with self._directory.reading() as reads:
                    member = reads.member(organization_id, member_id)
                known[member_id] = (member.name, member.email) if member else ("", "")
            return known[member_id]

        return names
