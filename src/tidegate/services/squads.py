"""Squads: named groups of members, with models of their own. A member is in one at most."""

from collections.abc import Sequence
from typing import Final

import msgspec

from tidegate.core.budgets import Scope
from tidegate.services import audit, fields
from tidegate.services.audit import Action, Actor
from tidegate.services.budgets import require_admin
from tidegate.services.context import Service
from tidegate.services.errors import Conflict, NotFound
from tidegate.services.ids import new_id
from tidegate.store.budgets import SquadMember, SquadRecord
from tidegate.store.ports import DirectoryChange, DirectoryReads

MAX_SQUADS: Final = 500


class Squad(msgspec.Struct, frozen=True):
    """A squad and who is in it."""

    record: SquadRecord
    member_ids: tuple[str, ...]


class Squads(Service):
    """An organization's squads."""

    def list(self, organization_id: str) -> list[Squad]:
        """All of them, by name."""
        with self._directory.reading() as reads:
            records, members = reads.squads(organization_id), reads.squad_members(organization_id)
        return [
            Squad(record, tuple(m.member_id for m in members if m.squad_id == record.squad_id))
            for record in records
        ]

    def get(self, organization_id: str, squad_id: str) -> Squad:
        """One of them, or NotFound."""
        for squad in self.list(organization_id):
            if squad.record.squad_id == squad_id:
                return squad
        raise NotFound("There is no such squad in this organization.", field="squad")

    def create(self, organization_id: str, name: str, *, by_role: str, actor: Actor) -> SquadRecord:
        """Make a squad, with nobody in it."""
        chosen = fields.display_name(name, field="name")
        with self._directory.changing() as change:
            require_admin(change, organization_id, actor, by_role)
            _refuse_taken(change, organization_id, chosen)
            if len(change.squads(organization_id)) >= MAX_SQUADS:
                raise Conflict(f"There are {MAX_SQUADS} squads. Delete one first.")
            squad = SquadRecord(
                squad_id=new_id("sqd"),
                organization_id=organization_id,
                name=chosen,
                created_us=self._clock(),
            )
            change.add_squad(squad)
            self._audit(change, actor, "squad.create", squad, {"name": chosen})
        return squad

    def change(
        self,
        organization_id: str,
        squad_id: str,
        *,
        name: str | None = None,
        allowed_models: Sequence[str] | None = None,
        by_role: str,
        actor: Actor,
    ) -> SquadRecord:
        """Change the name, or which models its members may use besides all other policies."""
        changes: dict[str, object] = {}
        if name is not None:
            changes["name"] = fields.display_name(name, field="name")
        if allowed_models is not None:
            changes["allowed_models"] = fields.model_globs(allowed_models)
        with self._directory.changing() as change:
            require_admin(change, organization_id, actor, by_role)
            before = squad_in(change, organization_id, squad_id)
            after = msgspec.structs.replace(before, **changes)
            if after.name.casefold() != before.name.casefold():
                _refuse_taken(change, organization_id, after.name)
            if after != before:
                change.update_squad(after)
                detail = audit.changed(_shown(before), _shown(after)) | {"squad": after.name}
                self._audit(change, actor, "squad.change", after, detail)
        return after

    def delete(self, organization_id: str, squad_id: str, *, by_role: str, actor: Actor) -> None:
        """Delete a squad that no budget is for. Its members stay, what was spent too."""
        with self._directory.changing() as change:
            require_admin(change, organization_id, actor, by_role)
            squad = squad_in(change, organization_id, squad_id)
            budgets = change.budgets(organization_id)
            if any(b.scope == Scope.SQUAD and b.scope_id == squad_id for b in budgets):
                raise Conflict("This squad has a budget. Delete that first.")
            change.delete_squad(organization_id, squad_id)
            self._audit(change, actor, "squad.delete", squad, {"name": squad.name})

    def place(
        self, organization_id: str, member_id: str, squad_id: str, *, by_role: str, actor: Actor
    ) -> None:
        """Put a member into a squad, out of any other; "" for none. Requests from now on count."""
        with self._directory.changing() as change:
            require_admin(change, organization_id, actor, by_role)
            member = change.member(organization_id, member_id)
            if member is None or member.removed_us:
                raise NotFound("There is no such member in this organization.", field="member")
            before = squad_of(change, organization_id, member_id)
            if before == squad_id:
                return
            names = {each.squad_id: each.name for each in change.squads(organization_id)}
            if squad_id:
                squad_in(change, organization_id, squad_id)
                change.put_squad_member(
                    SquadMember(
                        organization_id=organization_id,
                        member_id=member_id,
                        squad_id=squad_id,
                        from_us=self._clock(),
                    )
                )
            else:
                change.delete_squad_member(organization_id, member_id)
            detail = {
                "squad": squad_id,
                "before_squad": before,
                "name": names.get(squad_id, ""),
                "before_name": names.get(before, ""),
            }
            action = Action("squad.member", organization_id, member_id, detail)
            audit.record(change, actor, action, self._clock())

    def _audit(
        self,
        change: DirectoryChange,
        actor: Actor,
        name: str,
        squad: SquadRecord,
        detail: dict[str, str],
    ) -> None:
        action = Action(name, squad.organization_id, squad.squad_id, detail)
        audit.record(change, actor, action, self._clock())


def squad_in(reads: DirectoryReads, organization_id: str, squad_id: str) -> SquadRecord:
    """A squad of the organization, or NotFound."""
    squad = reads.squad(organization_id, squad_id)
    if squad is None:
        raise NotFound("There is no such squad in this organization.", field="squad")
    return squad


def squad_of(reads: DirectoryReads, organization_id: str, member_id: str) -> str:
    """The squad that a member is in, "" for none."""
    members = reads.squad_members(organization_id)
    return next((m.squad_id for m in members if m.member_id == member_id), "")


def _shown(squad: SquadRecord) -> dict[str, str]:
    return {"name": squad.name, "allowed_models": audit.text(squad.allowed_models)}


def _refuse_taken(reads: DirectoryReads, organization_id: str, name: str) -> None:
    if any(each.name.casefold() == name.casefold() for each in reads.squads(organization_id)):
        raise Conflict(f"There is a squad “{name}” already.", field="name")
