"""Who changed what, when, from where: written in the transaction of the change itself."""

from typing import Final

import msgspec

from tidegate.services.ids import new_id
from tidegate.store.ports import AuditEntry, DirectoryChange


class Actor(msgspec.Struct, frozen=True):
    """Who asks for a change, and from which address."""

    who: str  # a member's id, or "cli"
    address: str = ""


COMMAND_LINE: Final = Actor("cli")


class Action(msgspec.Struct, frozen=True):
    """What is done to what; `detail` holds the new values, never a secret."""

    name: str  # noun.verb
    organization_id: str
    target: str
    detail: dict[str, str] = {}


def record(change: DirectoryChange, actor: Actor, action: Action, at_us: int) -> None:
    """Write the entry of a change."""
    change.add_audit(
        AuditEntry(
            audit_id=new_id("aud"),
            organization_id=action.organization_id,
            at_us=at_us,
            actor=actor.who,
            action=action.name,
            target=action.target,
            detail=action.detail,
            address=actor.address,
        )
    )
