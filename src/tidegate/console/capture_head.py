"""What stands above every part of the viewer: which request it is, what is left of its capture."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.console import formats, period_text
from tidegate.console.agent_marks import AgentMark, agent_mark
from tidegate.console.capture_text import visible
from tidegate.console.log_query import ALL_TIME, PATH, LogQuery
from tidegate.console.log_rows import Ending, RowTime, ending, row_time
from tidegate.core.calendar import local_time
from tidegate.core.captures import Capture, Part
from tidegate.core.model import Dialect, UsageEvent
from tidegate.services.request_log import LogDetail

PARTS: Final = {
    "messages": "Messages",
    "body": "Body",
    "headers": "Headers",
    "response": "Response",
    "compare": "Compare",
}
_DAY_US: Final = 86_400_000_000
_ARRIVES_US: Final = 60_000_000
_DIALECTS: Final = (
    ("/responses", Dialect.RESPONSES),
    ("/chat/completions", Dialect.CHAT),
)
_DIALECT_TITLES: Final = {
    Dialect.MESSAGES: "Anthropic Messages",
    Dialect.RESPONSES: "OpenAI Responses",
    Dialect.CHAT: "Chat Completions",
}


@dataclass(frozen=True, slots=True)
class Tab:
    title: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class Head:
    """`time`, `member` and what else the log knows are None when its row is gone."""

    event_id: str
    row_href: str
    tabs: list[Tab]
    time: RowTime | None
    member: str
    agent: AgentMark | None
    ending: Ending | None
    facts: list[tuple[str, str]]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is nothing to read, in words."""

    title: str
    text: str


def head(
    capture: Capture, detail: LogDetail | None, part: str, *, days: int, now_us: int, zone_name: str
) -> Head:
    event = detail.event if detail else None
    zone = ZoneInfo(zone_name)
    today = local_time(now_us, zone).date()
    path = f"{PATH}/{capture.event_id}"
    return Head(
        event_id=capture.event_id,
        row_href=LogQuery(range=ALL_TIME, ids=capture.event_id).with_row(capture.event_id),
        tabs=[
            Tab(title, f"{path}/capture?part={name}", name == part) for name, title in PARTS.items()
        ],
        time=row_time(event.started_us, zone_name, today) if event else None,
        member=(detail.member or detail.event.member_id) if detail else "",
        agent=agent_mark(event.agent) if event else None,
        ending=ending(event.status, event.outcome, event.error_code) if event else None,
        facts=list(_facts(capture, event, days, zone)),
        notes=list(_notes(capture, event)),
    )


def dialect_of(capture: Capture, event: UsageEvent | None) -> Dialect:
    """As the log has it, else by the path."""
    if event is not None and event.dialect in set(Dialect):
        return Dialect(event.dialect)
    path = capture.path.partition("?")[0].rstrip("/")
    return next((dialect for end, dialect in _DIALECTS if path.endswith(end)), Dialect.MESSAGES)


def absence(detail: LogDetail | None, told: str, *, days: int, now_us: int) -> Absence:
    """Why a capture is not there: never made, past its time, deleted, or not there yet."""
    if detail is None or detail.capture_kept:
        return Absence("This capture cannot be shown", told)
    if not detail.event.captured:
        return Absence(
            "This request was not captured",
            "Debug mode was off for its key. It is switched on for a time where the agent is"
            " managed, on the Team page.",
        )
    age_us = now_us - detail.event.started_us
    kept = formats.plural(days, "day")
    if age_us >= days * _DAY_US:
        return Absence(
            "This capture is older than the retention",
            f"Your organization keeps captures for {kept}; after that they are deleted for good."
            " The request itself is still in the log.",
        )
    if age_us < _ARRIVES_US + detail.event.duration_us:
        return Absence(
            "This capture is not here yet",
            "It is moved here within seconds of the end of the request. Reload the page.",
        )
    return Absence(
        "This capture is not here",
        f"It was deleted before its {kept} were over, or it could not be kept: more was captured"
        " than there was room for.",
    )


def _facts(
    capture: Capture, event: UsageEvent | None, days: int, zone: ZoneInfo
) -> Iterator[tuple[str, str]]:
    if event and (event.model_served or event.model_asked):
        yield "Model", visible(event.model_served or event.model_asked)
    yield "Speaks", _DIALECT_TITLES[dialect_of(capture, event)]
    sizes = f"{_size(capture.received)} in, {_size(capture.response)} out"
    yield "Size", sizes
    first = formats.duration(capture.first_byte_us) if capture.first_byte_us else formats.DASH
    yield "First byte", f"{first}, total {formats.duration(capture.duration_us)}"
    if event:
        at = local_time(event.started_us + days * _DAY_US, zone)
        yield "Kept until", f"{period_text.date_text(at)}, {at:%H:%M}"


def _notes(capture: Capture, event: UsageEvent | None) -> Iterator[str]:
    if event is None:
        yield "The row of this request is not in the log any more."
    if capture.sent is None:
        yield "It was never sent to the provider: Tidegate answered by itself."
    if capture.truncated:
        yield "It is not whole: bodies are kept up to a size, and this one is larger."


def _size(part: Part) -> str:
    size = len(part.body) + part.truncated_bytes
    if size < 10_000:
        return formats.plural(size, "byte")
    kilobytes = size / 1000
    return f"{kilobytes:,.0f} KB" if kilobytes < 1000 else f"{kilobytes / 1000:,.1f} MB"
