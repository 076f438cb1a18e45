"""The usage event of a request whose worker ended before it did."""

import msgspec

from tidegate.core.dialects import Reported
from tidegate.core.estimate import complete
from tidegate.core.model import Dialect, Outcome, RequestStart, Usage, UsageEvent
from tidegate.core.pricing import PriceBook, price

_NOTHING_REPORTED = Reported(
    usage=Usage(), prompt_known=False, output_known=False, output_bytes=0, output_deltas=0
)


def crashed_event(start: RequestStart, book: PriceBook) -> UsageEvent:
    """The start's event with its prompt estimated and priced; what was answered nobody knows.

    The same start makes the same event, whoever finds it.
    """
    event = start.event
    usage = complete(
        _NOTHING_REPORTED,
        dialect=Dialect(event.dialect),
        prompt_bytes=start.prompt_bytes,
        previous_prompt_tokens=start.previous_prompt_tokens,
        request_model=event.model_asked,
    )
    priced = price(
        book,
        provider=event.provider,
        model=event.model_asked,
        usage=usage,
        at_us=event.started_us,
        price_table=start.price_table,
    )
    return msgspec.structs.replace(
        event,
        outcome=Outcome.CRASHED,
        tokens=usage.tokens,
        estimated=True,
        cost=priced.cost,
        price_version=priced.price_version,
        price_unknown=priced.price_unknown,
    )
