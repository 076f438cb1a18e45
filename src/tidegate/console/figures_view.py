"""A figure as it is shown, with the exact one beside it."""

from dataclasses import dataclass
from typing import Final

from tidegate.console import formats
from tidegate.services.team import Figures, Metric

TITLES: Final = {Metric.COST: "Cost", Metric.TOKENS: "Tokens", Metric.REQUESTS: "Requests"}


@dataclass(frozen=True, slots=True)
class Value:
    exact: int
    shown: str
    hover: str
    word: str = ""  # what it counts, for where no heading says so


def money_value(nusd: int) -> Value:
    return Value(nusd, formats.money(nusd), formats.exact_money(nusd))


def token_value(tokens: int) -> Value:
    hover = formats.plural(tokens, "token")
    return Value(tokens, formats.tokens(tokens), hover, "token" if tokens == 1 else "tokens")


def request_value(requests: int) -> Value:
    shown, word = formats.count(requests), "request" if requests == 1 else "requests"
    return Value(requests, shown, f"{shown} {word}", word)


def value_of(figures: Figures, metric: Metric) -> Value:
    match metric:
        case Metric.COST:
            return money_value(figures.cost_nusd)
        case Metric.TOKENS:
            return token_value(figures.tokens)
        case Metric.REQUESTS:
            return request_value(figures.requests)


def others_of(figures: Figures, metric: Metric) -> list[Value]:
    """The figures of the metrics that are not the chosen one."""
    return [value_of(figures, each) for each in Metric if each is not metric]


def subscription_value(figures: Figures) -> Value | None:
    """What was used on subscriptions; nothing is said of it where there was none."""
    return money_value(figures.subscription_nusd) if figures.subscription_nusd else None
