"""Members ask for more of a budget that concerns them; an admin approves or declines, once."""

from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.budgets import EACH, Budget, Scope, WindowKind, window_of
from tidegate.services import audit, budget_messages, fields, money
from tidegate.services.audit import Action, Actor
from tidegate.services.budgets import (
    budget_in,
    new_raise,
    raise_detail,
    refuse_beyond,
    require_admin,
    whose_words,
)
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.errors import Conflict, Forbidden, InvalidField, NotFound
from tidegate.services.ids import new_id
from tidegate.services.vault import Subkeys
from tidegate.store.budgets import BudgetRequestRecord
from tidegate.store.ports import DirectoryChange, DirectoryReads, Store

_DAY_US: Final = 24 * 3_600_000_000
_OPEN_US: Final = 14 * _DAY_US
_RAISE_US: Final = 30 * _DAY_US  # where no window says when it ends
_MAX_REASON_CHARS: Final = 500
_MOST_A_DAY: Final = 20  # of a member: admins get a mail for each
_NO_REQUEST: Final = "There is no such request in this organization."
_MOST_OPEN: Final = 14 * _MOST_A_DAY


class BudgetRequests(Service):
    """Requests for more, and what became of them. Who is to know of it is told in the very
    transaction: by the outbox of the alerts' channels."""

    def __init__(
        self, store: Store, subkeys: Subkeys, clock: Clock = now_us, *, public_url: str = ""
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._public_url = public_url

    def list(
        self, organization_id: str, *, member_id: str = "", limit: int = 200
    ) -> list[BudgetRequestRecord]:
        """The newest first; of one member or of all. Those that nobody decided in time expired."""
        now_us = self._clock()
        with self._directory.reading() as reads:
            found = reads.budget_requests(organization_id, member_id=member_id, limit=limit)
        return [_as_of(request, now_us) for request in found]

    def get(self, organization_id: str, request_id: str) -> BudgetRequestRecord:
        """One of them, or NotFound."""
        with self._directory.reading() as reads:
            return _as_of(_request_in(reads, organization_id, request_id), self._clock())

    def ask(  # noqa: PLR0913 -- by name beyond the third
        self,
        organization_id: str,
        member_id: str,
        budget_id: str,
        *,
        amount_nusd: int,
        reason: str,
        subject: str = "",
        actor: Actor,
    ) -> BudgetRequestRecord:
        """Ask for so much more. `subject` says for which key, repository or session of EACH."""
        money.checked(amount_nusd, least_nusd=1)
        why = fields.plain_text(reason.strip(), field="reason", most=_MAX_REASON_CHARS)
        now_us = self._clock()
        with self._directory.changing() as change:
            if actor.who != member_id:
                raise Forbidden("Everyone asks for themselves.")
            member = change.member(organization_id, member_id)
            if member is None or member.removed_us:
                raise NotFound("There is no such member in this organization.")
            budget = budget_in(change, organization_id, budget_id)
            own = own_subject(change, budget, member_id, subject)
            self._refuse_more(change, organization_id, member_id, budget_id)
            request = BudgetRequestRecord(
                request_id=new_id("brq"),
                organization_id=organization_id,
                budget_id=budget_id,
                subject=own,
                member_id=member_id,
                amount_nusd=amount_nusd,
                reason=why,
                created_us=now_us,
                expires_us=now_us + _OPEN_US,
            )
            change.add_budget_request(request)
            detail = {"amount_nusd": str(amount_nusd), "reason": why}
            self._audit(change, actor, "budget.request", request, detail)
            change.add_deliveries(budget_messages.asked(change, request, budget, self._public_url))
        return request

    def approve(  # noqa: PLR0913 -- by name beyond the second
        self,
        organization_id: str,
        request_id: str,
        *,
        amount_nusd: int = 0,
        until_us: int = 0,
        note: str = "",
        by_role: str,
        actor: Actor,
    ) -> BudgetRequestRecord:
        """Raise the budget: by what was asked for and to the end of its window, or as said."""
        now_us = self._clock()
        with self._directory.changing() as change:
            require_admin(change, organization_id, actor, by_role)
            request = self._open(change, organization_id, request_id, now_us)
            budget = budget_in(change, organization_id, request.budget_id)
            end_us = until_us or _end_us(change, budget, now_us)
            extra_nusd = amount_nusd or request.amount_nusd
            made = new_raise(budget, extra_nusd, (now_us, end_us), request.subject)
            change.add_raise(made)
            refuse_beyond(change, budget, now_us)
            decided = self._decided(request, "approved", actor, now_us, note)
            decided = msgspec.structs.replace(decided, raise_id=made.raise_id)
            change.update_budget_request(decided)
            detail = {"member": request.member_id, **raise_detail(made)}
            self._audit(change, actor, "budget.approve", decided, detail)
            self._tell(change, decided, budget)
        return decided

    def decline(
        self, organization_id: str, request_id: str, *, note: str = "", by_role: str, actor: Actor
    ) -> BudgetRequestRecord:
        """Leave the budget as it is."""
        now_us = self._clock()
        with self._directory.changing() as change:
            require_admin(change, organization_id, actor, by_role)
            request = self._open(change, organization_id, request_id, now_us)
            decided = self._decided(request, "declined", actor, now_us, note)
            change.update_budget_request(decided)
            detail = {"member": request.member_id, "note": decided.note}
            self._audit(change, actor, "budget.decline", decided, detail)
            self._tell(change, decided, budget_in(change, organization_id, request.budget_id))
        return decided

    def withdraw(
        self, organization_id: str, request_id: str, member_id: str, *, actor: Actor
    ) -> BudgetRequestRecord:
        """Take back what one asked for oneself; nobody is told of it."""
        now_us = self._clock()
        with self._directory.changing() as change:
            request = _request_in(change, organization_id, request_id)
            if not request.member_id == member_id == actor.who:
                raise NotFound(_NO_REQUEST)  # of colleagues none is there
            self._open(change, organization_id, request_id, now_us)
            withdrawn = self._decided(request, "withdrawn", actor, now_us, "")
            change.update_budget_request(withdrawn)
            detail = {"amount_nusd": str(request.amount_nusd)}
            self._audit(change, actor, "budget.withdraw", withdrawn, detail)
        return withdrawn

    def _open(
        self, reads: DirectoryReads, organization_id: str, request_id: str, now_us: int
    ) -> BudgetRequestRecord:
        request = _request_in(reads, organization_id, request_id)
        state = request.state_at(now_us)
        if state == "expired":
            raise Conflict("This request has expired. It can be asked again.")
        if state != "open":
            raise Conflict(f"This request was {state} already.")
        return request

    def _refuse_more(
        self, reads: DirectoryReads, organization_id: str, member_id: str, budget_id: str
    ) -> None:
        """One open request a budget, and so many a day."""
        now_us = self._clock()
        own = reads.budget_requests(organization_id, member_id=member_id, limit=_MOST_OPEN)
        for each in own:
            if each.budget_id == budget_id and each.state_at(now_us) == "open":
                raise Conflict("You have asked for this budget already. An admin will decide.")
        if sum(each.created_us > now_us - _DAY_US for each in own) >= _MOST_A_DAY:
            raise Conflict(f"You have asked {_MOST_A_DAY} times in a day. Talk to an admin.")

    def _decided(
        self, request: BudgetRequestRecord, state: str, actor: Actor, now_us: int, note: str
    ) -> BudgetRequestRecord:
        text = fields.plain_text(note.strip(), field="note", most=_MAX_REASON_CHARS)
        return msgspec.structs.replace(
            request, state=state, decided_by=actor.who, decided_us=now_us, note=text
        )

    def _tell(self, change: DirectoryChange, decided: BudgetRequestRecord, budget: Budget) -> None:
        told = budget_messages.decided(change, decided, budget, self._public_url)
        change.add_deliveries(told)

    def _audit(
        self,
        change: DirectoryChange,
        actor: Actor,
        name: str,
        request: BudgetRequestRecord,
        detail: dict[str, str],
    ) -> None:
        budget = budget_in(change, request.organization_id, request.budget_id)
        detail |= {"budget": budget.budget_id, "of": whose_words(change, budget)}
        action = Action(name, request.organization_id, request.request_id, detail)
        audit.record(change, actor, action, self._clock())


def own_subject(reads: DirectoryReads, budget: Budget, member_id: str, wanted: str = "") -> str:
    """What a member's requests count as under a budget, as far as it is one's own.

    "" where all who it is for share it. Forbidden for a budget that does not concern the member.
    """
    organization_id = budget.organization_id
    squads = {m.member_id: m.squad_id for m in reads.squad_members(organization_id)}
    keys = [
        key.record.key_id
        for key in reads.keys(organization_id)
        if key.record.member_id == member_id
    ]
    own: dict[str, list[str]] = {
        Scope.SQUAD: [squads[member_id]] if member_id in squads else [],
        Scope.MEMBER: [member_id],
        Scope.KEY: keys,
    }
    if budget.scope in {Scope.ORGANIZATION, Scope.REPOSITORY, Scope.SESSION}:
        if budget.scope_id == EACH and not wanted:
            raise InvalidField(f"Say which {budget.scope} it is for.", field="subject")
        return fields.plain_text(wanted, field="subject") if budget.scope_id == EACH else ""
    mine = [each for each in own[budget.scope] if budget.scope_id in {EACH, each}]
    if not mine:
        raise Forbidden("This budget is not yours.")
    if budget.scope_id != EACH and not budget.per_head:
        return ""
    if wanted and wanted in mine:
        mine = [wanted]
    elif wanted and budget.scope == Scope.KEY:
        raise Forbidden("This key is not yours.")
    if len(mine) > 1:
        raise InvalidField("Say which of your keys it is for.", field="subject")
    return f"{mine[0]}/{member_id}" if budget.per_head else mine[0]


def _end_us(reads: DirectoryReads, budget: Budget, now_us: int) -> int:
    """The end of the running window; a while from now where it has none."""
    organization = reads.organization(budget.organization_id)
    if organization is None or budget.window in {WindowKind.LIFETIME, WindowKind.ROLLING}:
        return now_us + _RAISE_US
    zone = ZoneInfo(organization.time_zone)
    return window_of(budget, now_us, zone, organization.week_start).end_us


def _request_in(
    reads: DirectoryReads, organization_id: str, request_id: str
) -> BudgetRequestRecord:
    request = reads.budget_request(organization_id, request_id)
    if request is None:
        raise NotFound(_NO_REQUEST)
    return request


def _as_of(request: BudgetRequestRecord, now_us: int) -> BudgetRequestRecord:
    return msgspec.structs.replace(request, state=request.state_at(now_us))
