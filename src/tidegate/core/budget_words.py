"""What a developer is told of budgets: one sentence, and the headers that Claude Code reads."""

from datetime import tzinfo
from typing import Final

from tidegate.core import errors
from tidegate.core.budgets import Budget, BudgetRefusal, Scope, WindowKind
from tidegate.core.calendar import local_time
from tidegate.core.errors import Failure
from tidegate.core.model import NANO_PER_USD

_CENT: Final = NANO_PER_USD // 100
_SECOND_US: Final = 1_000_000
WARN_AT: Final = (95, 75)  # percent
_FULL: Final = 100
_DAY_H: Final = 24
_PERIOD: Final = {
    WindowKind.DAY: "daily",
    WindowKind.WEEK: "weekly",
    WindowKind.MONTH: "monthly",
}
_OF: Final = {
    Scope.ORGANIZATION: "Your organization's",
    Scope.SQUAD: "Your squad's",
    Scope.MEMBER: "Your",
    Scope.KEY: "This key's",
    Scope.REPOSITORY: "This repository's",
    Scope.SESSION: "This session's",
}
_PREFIX: Final = b"anthropic-ratelimit-unified-"
UNIFIED_STATUS: Final = _PREFIX + b"status"

Lines = tuple[tuple[bytes, bytes], ...]


def exceeded(refusal: BudgetRefusal, zone: tzinfo, now_us: int) -> Failure:
    """The refusal of a request that does not fit."""
    standing, limit = refusal.standing, refusal.limit_nusd
    left = limit - standing.gone_nusd
    said = [f"{words(refusal.budget)} ({usd(limit)})"]
    if left > 0 and refusal.wanted_nusd > left:
        wanted = usd(refusal.wanted_nusd, up=True)
        said.append(f" has {usd(left)} left, and this request may cost {wanted}")
    else:
        said.append(" is used up")
        if standing.held_nusd:
            said.append(f", {usd(standing.held_nusd)} of it by requests that still run")
    said.append(f". {_resets(refusal, zone)} To ask for more, run:")
    said.append(' tidegate budget request --amount 20 --reason "…"')
    return errors.budget_exceeded("".join(said), _block_headers(refusal, now_us))


def words(budget: Budget) -> str:
    """Which budget it is: `Your squad's monthly budget "Platform"`."""
    if budget.window == WindowKind.ROLLING:
        period = f"{hours_text(budget.rolling_hours).removesuffix('s')} "
    else:
        period = _PERIOD.get(WindowKind(budget.window), "")
        period += " " if period else ""
    name = f' "{budget.name}"' if budget.name else ""
    return f"{_OF[Scope(budget.scope)]} {period}budget{name}"


def hours_text(hours: int) -> str:
    """How long a rolling window is: `5 hours`, `24 hours`, `7 days`."""
    if hours > _DAY_H and hours % _DAY_H == 0:
        return f"{hours // _DAY_H:,} days"
    return "1 hour" if hours == 1 else f"{hours:,} hours"


def usd(nusd: int, *, up: bool = False) -> str:
    """An amount in whole cents; less than a cent with more digits."""
    if 0 < nusd < _CENT:
        return f"${nusd / NANO_PER_USD:.4f}"
    cents = -(-nusd // _CENT) if up else nusd // _CENT
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents) // 100:,}.{abs(cents) % 100:02}"


def _resets(refusal: BudgetRefusal, zone: tzinfo) -> str:
    if not refusal.resets_us:
        return "It does not reset."
    local = local_time(refusal.resets_us, zone)
    name = getattr(zone, "key", "") or local.tzname() or "UTC"
    when = f"{local.strftime('%A')}, {local.day} {local.strftime('%B %Y, %H:%M')} ({name})"
    if refusal.budget.window == WindowKind.ROLLING:
        return f"The oldest spend leaves it on {when}."
    return f"It resets on {when}."


def _block_headers(refusal: BudgetRefusal, now_us: int) -> Lines:
    """Without the claim and the overage's status: with them Claude Code hides the sentence."""
    fields = [
        (b"status", b"rejected"),
        (b"overage-utilization", _ratio(max(_gone_percent(refusal), _FULL))),
        (b"overage-surpassed-threshold", b"1"),
        (b"overage-disabled-reason", b"org_spend_cap_reached"),
    ]
    if (period := _PERIOD.get(WindowKind(refusal.budget.window))) is not None:
        fields.append((b"overage-period", period.encode()))
    lines = [(_PREFIX + name, value) for name, value in fields]
    if refusal.resets_us:
        reset = refusal.resets_us // _SECOND_US
        lines += [(_PREFIX + n, b"%d" % reset) for n in (b"reset", b"overage-reset")]
        lines.append((b"retry-after", b"%d" % max(1, reset - now_us // _SECOND_US)))
    return tuple(lines)


def _gone_percent(refusal: BudgetRefusal) -> int:
    return percent(refusal.standing.gone_nusd, refusal.limit_nusd)


def percent(gone_nusd: int, limit_nusd: int) -> int:
    """How much is gone, rounded down; of nothing all is."""
    return max(gone_nusd, 0) * 100 // limit_nusd if limit_nusd > 0 else _FULL


def _ratio(value: int) -> bytes:
    """Hundredths as a number."""
    return f"{value / 100:.2f}".rstrip("0").rstrip(".").encode() or b"0"


def standing_headers(gone_percent: int, resets_us: int) -> Lines:
    """What a successful answer says of the budget that is nearest to its limit."""
    threshold = next((at for at in WARN_AT if gone_percent >= at), 0)
    status = b"allowed_warning" if threshold else b"allowed"
    fields = [
        (b"status", status),
        (b"representative-claim", b"overage"),
        (b"overage-status", status),
        (b"overage-utilization", _ratio(gone_percent)),
    ]
    if threshold:
        fields.append((b"overage-surpassed-threshold", _ratio(threshold)))
    if resets_us:
        reset = b"%d" % (resets_us // _SECOND_US)
        fields += [(b"reset", reset), (b"overage-reset", reset)]
    return tuple((_PREFIX + name, value) for name, value in fields)
