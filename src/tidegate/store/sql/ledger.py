"""Usage events as rows of the ledger, and back."""

from collections.abc import Mapping
from typing import Any, Final

from tidegate.core.model import Cost, TokenCounts, UsageEvent

_MAX_INTEGER: Final = (1 << 63) - 1
_TOKENS: Final = {name: f"{name}_tokens" for name in TokenCounts.__struct_fields__}
_COSTS: Final = {name: f"{name}_nusd" for name in Cost.__struct_fields__}
_PLAIN: Final = [n for n in UsageEvent.__struct_fields__ if n not in {"tokens", "cost"}]

Row = dict[str, Any]


def row_of(event: UsageEvent) -> Row:
    """The ledger's row of an event, with nothing in it that a database refuses."""
    row: Row = {name: _storable(getattr(event, name)) for name in _PLAIN}
    for name, column in _TOKENS.items():
        row[column] = _storable(getattr(event.tokens, name))
    for name, column in _COSTS.items():
        row[column] = _storable(getattr(event.cost, name))
    return row


def event_of(row: Mapping[str, Any]) -> UsageEvent:
    """The event that a row was made from."""
    plain = {name: row[name] for name in _PLAIN}
    tokens = TokenCounts(**{name: row[column] for name, column in _TOKENS.items()})
    cost = Cost(**{name: row[column] for name, column in _COSTS.items()})
    return UsageEvent(**plain, tokens=tokens, cost=cost)


def cost_nusd(row: Mapping[str, Any]) -> int:
    """The total cost of a row."""
    return sum(row[column] for column in _COSTS.values())


def _storable(value: str | int) -> str | int:
    if isinstance(value, str):
        return value.replace("\0", "�") if "\0" in value else value
    return value if -_MAX_INTEGER <= value <= _MAX_INTEGER else _MAX_INTEGER
