"""Reading the audit log: page by page, newest first, filtered."""

from typing import Final

import msgspec

from tidegate.services.context import Service
from tidegate.services.errors import InvalidField
from tidegate.store.ports import AuditEntry, AuditFilter

MOST: Final = 200


class AuditPage(msgspec.Struct, frozen=True):
    """Some entries, and what to go on before; empty at the log's end."""

    entries: list[AuditEntry]
    next: str


class AuditLog(Service):
    """What happened in an organization. Nothing here changes or deletes an entry."""

    def page(  # noqa: PLR0913 -- by name beyond the first
        self,
        organization_id: str,
        *,
        actor: str = "",
        action: str = "",
        target: str = "",
        start_us: int = 0,
        end_us: int = 0,
        before: str = "",
        limit: int = 50,
    ) -> AuditPage:
        """Entries from `start_us` until before `end_us`; `action` is the beginning of a name."""
        if not 1 <= limit <= MOST:
            raise InvalidField(f"The limit is 1 to {MOST}.", field="limit")
        if end_us and end_us <= start_us:
            raise InvalidField("The end is before the start.", field="end")
        only = AuditFilter(
            actor=actor.strip(),
            action=action.strip(),
            target=target.strip(),
            start_us=start_us,
            end_us=end_us,
        )
        with self._directory.reading() as reads:
            found = reads.audit(organization_id, limit + 1, before, only)
        entries = found[:limit]
        return AuditPage(entries, entries[-1].audit_id if len(found) > limit else "")
