"""What reports are made of: a range, its buckets, and the three headline metrics."""

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.console.api_v1.operation import Call
from tidegate.console.api_v1.problems import at_field
from tidegate.console.api_v1.times import Time, time
from tidegate.core.periods import CUSTOM, Period
from tidegate.services import team
from tidegate.services.team import Metric, TeamReports

_A_MINUTE_US = 60_000_000
Money = Annotated[int, msgspec.Meta(ge=0, description="In nano-USD: 1,000,000,000 is 1 USD.")]
Count = Annotated[int, msgspec.Meta(ge=0)]
Sort = Annotated[Metric, msgspec.Meta(description="What rows are ranked by, most first.")]
Range = Annotated[
    Literal["24h", "7d", "30d", "90d", "custom"],
    msgspec.Meta(
        description="24h: this hour and the 23 before. 7d, 30d, 90d: today and the days before, in"
        " the organization's time zone. custom: from `first` to `last`."
    ),
]


class RangeQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    range: Range = "30d"
    first: Annotated[date, msgspec.Meta(description="First day of a custom range.")] | UnsetType = (
        UNSET
    )
    last: (
        Annotated[date, msgspec.Meta(description="Last day of a custom range, inclusive.")]
        | UnsetType
    ) = UNSET


class ReportPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """From `start` until before `end`; figures before are of the same length."""

    range: Range
    start: Time
    end: Time
    previous_start: Time
    previous_end: Time
    bucket: Literal["hour", "3h", "day", "week", "month", "quarter"]
    time_zone: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """`cost_nusd` is what is billed; `subscription_nusd` is what use by subscription would have
    cost at list price. Tokens are uncached input, cache writes, cache reads and output."""

    cost_nusd: Money
    subscription_nusd: Money
    tokens: Count
    requests: Count
    saved_tokens: Count  # of tool results that compression kept from being sent
    saved_nusd: Money  # what they would have been billed, see the docs on savings
    saved_subscription_nusd: Money


class Bucket(Figures, frozen=True, kw_only=True):
    start: Time


def period_of(call: Call[Any, Any]) -> Period:
    """The range that the query names; a refusal at its field if there is none."""
    query: RangeQuery = call.query
    first = None if query.first is UNSET else query.first
    last = None if query.last is UNSET else query.last
    if query.range != CUSTOM:
        for name, value in (("first", first), ("last", last)):
            if value is not None:
                raise at_field(name, "Only for range=custom.")
    return reports(call).period(call.organization_id, query.range, call.now_us, first, last)


def version_of(call: Call[Any, Any]) -> str:
    """Changes with the data, with the running bucket, and each minute for what is active now."""
    period = period_of(call)
    version = reports(call).version(call.organization_id)
    return f"{version} {period.start_us} {period.end_us} {call.now_us // _A_MINUTE_US}"


def reports(call: Call[Any, Any]) -> TeamReports:
    return call.services.team


def report_period(period: Period) -> ReportPeriod:
    return msgspec.convert(
        {
            "range": period.name,
            "start": time(period.start_us),
            "end": time(period.end_us),
            "previous_start": time(period.previous_start_us),
            "previous_end": time(period.previous_end_us),
            "bucket": period.bucket,
            "time_zone": period.time_zone,
        },
        ReportPeriod,
    )


def figures(found: team.Figures) -> Figures:
    return Figures(**_fields(found))


def buckets(period: Period, series: list[team.Figures]) -> list[Bucket]:
    return [
        Bucket(start=time(start_us), **_fields(found))
        for start_us, found in zip(period.starts, series, strict=True)
    ]


def _fields(found: team.Figures) -> dict[str, int]:
    return msgspec.structs.asdict(found)
