"""A figure as it is shown, with the exact one beside it."""

from dataclasses import dataclass, replace
from typing import Final

from tidegate.console import formats
from tidegate.console.log_query import LogQuery
from tidegate.core.model import Billing
from tidegate.services.team import Figures, Metric

TITLES: Final = {Metric.COST: "Cost", Metric.TOKENS: "Tokens", Metric.REQUESTS: "Requests"}


@dataclass(frozen=True, slots=True)
class Value:
    exact: int
    shown: str
    hover: str
    word: str = ""  # what it counts, for where no heading says so
    href: str = ""  # the rows of the log that it sums


@dataclass(frozen=True, slots=True)
class Savings:
    money: Value  # of what is billed
    tokens: Value
    subscription: Value | None  # at list price
    share: str  # of what it would have cost, `17 %`

    @property
    def main(self) -> Value:
        """The most that can be said of it."""
        if self.money.exact:
            return self.money
        return self.subscription or self.tokens


def money_value(nusd: int) -> Value:
    return Value(nusd, formats.money(nusd), formats.exact_money(nusd))


def token_value(tokens: int) -> Value:
    hover = formats.plural(tokens, "token")
    return Value(tokens, formats.tokens(tokens), hover, "token" if tokens == 1 else "tokens")


def request_value(requests: int) -> Value:
    shown, word = formats.count(requests), "request" if requests == 1 else "requests"
    return Value(requests, shown, f"{shown} {word}", word)


def value_of(figures: Figures, metric: Metric, rows: LogQuery | None = None) -> Value:
    """The figure of a metric; it leads to its rows, if told which those are."""
    match metric:
        case Metric.COST:
            return _leading(money_value(figures.cost_nusd), rows, billing=Billing.API)
        case Metric.TOKENS:
            return _leading(token_value(figures.tokens), rows)
        case Metric.REQUESTS:
            return _leading(request_value(figures.requests), rows)


def others_of(figures: Figures, metric: Metric, rows: LogQuery | None = None) -> list[Value]:
    """The figures of the metrics that are not the chosen one."""
    return [value_of(figures, each, rows) for each in Metric if each is not metric]


def subscription_value(figures: Figures, rows: LogQuery | None = None) -> Value | None:
    """What was used on subscriptions; nothing is said of it where there was none."""
    if not figures.subscription_nusd:
        return None
    return _leading(money_value(figures.subscription_nusd), rows, billing=Billing.SUBSCRIPTION)


def savings_of(figures: Figures, rows: LogQuery | None = None) -> Savings | None:
    """What compression saved; nothing is said of it where it saved nothing."""
    if not figures.saved_tokens:
        return None
    saved, worth = figures.saved_nusd, figures.saved_subscription_nusd
    share = _share(saved, figures.cost_nusd) or _share(worth, figures.subscription_nusd)
    subscription = _leading(money_value(worth), rows, billing=Billing.SUBSCRIPTION)
    return Savings(
        money=saved_value(figures, rows),
        tokens=_leading(token_value(figures.saved_tokens), rows),
        subscription=subscription if worth else None,
        share=share,
    )


def saved_value(figures: Figures, rows: LogQuery | None = None) -> Value:
    """What would have been billed."""
    return _leading(money_value(figures.saved_nusd), rows, billing=Billing.API)


def _share(saved: int, cost: int) -> str:
    """Of what it would have cost without."""
    return formats.percent(saved, saved + cost) if saved else ""


def _leading(value: Value, rows: LogQuery | None, billing: str = "") -> Value:
    if rows is None or not value.exact:
        return value
    return replace(value, href=rows.url(billing=billing))
