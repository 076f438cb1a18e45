"""Who changed what, when, from where: written in the transaction of the change itself."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tidegate.services.ids import new_id
from tidegate.store.ports import AuditEntry, DirectoryChange


class Actor(msgspec.Struct, frozen=True):
    """Who asks for a change, and from which address."""

    who: str  # a member's id, or "cli"
    address: str = ""


COMMAND_LINE: Final = Actor("cli")


BEFORE: Final = "before_"
"""Begins the name of a detail that says what another one was before."""


class Action(msgspec.Struct, frozen=True):
    """What is done to what; `detail` holds the new values, never a secret."""

    name: str  # noun.verb
    organization_id: str
    target: str
    detail: dict[str, str] = {}


def text(value: object) -> str:
    """A value as a detail."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """What differs, as the detail of a change: each new value, and what it was before."""
    detail: dict[str, str] = {}
    for name, value in after.items():
        if value != (was := before.get(name, "")):
            detail |= {name: value, f"{BEFORE}{name}": was}
    return detail


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
