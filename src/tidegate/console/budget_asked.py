"""What a member asked for, as the own pages show it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tidegate.console import formats
from tidegate.console.team_view import Moment, moment
from tidegate.store.budgets import BudgetRequestRecord

TONES: Final = {"open": "warning", "approved": "positive"}
_STATES: Final = {
    "open": "Open",
    "approved": "Approved",
    "declined": "Declined",
    "withdrawn": "Taken back",
    "expired": "Expired",
}
_FRESH_US: Final = 7 * 24 * 3_600_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for more, in a line."""

    href: str
    amount: str
    state: str
    tone: str  # of its chip
    at: Moment
    note: str  # of whoever decided


def state_words(request: BudgetRequestRecord) -> str:
    """`Open`, `Taken back`."""
    return _STATES[request.state]


def asked_view(request: BudgetRequestRecord, now_us: int, time_zone: str) -> Asked:
    """A request as whoever asked sees it."""
    return Asked(
        href=f"/budgets/requests/{request.request_id}",
        amount=formats.money(request.amount_nusd),
        state=state_words(request),
        tone=TONES.get(request.state, ""),
        at=moment(request.decided_us or request.created_us, now_us, time_zone),
        note=request.note,
    )


def newest(requests: Iterable[BudgetRequestRecord], now_us: int) -> BudgetRequestRecord | None:
    """The newest open one, else the one that was decided last, as long as that is news."""
    known = list(requests)
    waiting = [each for each in known if each.state == "open"]
    told = [
        each
        for each in known
        if each.state in {"approved", "declined"} and each.decided_us > now_us - _FRESH_US
    ]
    if waiting:
        return waiting[0]
    return max(told, key=lambda each: each.decided_us, default=None)
