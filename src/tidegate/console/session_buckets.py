"""The tokens of a session by bucket: how many, at which rate, what they cost, and what part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.console import charts, formats
from tidegate.console.formats import DASH
from tidegate.console.log_compression import BUCKETS, TOOL_CLASSES
from tidegate.core.model import Cost, ToolSaving
from tidegate.services.session_reports import AgentSums, ModelSums

_ORDER: Final = ("cache_read", "cache_write_5m", "cache_write_1h", "input", "output")
_EXTRAS: Final = "extras"
_MILLION: Final = 1_000_000
_RATE_STEP: Final = 100_000  # list prices are multiples of $0.0001 per million


@dataclass(frozen=True, slots=True)
class BucketLine:
    name: str
    title: str
    tokens: str
    rate: str
    cost: str
    share: str
    x: str  # of its part of the bar; empty: too little to draw
    width: str


@dataclass(frozen=True, slots=True)
class BucketsView:
    lines: list[BucketLine]
    reasoning: str  # tokens, empty for none
    tokens: str
    cost: str
    shows_costs: bool


@dataclass(frozen=True, slots=True)
class ToolLine:
    title: str
    results: str
    before: str
    after: str
    kept: str  # percent, for a meter
    kept_text: str
    saved: str  # tokens


def buckets_view(agents: Sequence[AgentSums], *, shows_costs: bool = True) -> BucketsView:
    """All models' tokens added up; a rate is told where there was just one."""
    models = [model for agent in agents for model in agent.models]
    costs = {name: sum(getattr(m.cost, name) for m in models) for name in (*_ORDER, _EXTRAS)}
    tokens = {name: sum(getattr(m.tokens, name) for m in models) for name in _ORDER}
    total = sum(costs.values())
    lines, at = [], 0.0
    for name in (*_ORDER, _EXTRAS):
        if name == _EXTRAS and not costs[name]:
            continue
        part = 100 * costs[name] / total if total else 0.0
        drawn = shows_costs and part > 0
        lines.append(
            BucketLine(
                name=name,
                title=BUCKETS.get(name, "Web searches"),
                tokens=formats.count(tokens[name]) if name in tokens else DASH,
                rate=_rate_text(models, name),
                cost=formats.fine_money(costs[name]) if costs[name] else DASH,
                share=_percent(costs[name], total),
                x=charts.percent(at) if drawn else "",
                width=charts.percent(part) if drawn else "",
            )
        )
        at += part
    reasoning = sum(model.tokens.reasoning for model in models)
    return BucketsView(
        lines=lines,
        reasoning=formats.count(reasoning) if reasoning else "",
        tokens=formats.count(sum(tokens.values())),
        cost=formats.fine_money(total),
        shows_costs=shows_costs,
    )


def tool_lines(savings: Sequence[ToolSaving]) -> list[ToolLine]:
    """Tool results by class, what was saved most first."""
    ranked = sorted(savings, key=lambda s: (s.tokens_after - s.tokens_before, s.tool_class))
    return [
        ToolLine(
            title=TOOL_CLASSES.get(each.tool_class, each.tool_class),
            results=formats.count(each.results),
            before=formats.tokens(each.tokens_before),
            after=formats.tokens(each.tokens_after),
            kept=charts.percent(min(100.0, 100 * each.tokens_after / (each.tokens_before or 1))),
            kept_text=formats.percent(each.tokens_after, each.tokens_before)
            if each.tokens_before
            else DASH,
            saved=formats.tokens(max(0, each.tokens_before - each.tokens_after)),
        )
        for each in ranked
        if each.results
    ]


def rate_of(models: Sequence[ModelSums], name: str) -> int | None:
    """Nano-dollars per million tokens of a bucket, if all of it had the same.

    Costs are rounded once for each request, so a sum may be half a nano-dollar off for each.
    """
    rates = set()
    for model in models:
        tokens, cost = getattr(model.tokens, name), getattr(model.cost, name)
        if not tokens:
            continue
        rate = round(cost * _MILLION / tokens / _RATE_STEP) * _RATE_STEP
        if abs(rate * tokens - cost * _MILLION) > _MILLION * (model.requests / 2 + 1):
            return None
        rates.add(rate)
    return rates.pop() if len(rates) == 1 else None


def cost_of(models: Sequence[ModelSums]) -> int:
    return sum(model.cost.total for model in models)


def _rate_text(models: Sequence[ModelSums], name: str) -> str:
    if name not in Cost.__struct_fields__ or name == _EXTRAS:
        return DASH
    rate = rate_of(models, name)
    return DASH if rate is None else formats.exact_money(rate)


def _percent(part: int, whole: int) -> str:
    """`35.7 %`."""
    if not part or not whole:
        return DASH
    permille = round(1000 * part / whole)
    return f"{permille // 10}.{permille % 10} %" if permille else "<0.1 %"
