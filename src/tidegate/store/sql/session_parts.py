"""What a batch's requests of each agent of a session used of each model, added up once."""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from tidegate.core.model import Billing, Outcome
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import Row, cost_nusd

Summed = Mapping[tuple[str, ...], tuple[Sequence[Row], Mapping[str, Any]]]
"""Rows and their sums by organization, session, sub-agent and model."""

_NO_ERROR: Final = frozenset({Outcome.OK.value, Outcome.CANCELLED.value})
_SAVED: Final = ("saved_tokens_new", "saved_tokens_again", "saved_nano")
_SUMMED: Final = (*t.TOKEN_COLUMNS, *t.COST_COLUMNS, *_SAVED)
_numbers: Final = itemgetter(*_SUMMED)
_saved: Final = itemgetter(*_SAVED)
_counted: Final = itemgetter(*t.COUNTED_TOKENS)


def summed(rows: Iterable[Row]) -> Summed:
    """Rows that have a session, with what they add up to."""
    parts: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if session_id := row["session_id"]:
            model = row["model_served"] or row["model_asked"]
            key = (row["organization_id"], session_id, row["subagent_id"], model)
            parts.setdefault(key, []).append(row)
    return {key: (of_part, _sums(of_part)) for key, of_part in parts.items()}


def _sums(rows: Sequence[Row]) -> dict[str, Any]:
    """All that sessions, runs and parts have sums of."""
    totals = map(sum, zip(*map(_numbers, rows), strict=True))
    sums: dict[str, Any] = dict(zip(_SUMMED, totals, strict=True))
    new, again, saved_nusd = _saved(sums)
    sums["saved_tokens"], sums["saved_nusd"] = new + again, saved_nusd
    sums["requests"] = len(rows)
    sums["tokens"] = sum(_counted(sums))
    sums["cost_nusd"] = cost_nusd(sums)
    sums["subscription_cost_nusd"] = sum(
        cost_nusd(row) for row in rows if row["billing"] == Billing.SUBSCRIPTION
    )
    sums["errors"] = sum(row["outcome"] not in _NO_ERROR for row in rows)
    sums["first_us"] = min(row["started_us"] for row in rows)
    sums["last_us"] = max(row["started_us"] + row["duration_us"] for row in rows)
    return sums
