"""The figures that members, repositories and charts are ranked and drawn by."""

from enum import StrEnum

import msgspec


class Metric(StrEnum):
    """What a page is sorted by."""

    COST = "cost"
    TOKENS = "tokens"
    REQUESTS = "requests"

    @property
    def field(self) -> str:
        """What the figure is called."""
        return "cost_nusd" if self is Metric.COST else self.value


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a set of requests amounts to. The cost is what is billed; what subscriptions would
    have cost at list price is apart. So is what compression saved of each."""

    cost_nusd: int = 0
    subscription_nusd: int = 0
    tokens: int = 0
    requests: int = 0
    saved_tokens: int = 0
    saved_nusd: int = 0
    saved_subscription_nusd: int = 0

    def of(self, metric: Metric) -> int:
        """The figure of a metric."""
        found: int = getattr(self, metric.field)
        return found

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            cost_nusd=self.cost_nusd + other.cost_nusd,
            subscription_nusd=self.subscription_nusd + other.subscription_nusd,
            tokens=self.tokens + other.tokens,
            requests=self.requests + other.requests,
            saved_tokens=self.saved_tokens + other.saved_tokens,
            saved_nusd=self.saved_nusd + other.saved_nusd,
            saved_subscription_nusd=self.saved_subscription_nusd + other.saved_subscription_nusd,
        )

    def __sub__(self, other: "Figures") -> "Figures":
        return Figures(
            cost_nusd=self.cost_nusd - other.cost_nusd,
            subscription_nusd=self.subscription_nusd - other.subscription_nusd,
            tokens=self.tokens - other.tokens,
            requests=self.requests - other.requests,
            saved_tokens=self.saved_tokens - other.saved_tokens,
            saved_nusd=self.saved_nusd - other.saved_nusd,
            saved_subscription_nusd=self.saved_subscription_nusd - other.saved_subscription_nusd,
        )
