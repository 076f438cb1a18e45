"""Changes of an organization's record, whichever of its settings they are about."""

from collections.abc import Iterable, Mapping

import msgspec

from tidegate.core.model import OrganizationRecord
from tidegate.services import audit
from tidegate.services.audit import Actor
from tidegate.services.context import Service
from tidegate.services.errors import Conflict, NotFound
from tidegate.store.ports import DirectoryChange


class OrganizationChanges(Service):
    """What changes an organization."""

    def _change(
        self, organization_id: str, changes: Mapping[str, object], actor: Actor
    ) -> OrganizationRecord:
        """Set some fields; the audit log holds those that differ, with what they were."""
        with self._directory.changing() as change:
            before = change.organization(organization_id)
            if before is None:
                raise NotFound("There is no such organization.", field="organization")
            after = msgspec.structs.replace(before, **changes)
            if after == before:
                return before
            if not same_name(after.name, before.name):
                refuse_taken(change, after.name)
            change.update_organization(after)
            detail = audit.changed(_shown(before, changes), _shown(after, changes))
            self._audit_organization(change, actor, "organization.update", organization_id, detail)
        return after


def refuse_taken(change: DirectoryChange, name: str) -> None:
    """Conflict if another organization is called like that."""
    if any(same_name(name, organization.name) for organization in change.organizations()):
        raise Conflict(f"There is an organization “{name}” already.", field="organization")


def same_name(name: str, other: str) -> bool:
    """Whether two organizations are called alike."""
    return name.casefold() == other.casefold()


def _shown(record: OrganizationRecord, names: Iterable[str]) -> dict[str, str]:
    return {name: audit.text(getattr(record, name)) for name in names}
