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


def _leading(value: Value, rows: LogQuery | None, billing: str = "") -> Value:
    if rows is None or not value.exact:
        return value
    return replace(value, href=rows.url(billing=billing))
