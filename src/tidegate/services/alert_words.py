"""What alerts and their rules say, in sentences with the values of the moment."""

from datetime import tzinfo
from typing import Final

from tidegate.core.alerts import EACH, Reading, Rule, RuleKind, Scope
from tidegate.core.budget_words import hours_text
from tidegate.core.calendar import local_time

KINDS: Final = {
    RuleKind.BUDGET: "Budget",
    RuleKind.SPEND: "Spend",
    RuleKind.ERRORS: "Errors",
    RuleKind.PRICES: "Unknown prices",
    RuleKind.BACKLOG: "Ledger behind",
    RuleKind.SILENCE: "Silent gateway",
}
_EVERYONE: Final = "The organization"
_ANY: Final = {
    Scope.ORGANIZATION: "the organization",
    Scope.MEMBER: "any member",
    Scope.KEY: "any coding agent of a member",
    Scope.REPOSITORY: "any repository",
}
_CENT_NUSD: Final = 10_000_000


def usd(nusd: int) -> str:
    """`$1,284.20`; more digits where cents are not enough."""
    if 0 < nusd < _CENT_NUSD:
        return f"${nusd / 1_000_000_000:.4f}"
    cents = nusd // _CENT_NUSD
    return f"${cents // 100:,}.{cents % 100:02d}"


def quantity(kind: str, value: int) -> str:
    """A value or threshold with its unit."""
    match RuleKind(kind):
        case RuleKind.BUDGET | RuleKind.ERRORS:
            return f"{value} %"
        case RuleKind.SPEND:
            return usd(value)
        case RuleKind.PRICES:
            return _many(value, "request")
        case RuleKind.BACKLOG:
            return _many(value, "minute")
        case RuleKind.SILENCE:
            return _many(value, "hour")


def rule_title(rule: Rule) -> str:
    """What a rule is called."""
    return rule.name or KINDS[RuleKind(rule.kind)]


def fired_sentence(rule: Rule, reading: Reading, threshold: int, passed: tuple[int, ...]) -> str:
    """What was reached, with the values of the moment."""
    sentence = _reached(rule, reading, threshold)
    if passed:
        lower = _listed([quantity(rule.kind, each) for each in passed], "and")
        were = "was" if len(passed) == 1 else "were"
        sentence += f" {lower} {were} passed at the same time."
    return sentence


def _reached(rule: Rule, reading: Reading, threshold: int) -> str:
    name, value = reading.name or _EVERYONE, quantity(rule.kind, reading.value)
    match RuleKind(rule.kind):
        case RuleKind.BUDGET:
            spent = f"{usd(reading.amount)} of {usd(reading.limit)}"
            window = f" {reading.window_name}" if reading.window_name else ""
            blocked = " Further requests are refused." if reading.hard and threshold >= 100 else ""
            return f"{name} reached {threshold} % of its budget: {spent}{window}.{blocked}"
        case RuleKind.SPEND:
            limit = usd(threshold)
            return f"{name} spent {value} in {_last(rule.window_hours)}: {limit} or more."
        case RuleKind.ERRORS:
            of = f"{reading.amount:,} of {_many(reading.limit, 'request')}"
            whose, when = _possessive(name), _last(rule.window_hours)
            return f"{value} of {whose} requests failed in {when}: {of}."
        case RuleKind.PRICES:
            return (
                f"The price of {name} is not known: {value} in {_last(rule.window_hours)}."
                " What it costs is a guess until its rates are set."
            )
        case RuleKind.BACKLOG:
            of = f" of {reading.name}" if reading.name else ""
            return (
                f"The ledger{of} is {value} behind. Reports and budgets do not show the newest"
                " requests; look at the server's log and its disk."
            )
        case RuleKind.SILENCE:
            return (
                f"No request came for {value}, though there were some at this time a week ago."
                " Look whether the gateway runs and can be reached."
            )


def ended_sentence(rule: Rule, name: str, threshold: int, value: int) -> str:
    """That it is over."""
    of = f" of {name}" if name else ""
    name, limit = name or _EVERYONE, quantity(rule.kind, threshold)
    now = quantity(rule.kind, value)
    match RuleKind(rule.kind):
        case RuleKind.BUDGET:
            return f"{name} is below {limit} of its budget again: {now}."
        case RuleKind.SPEND:
            return f"{name} spent less than {limit} in {_last(rule.window_hours)} again: {now}."
        case RuleKind.ERRORS:
            return f"Fewer than {limit} of {_possessive(name)} requests fail again: {now}."
        case RuleKind.PRICES:
            return f"No request to {name} had an unknown price in {_last(rule.window_hours)}."
        case RuleKind.BACKLOG:
            return f"The ledger{of} is up to date again: {now} behind."
        case RuleKind.SILENCE:
            return "Requests come again."


def rule_sentence(rule: Rule, name: str = "") -> str:
    """What a rule does; `name` is that of the one subject it watches, if it is one."""
    levels = _listed([quantity(rule.kind, each) for each in rule.thresholds], "or")
    each = rule.scope_id == EACH
    match RuleKind(rule.kind):
        case RuleKind.BUDGET:
            whose = "any budget" if each else f"the budget of {name}"
            return f"Tells you when {levels} of {whose} is spent, once in each of its windows."
        case RuleKind.SPEND:
            who = _who(rule, name)
            return f"Tells you when {who} spends {levels} within {_span(rule.window_hours)}."
        case RuleKind.ERRORS:
            of = f" and there are at least {_many(rule.minimum, 'request')}" if rule.minimum else ""
            whose = _possessive(_who(rule, name))
            return (
                f"Tells you when {levels} of {whose} requests fail within"
                f" {_span(rule.window_hours)}{of}."
            )
        case RuleKind.PRICES:
            return (
                f"Tells you when {levels} within {_span(rule.window_hours)} went to a model whose"
                " price is not known."
            )
        case RuleKind.BACKLOG:
            return f"Tells you when the ledger is {levels} behind the gateway."
        case RuleKind.SILENCE:
            return (
                f"Tells you when no request came for {levels}, though there were some at that time"
                " a week before."
            )


def moment_text(at_us: int, zone: tzinfo) -> str:
    """`3 Nov 2026, 14:02 (Europe/Berlin)`."""
    at = local_time(at_us, zone)
    return f"{at.day} {at:%b %Y, %H:%M} ({zone})"


def _who(rule: Rule, name: str) -> str:
    if rule.scope != Scope.ORGANIZATION and rule.scope_id != EACH:
        return name or "someone who is gone"
    return _ANY[Scope(rule.scope)]


def _possessive(name: str) -> str:
    return f"{name}’{'' if name.endswith('s') else 's'}"  # noqa: RUF001 - as it is printed


def _last(hours: int) -> str:
    return f"the last {_span(hours)}" if hours != 1 else "the last hour"


def _span(hours: int) -> str:
    return "an hour" if hours == 1 else hours_text(hours)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _listed(texts: list[str], word: str) -> str:
    *most, last = texts
    return f"{', '.join(most)} {word} {last}" if most else last
