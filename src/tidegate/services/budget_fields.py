"""What a budget can be: checked, or refused with a sentence for the field that is wrong."""

from collections.abc import Iterable
from typing import Final

import msgspec

from tidegate.core.budgets import (
    EACH,
    MAX_ROLLING_HOURS,
    Budget,
    HoldMode,
    Scope,
    WhenUnknown,
    WindowKind,
)
from tidegate.services import fields, money
from tidegate.services.errors import InvalidField, NotFound
from tidegate.store.ports import DirectoryReads

_MAX_ID_CHARS: Final = 300


class BudgetDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A budget as somebody wants it."""

    name: str = ""
    scope: str = "organization"
    scope_id: str = ""
    per_head: bool = False
    amount_nusd: int = 0
    window: str = "month"
    rolling_hours: int = 0
    hard: bool = False
    mode: str = "typical"
    when_unknown: str = "open"
    counts_subscription: bool = False


def draft_of(budget: Budget) -> BudgetDraft:
    """A budget that is there, to be changed."""
    return BudgetDraft(**{name: getattr(budget, name) for name in BudgetDraft.__struct_fields__})


def checked(reads: DirectoryReads, organization_id: str, draft: BudgetDraft) -> BudgetDraft:
    """The draft in the form that it is stored in."""
    _one_of(draft.scope, Scope, "scope")
    _one_of(draft.window, WindowKind, "window")
    _one_of(draft.mode, HoldMode, "mode")
    _one_of(draft.when_unknown, WhenUnknown, "when_unknown")
    is_rolling = draft.window == WindowKind.ROLLING
    if is_rolling and not 1 <= draft.rolling_hours <= MAX_ROLLING_HOURS:
        raise InvalidField(
            f"A rolling window is 1 to {MAX_ROLLING_HOURS} hours long.", field="rolling_hours"
        )
    if draft.per_head and draft.scope != Scope.SQUAD:
        raise InvalidField("Only a squad's budget can be per head.", field="per_head")
    return msgspec.structs.replace(
        draft,
        name=fields.display_name(draft.name, field="name") if draft.name.strip() else "",
        scope_id=_scope_id(reads, organization_id, draft.scope, draft.scope_id.strip()),
        amount_nusd=money.checked(draft.amount_nusd),
        rolling_hours=draft.rolling_hours if is_rolling else 0,
    )


def _scope_id(reads: DirectoryReads, organization_id: str, scope: str, scope_id: str) -> str:
    """Whom it is for, who must be there; repositories and sessions may come later."""
    if scope == Scope.ORGANIZATION:
        return ""
    if not scope_id or len(scope_id) > _MAX_ID_CHARS:
        raise InvalidField(f"Choose a {scope}, or {EACH} for each one by itself.", field="scope_id")
    if scope_id == EACH:
        return EACH
    if scope == Scope.SQUAD:
        found: object = reads.squad(organization_id, scope_id)
    elif scope == Scope.MEMBER:
        member = reads.member(organization_id, scope_id)
        found = member if member is not None and not member.removed_us else None
    elif scope == Scope.KEY:
        found = reads.key(organization_id, scope_id)
    else:
        return fields.plain_text(scope_id, field="scope_id")
    if found is None:
        raise NotFound(f"There is no such {scope} in this organization.", field="scope_id")
    return scope_id


def _one_of(value: str, choices: Iterable[str], field: str) -> None:
    known = list(choices)
    if value not in known:
        raise InvalidField(f"Choose one of {', '.join(known)}.", field=field)
