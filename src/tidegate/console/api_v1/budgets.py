"""Budgets, how they stand, raises of them, and requests for more."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery, given
from tidegate.console.api_v1.table import act, create, delete, get, patch
from tidegate.console.api_v1.texts import Text
from tidegate.console.api_v1.times import Time, microseconds, time, time_or_none
from tidegate.core.budgets import Budget, HoldMode, Raise, Scope, WhenUnknown, WindowKind
from tidegate.core.model import Role
from tidegate.services import money
from tidegate.services.budget_fields import BudgetDraft
from tidegate.services.budget_standings import BudgetStanding
from tidegate.services.errors import NotFound
from tidegate.store.budgets import BudgetRequestRecord

Nusd = Annotated[
    int, msgspec.Meta(ge=0, le=money.MAX_USD * 1_000_000_000, description="In nano-USD.")
]
BudgetName = Annotated[str, msgspec.Meta(max_length=100)]
Subject = Annotated[
    str,
    msgspec.Meta(max_length=300, description="Whose it is, where each one has its own."),
]
Hours = Annotated[int, msgspec.Meta(ge=0, le=2160, description="Of a rolling window.")]


class RequestState(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class BudgetBand(msgspec.Struct, frozen=True):
    """Where a window will likely end."""

    low_nusd: int
    high_nusd: int


class SubjectStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a budget is gone in its window, to the nano-dollar."""

    subject: str
    title: str
    limit_nusd: int
    raised_nusd: int
    spent_nusd: int
    held_nusd: int
    left_nusd: int
    may_exceed_nusd: int  # by so much at most requests in flight may cost more than is held
    exhausted: bool
    starts_at: Time | None
    resets_at: Time | None
    projected: BudgetBand | None


class BudgetItem(msgspec.Struct, frozen=True, kw_only=True):
    """A budget, and how it stands for those who are nearest to its limit."""

    id: str
    name: str
    scope: Scope
    scope_id: str
    per_head: bool
    amount_nusd: int
    window: WindowKind
    rolling_hours: int
    hard: bool
    mode: HoldMode
    when_unknown: WhenUnknown
    counts_subscription: bool
    created_at: Time
    standings: list[SubjectStanding]


class BudgetList(msgspec.Struct, frozen=True):
    items: list[BudgetItem]


class BudgetCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`scope_id` is an id, a repository or a session, or `*` for each one by itself."""

    amount_nusd: Nusd
    name: BudgetName = ""
    scope: Scope = Scope.ORGANIZATION
    scope_id: Subject = ""
    per_head: bool = False
    window: WindowKind = WindowKind.MONTH
    rolling_hours: Hours = 0
    hard: bool = False
    mode: HoldMode = HoldMode.TYPICAL
    when_unknown: WhenUnknown = WhenUnknown.OPEN
    counts_subscription: bool = False


class BudgetPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is left out stays as it is; whom it is for stays always."""

    amount_nusd: Nusd | UnsetType = UNSET
    name: BudgetName | UnsetType = UNSET
    window: WindowKind | UnsetType = UNSET
    rolling_hours: Hours | UnsetType = UNSET
    hard: bool | UnsetType = UNSET
    mode: HoldMode | UnsetType = UNSET
    when_unknown: WhenUnknown | UnsetType = UNSET
    counts_subscription: bool | UnsetType = UNSET


class BudgetRaise(msgspec.Struct, frozen=True, kw_only=True):
    """More of a budget, for a time."""

    id: str
    subject: str
    extra_nusd: int
    starts_at: Time
    ends_at: Time


class BudgetRaiseList(msgspec.Struct, frozen=True):
    items: list[BudgetRaise]


class BudgetRaiseCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    extra_nusd: Nusd
    ends_at: Time
    subject: Subject = ""


class BudgetRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A member asks for more."""

    id: str
    budget_id: str
    subject: str
    member_id: str
    amount_nusd: int
    reason: str
    state: RequestState
    created_at: Time
    expires_at: Time
    decided_at: Time | None
    decided_by: str
    note: str


class BudgetRequestList(msgspec.Struct, frozen=True):
    items: list[BudgetRequest]


class BudgetRequestCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    amount_nusd: Nusd
    reason: Text = ""
    subject: Subject = ""


class BudgetApproval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Left out: what was asked for, to the end of the budget's window."""

    amount_nusd: Nusd = 0
    ends_at: Time | None = None
    note: Text = ""


class BudgetDecline(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    note: Text = ""


AnyCall = Call[Any, Any]


def list_budgets(call: Call[NoQuery, NoBody]) -> BudgetList:
    """List the budgets, oldest first; a member's are those that count the member's requests."""
    return BudgetList(_items(call))


def create_budget(call: Call[NoQuery, BudgetCreate]) -> BudgetItem:
    """Make a budget. What its window has spent so far counts."""
    draft = BudgetDraft(**_plain(msgspec.structs.asdict(call.body)))
    made = call.services.budgets.create(
        call.organization_id, draft, by_role=call.viewer.role, actor=call.actor
    )
    return _one(call, made.budget_id)


def get_budget(call: Call[NoQuery, NoBody]) -> BudgetItem:
    """One budget."""
    return _one(call, call.path["budget_id"])


def update_budget(call: Call[NoQuery, BudgetPatch]) -> BudgetItem:
    """Change a budget. It holds for the next request."""
    budget_id = call.path["budget_id"]
    call.services.budgets.change(
        call.organization_id,
        budget_id,
        by_role=call.viewer.role,
        actor=call.actor,
        **_plain(given(call.body)),
    )
    return _one(call, budget_id)


def delete_budget(call: Call[NoQuery, NoBody]) -> None:
    """Delete a budget with its raises and the requests for more of it."""
    call.services.budgets.delete(
        call.organization_id, call.path["budget_id"], by_role=call.viewer.role, actor=call.actor
    )


def list_budget_raises(call: Call[NoQuery, NoBody]) -> BudgetRaiseList:
    """List the raises of a budget, those that ended too."""
    budget = call.services.budgets.get(call.organization_id, call.path["budget_id"])
    raises = call.services.budgets.raises(call.organization_id, budget.budget_id)
    return BudgetRaiseList([_raise(each) for each in raises])


def raise_budget(call: Call[NoQuery, BudgetRaiseCreate]) -> BudgetRaise:
    """Give more of a budget from now on until then."""
    made = call.services.budgets.raise_until(
        call.organization_id,
        call.path["budget_id"],
        call.body.extra_nusd,
        microseconds(call.body.ends_at),
        subject=call.body.subject,
        by_role=call.viewer.role,
        actor=call.actor,
    )
    return _raise(made)


def end_budget_raise(call: Call[NoQuery, NoBody]) -> BudgetRaise:
    """End a raise now."""
    budget_id, raise_id = call.path["budget_id"], call.path["raise_id"]
    budgets = call.services.budgets
    budgets.end_raise(
        call.organization_id, budget_id, raise_id, by_role=call.viewer.role, actor=call.actor
    )
    raises = budgets.raises(call.organization_id, budget_id)
    return next(_raise(each) for each in raises if each.raise_id == raise_id)


def list_budget_requests(call: Call[NoQuery, NoBody]) -> BudgetRequestList:
    """List the newest 200 requests for more; a member's are the own ones."""
    own = call.viewer.member_id if call.viewer.role == Role.MEMBER else ""
    found = call.services.budget_requests.list(call.organization_id, member_id=own)
    return BudgetRequestList([_request(each) for each in found])


def create_budget_request(call: Call[NoQuery, BudgetRequestCreate]) -> BudgetRequest:
    """Ask for more of a budget that counts one's own requests."""
    made = call.services.budget_requests.ask(
        call.organization_id,
        call.viewer.member_id,
        call.path["budget_id"],
        amount_nusd=call.body.amount_nusd,
        reason=call.body.reason,
        subject=call.body.subject,
        actor=call.actor,
    )
    return _request(made)


def get_budget_request(call: Call[NoQuery, NoBody]) -> BudgetRequest:
    """One request; of a colleague none is there for a member."""
    request_id = call.path["budget_request_id"]
    found = call.services.budget_requests.get(call.organization_id, request_id)
    if call.viewer.role == Role.MEMBER and found.member_id != call.viewer.member_id:
        raise NotFound("There is no such request in this organization.")
    return _request(found)


def approve_budget_request(call: Call[NoQuery, BudgetApproval]) -> BudgetRequest:
    """Raise the budget."""
    made = call.services.budget_requests.approve(
        call.organization_id,
        call.path["budget_request_id"],
        amount_nusd=call.body.amount_nusd,
        until_us=microseconds(call.body.ends_at) if call.body.ends_at else 0,
        note=call.body.note,
        by_role=call.viewer.role,
        actor=call.actor,
    )
    return _request(made)


def decline_budget_request(call: Call[NoQuery, BudgetDecline]) -> BudgetRequest:
    """Leave the budget as it is."""
    made = call.services.budget_requests.decline(
        call.organization_id,
        call.path["budget_request_id"],
        note=call.body.note,
        by_role=call.viewer.role,
        actor=call.actor,
    )
    return _request(made)


def withdraw_budget_request(call: Call[NoQuery, NoBody]) -> BudgetRequest:
    """Take back what one asked for oneself; of colleagues none is there."""
    made = call.services.budget_requests.withdraw(
        call.organization_id,
        call.path["budget_request_id"],
        call.viewer.member_id,
        actor=call.actor,
    )
    return _request(made)


def _items(call: AnyCall, budget_id: str = "") -> list[BudgetItem]:
    """The budgets that the viewer may see, as they stand."""
    organization_id, services = call.organization_id, call.services
    services.drain_now()
    if call.viewer.role == Role.MEMBER:
        own = services.budget_standings.of_member(organization_id, call.viewer.member_id)
        found = [one for one in own if budget_id in {"", one.budget.budget_id}]
        budgets = list({one.budget.budget_id: one.budget for one in found}.values())
    else:
        found = services.budget_standings.all(organization_id, budget_id)
        budgets = [
            each
            for each in services.budgets.list(organization_id)
            if budget_id in {"", each.budget_id}
        ]
    return [
        _item(budget, [one for one in found if one.budget.budget_id == budget.budget_id])
        for budget in budgets
    ]


def _one(call: AnyCall, budget_id: str) -> BudgetItem:
    found = _items(call, budget_id)
    if not found:
        raise NotFound("There is no such budget, or none that concerns you.")
    return found[0]


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Words as plain texts, as they are stored."""
    return {k: str(v) if isinstance(v, StrEnum) else v for k, v in values.items()}


def _item(budget: Budget, standings: list[BudgetStanding]) -> BudgetItem:
    return BudgetItem(
        id=budget.budget_id,
        name=budget.name,
        scope=Scope(budget.scope),
        scope_id=budget.scope_id,
        per_head=budget.per_head,
        amount_nusd=budget.amount_nusd,
        window=WindowKind(budget.window),
        rolling_hours=budget.rolling_hours,
        hard=budget.hard,
        mode=HoldMode(budget.mode),
        when_unknown=WhenUnknown(budget.when_unknown),
        counts_subscription=budget.counts_subscription,
        created_at=time(budget.created_us),
        standings=[_standing(one) for one in standings],
    )


def _standing(one: BudgetStanding) -> SubjectStanding:
    band = one.band
    return SubjectStanding(
        subject=one.subject.text,
        title=one.title,
        limit_nusd=one.limit_nusd,
        raised_nusd=one.raised_nusd,
        spent_nusd=one.standing.spent_nusd,
        held_nusd=one.standing.held_nusd,
        left_nusd=one.left_nusd,
        may_exceed_nusd=one.standing.beyond_nusd,
        exhausted=one.is_exhausted,
        starts_at=time_or_none(one.window.start_us),
        resets_at=time_or_none(one.resets_us),
        projected=BudgetBand(band.low_nusd, band.high_nusd) if band else None,
    )


def _raise(made: Raise) -> BudgetRaise:
    return BudgetRaise(
        id=made.raise_id,
        subject=made.subject,
        extra_nusd=made.extra_nusd,
        starts_at=time(made.from_us),
        ends_at=time(made.until_us),
    )


def _request(record: BudgetRequestRecord) -> BudgetRequest:
    return BudgetRequest(
        id=record.request_id,
        budget_id=record.budget_id,
        subject=record.subject,
        member_id=record.member_id,
        amount_nusd=record.amount_nusd,
        reason=record.reason,
        state=RequestState(record.state),
        created_at=time(record.created_us),
        expires_at=time(record.expires_us),
        decided_at=time_or_none(record.decided_us),
        decided_by=record.decided_by,
        note=record.note,
    )


_TAG = "Budgets"
_BUDGET = "/budgets/{budget_id}"
_REQUEST = "/budget-requests/{budget_request_id}"
_ADMIN, _MEMBER = Need.ADMIN, Need.MEMBER
_AMOUNT = {"amount": "amount_nusd"}
_RAISED = {"amount": "extra_nusd", "until": "ends_at"}
OPERATIONS = (
    get("/budgets", list_budgets, need=_MEMBER, tag=_TAG),
    create(
        "/budgets",
        create_budget,
        need=_ADMIN,
        tag=_TAG,
        item=_BUDGET,
        fields=_AMOUNT,
        conflicts=True,
        may_lack=True,
    ),
    get(_BUDGET, get_budget, need=_MEMBER, tag=_TAG),
    patch(_BUDGET, update_budget, need=_ADMIN, tag=_TAG, fields=_AMOUNT),
    delete(_BUDGET, delete_budget, need=_ADMIN, tag=_TAG),
    get(f"{_BUDGET}/raises", list_budget_raises, need=_ADMIN, tag=_TAG),
    create(f"{_BUDGET}/raises", raise_budget, need=_ADMIN, tag=_TAG, fields=_RAISED),
    act(f"{_BUDGET}/raises/{{raise_id}}/end", end_budget_raise, need=_ADMIN, tag=_TAG),
    create(
        f"{_BUDGET}/requests",
        create_budget_request,
        need=_MEMBER,
        tag=_TAG,
        item=_REQUEST,
        fields=_AMOUNT,
        conflicts=True,
        forbids=True,
    ),
    get("/budget-requests", list_budget_requests, need=_MEMBER, tag=_TAG),
    get(_REQUEST, get_budget_request, need=_MEMBER, tag=_TAG),
    act(
        f"{_REQUEST}/approve",
        approve_budget_request,
        need=_ADMIN,
        tag=_TAG,
        fields=_AMOUNT | {"until": "ends_at"},
        conflicts=True,
    ),
    act(f"{_REQUEST}/decline", decline_budget_request, need=_ADMIN, tag=_TAG, conflicts=True),
    act(f"{_REQUEST}/withdraw", withdraw_budget_request, need=_MEMBER, tag=_TAG, conflicts=True),
)
