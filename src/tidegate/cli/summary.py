"""What a launch used, in one line for a person."""

from datetime import datetime
from typing import Final

from tidegate.cli.server_api import LaunchUsage

_NANO_PER_CENT: Final = 10_000_000
_NANO_PER_USD: Final = 1_000_000_000


def summary_line(usage: LaunchUsage, *, debugged: bool = False) -> str:
    """What was used, or nothing if there was no request; `debugged` if bodies were stored."""
    if usage.requests == 0:
        return ""
    word = "request" if usage.requests == 1 else "requests"
    about = "about " if usage.estimated else ""
    parts = [f"{usage.requests:,} {word}", f"{about}{_short(usage.tokens)} tokens"]
    parts += _costs(usage)
    if usage.saved_tokens:
        parts.append(f"{_short(usage.saved_tokens)} tokens saved by compression")
    return "Tidegate: " + ", ".join(parts) + _debug(usage, debugged=debugged)


def local_time_text(at: datetime) -> str:
    """`22 Nov 2026, 14:02`, by the clock of this machine."""
    local = at.astimezone()
    return f"{local.day} {local:%b %Y, %H:%M}"


def _debug(usage: LaunchUsage, *, debugged: bool) -> str:
    if usage.debug_until is not None:
        until = local_time_text(usage.debug_until)
        return f". Debug mode is on until {until}: requests and answers are stored."
    return ". Debug mode was on: requests and answers are stored." if debugged else ""


def _costs(usage: LaunchUsage) -> list[str]:
    subscription = usage.subscription_cost_nusd
    billed = usage.cost_nusd - subscription
    costs = []
    if billed or not subscription:
        costs.append(usd(billed))
    if subscription:
        costs.append(f"{usd(subscription)} at list price on your own login")
    return costs


def usd(nusd: int) -> str:
    """An amount of nano-USD for people; less than a cent with more digits."""
    if 0 < nusd < _NANO_PER_CENT:
        return f"${nusd / _NANO_PER_USD:.4f}"
    return f"${nusd / _NANO_PER_USD:,.2f}"


def _short(number: int) -> str:
    for unit, mark in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")):
        if number >= unit:
            return f"{number / unit:.3g} {mark}"
    return str(number)
