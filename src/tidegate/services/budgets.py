"""Budgets: made, changed, raised for a time and deleted by admins.

Whatever is changed holds for the next request: what is spent is read from the ledger for the
budget as it is then, in its window as it is then.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tidegate.core.budgets import EACH, Budget, Raise, Scope, Subject, subject_from
from tidegate.core.model import NANO_PER_USD, Agent
from tidegate.services import audit, budget_fields, fields, money
from tidegate.services.audit import Action, Actor
from tidegate.services.budget_fields import BudgetDraft
from tidegate.services.context import Service
from tidegate.services.errors import Conflict, Forbidden, InvalidField, NotFound
from tidegate.services.ids import new_id
from tidegate.services.permissions import is_admin, role_now
from tidegate.store.ports import DirectoryChange, DirectoryReads

MAX_BUDGETS: Final = 1000
_MAX_RAISE_US: Final = 366 * 24 * 3_600_000_000
_NOT_YOURS: Final = "Only admins and owners can do this."


class Budgets(Service):
    """An organization's budgets and their raises."""

    def list(self, organization_id: str) -> list[Budget]:
        """All of them, oldest first."""
        with self._directory.reading() as reads:
            return reads.budgets(organization_id)

    def get(self, organization_id: str, budget_id: str) -> Budget:
        """One of them, or NotFound."""
        with self._directory.reading() as reads:
            return budget_in(reads, organization_id, budget_id)

    def raises(self, organization_id: str, budget_id: str) -> Sequence[Raise]:
        """Those that were made of a budget, ended or not; the first comes first."""
        with self._directory.reading() as reads:
            return reads.raises(organization_id, budget_id)

    def create(
        self, organization_id: str, draft: BudgetDraft, *, by_role: str, actor: Actor
    ) -> Budget:
        """Make a budget; what its window has spent so far counts."""
        now_us = self._clock()
        with self._directory.changing() as change:
            require_admin(change, organization_id, actor, by_role)
            wanted = budget_fields.checked(change, organization_id, draft)
            if len(change.budgets(organization_id)) >= MAX_BUDGETS:
                raise Conflict(f"There are {MAX_BUDGETS} budgets. Delete one first.")
            budget = Budget(
                budget_id=new_id("bud"),
                organization_id=organization_id,
                created_us=now_us,
                **msgspec.structs.asdict(wanted),
            )
            change.add_budget(budget)
            self._audit(change, actor, "budget.create", budget, _shown(budget))
        return budget

    def change(
        self, organization_id: str, budget_id: str, *, by_role: str, actor: Actor, **changes: Any
    ) -> Budget:
        """Change what is given, by the names of BudgetDraft. Whom it is for stays."""
        unknown = set(changes) - set(BudgetDraft.__struct_fields__)
        if unknown or {"scope", "scope_id", "per_head"} & set(changes):
            raise InvalidField("Whom a budget is for cannot be changed. Make another one.")
        with self._directory.changing() as change:
            require_admin(change, organization_id, actor, by_role)
            before = budget_in(change, organization_id, budget_id)
            draft = msgspec.structs.replace(budget_fields.draft_of(before), **changes)
            if before.scope != Scope.ORGANIZATION:  # who is gone may still be changed
                draft = msgspec.structs.replace(draft, scope_id=EACH)
            wanted = budget_fields.checked(change, organization_id, draft)
            values = msgspec.structs.asdict(wanted) | {"scope_id": before.scope_id}
            after = msgspec.structs.replace(before, **values)
            if after != before:
                refuse_beyond(change, after, self._clock())
                change.update_budget(after)
                detail = audit.changed(_shown(before), _shown(after))
                self._audit(change, actor, "budget.change", after, detail)
        return after

    def delete(self, organization_id: str, budget_id: str, *, by_role: str, actor: Actor) -> None:
        """Delete a budget with its raises and the requests for more of it."""
        with self._directory.changing() as change:
            require_admin(change, organization_id, actor, by_role)
            budget = budget_in(change, organization_id, budget_id)
            change.delete_budget(organization_id, budget_id)
            self._audit(change, actor, "budget.delete", budget, _shown(budget))

    def raise_until(  # noqa: PLR0913 -- by name beyond the fourth
        self,
        organization_id: str,
        budget_id: str,
        extra_nusd: int,
        until_us: int,
        *,
        subject: str = "",
        by_role: str,
        actor: Actor,
    ) -> Raise:
        """Give more from now on until then: to all that it is for, or to one of EACH."""
        now_us = self._clock()
        with self._directory.changing() as change:
            require_admin(change, organization_id, actor, by_role)
            budget = budget_in(change, organization_id, budget_id)
            _refuse_subject(change, budget, subject)
            made = new_raise(budget, extra_nusd, (now_us, until_us), subject)
            change.add_raise(made)
            refuse_beyond(change, budget, now_us)
            self._audit(change, actor, "budget.raise", budget, raise_detail(made))
        return made

    def end_raise(
        self, organization_id: str, budget_id: str, raise_id: str, *, by_role: str, actor: Actor
    ) -> None:
        """End a raise now; one that has ended stays as it is."""
        now_us = self._clock()
        with self._directory.changing() as change:
            require_admin(change, organization_id, actor, by_role)
            budget = budget_in(change, organization_id, budget_id)
            found = [r for r in change.raises(organization_id, budget_id) if r.raise_id == raise_id]
            if not found:
                raise NotFound("There is no such raise of this budget.")
            if found[0].until_us > now_us:
                ended = msgspec.structs.replace(found[0], until_us=now_us)
                change.update_raise(ended)
                before, after = raise_detail(found[0]), raise_detail(ended)
                detail = after | audit.changed(before, after)
                self._audit(change, actor, "budget.end_raise", budget, detail)

    def _audit(
        self,
        change: DirectoryChange,
        actor: Actor,
        name: str,
        budget: Budget,
        detail: dict[str, str],
    ) -> None:
        whose = {"of": whose_words(change, budget)}
        action = Action(name, budget.organization_id, budget.budget_id, detail | whose)
        audit.record(change, actor, action, self._clock())


def require_admin(reads: DirectoryReads, organization_id: str, actor: Actor, by_role: str) -> None:
    """Admins and owners; else Forbidden."""
    if not is_admin(role_now(reads, organization_id, actor, by_role)):
        raise Forbidden(_NOT_YOURS)


def budget_in(reads: DirectoryReads, organization_id: str, budget_id: str) -> Budget:
    """A budget of the organization, or NotFound."""
    budget = reads.budget(organization_id, budget_id)
    if budget is None:
        raise NotFound("There is no such budget in this organization.", field="budget")
    return budget


def new_raise(budget: Budget, extra_nusd: int, time_us: tuple[int, int], subject: str) -> Raise:
    """A raise yet to be added; `time_us` is from when until when."""
    money.checked(extra_nusd, least_nusd=1)
    from_us, until_us = time_us
    if until_us <= from_us:
        raise InvalidField("A raise ends in the future. Choose a later end.", field="until")
    if until_us - from_us > _MAX_RAISE_US:
        raise InvalidField(
            "A raise lasts a year at most. Change the budget's amount instead.", field="until"
        )
    return Raise(
        raise_id=new_id("rse"),
        organization_id=budget.organization_id,
        budget_id=budget.budget_id,
        subject=fields.plain_text(subject, field="subject"),
        extra_nusd=extra_nusd,
        from_us=from_us,
        until_us=until_us,
    )


def raise_detail(made: Raise) -> dict[str, str]:
    """A raise as the audit log shows it."""
    detail = {
        "raise": made.raise_id,
        "extra_nusd": str(made.extra_nusd),
        "until_us": str(made.until_us),
    }
    return detail | ({"subject": made.subject} if made.subject else {})


def whose_words(reads: DirectoryReads, budget: Budget) -> str:
    """Whose budget it is, as it is called now: what the audit log keeps."""
    organization_id, scope_id = budget.organization_id, budget.scope_id
    whose = f"{budget.scope} {scope_id}"
    if budget.scope == Scope.ORGANIZATION:
        whose = "the organization"
    elif scope_id == EACH:
        whose = f"each {budget.scope}"
    elif budget.scope == Scope.SQUAD and (squad := reads.squad(organization_id, scope_id)):
        whose = f"the squad {squad.name}"
    elif budget.scope == Scope.MEMBER:
        whose = _member_name(reads, organization_id, scope_id)
    elif budget.scope == Scope.KEY and (key := reads.key(organization_id, scope_id)):
        member = _member_name(reads, organization_id, key.record.member_id)
        whose = f"{Agent(key.record.agent).title} of {member}"
    per_head = ", per head" if budget.per_head else ""
    return f"{whose}{per_head}" + (f" (“{budget.name}”)" if budget.name else "")


def refuse_beyond(reads: DirectoryReads, budget: Budget, now_us: int) -> None:
    """A limit with all its raises stays an amount that everything can reckon with."""
    raises = reads.raises(budget.organization_id, budget.budget_id)
    extra = sum(each.extra_nusd for each in raises if each.until_us > now_us)
    if budget.amount_nusd + extra > money.MAX_USD * NANO_PER_USD:
        raise InvalidField(
            "With its raises the budget would be over a billion dollars.", field="amount"
        )


def _refuse_subject(reads: DirectoryReads, budget: Budget, text: str) -> None:
    """A raise is for all, or for one of those who have the budget each by itself."""
    if not text:
        return
    wrong = InvalidField("The budget has no such part of its own.", field="subject")
    if budget.scope_id != EACH and not budget.per_head:
        raise wrong
    subject, organization_id = subject_from(budget, text), budget.organization_id
    if budget.scope_id not in {EACH, subject.id} or bool(subject.member_id) != budget.per_head:
        raise wrong
    if not _is_there(reads, organization_id, subject):
        raise wrong


def _is_there(reads: DirectoryReads, organization_id: str, subject: Subject) -> bool:
    """Repositories and sessions may come later."""
    if subject.member_id and reads.member(organization_id, subject.member_id) is None:
        return False
    match Scope(subject.scope):
        case Scope.SQUAD:
            return reads.squad(organization_id, subject.id) is not None
        case Scope.MEMBER:
            return reads.member(organization_id, subject.id) is not None
        case Scope.KEY:
            return reads.key(organization_id, subject.id) is not None
    return True


def _member_name(reads: DirectoryReads, organization_id: str, member_id: str) -> str:
    member = reads.member(organization_id, member_id)
    return (member.name or member.email) if member else member_id


def _shown(budget: Budget) -> dict[str, str]:
    return {
        name: str(value)
        for name, value in msgspec.structs.asdict(budget_fields.draft_of(budget)).items()
    }
