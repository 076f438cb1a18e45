"""The log as a table for other programs: its columns, and the lines of CSV and JSON.

Beside what is rounded for people stands the raw unit. CSV goes into spreadsheets, which run what
looks like a formula: such a text gets an apostrophe in front there. JSON has texts as they are.

Many rows share most of their texts. Those are written once and remembered, as 40,000 rows have to
pass in a second.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final, Protocol

import msgspec

_WHO: Final = ("member_id", "member", "member_email")
_ORIGIN: Final = (
    "key_id", "agent", "client_version", "provider", "credential_id", "billing", "dialect",
    "model_asked", "model_served", "session_id", "client_session", "parent_session_id",
    "subagent_id", "parent_agent_id", "is_title", "launch_id", "repository", "branch", "commit",
    "pull_request",
)  # fmt: skip
_FROM: Final = (*_WHO, *_ORIGIN)
_END: Final = (
    "status", "outcome", "error_code", "stream", "price_version", "price_unknown", "estimated",
    "service_tier", "speed", "region", "captured", "compression", "compression_version",
)  # fmt: skip
_MEASURES: Final = ("first_byte_us", "duration_us", "request_bytes", "response_bytes")
_TOKENS: Final = (
    "input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens",
    "output_tokens", "reasoning_tokens",
)  # fmt: skip
_COSTS: Final = (
    "input_nusd", "cache_write_5m_nusd", "cache_write_1h_nusd", "cache_read_nusd", "output_nusd",
    "extras_nusd",
)  # fmt: skip
_UPSTREAM: Final = ("upstream_request_id", "upstream_id")
_SAVED: Final = ("compression_faults", "saved_tokens_new", "saved_tokens_again", "saved_nano")
_NUMBERS: Final = (*_MEASURES, *_TOKENS, "web_searches", *_COSTS, *_SAVED)

READ: Final = ("event_id", "started_us", "member_id", *_ORIGIN, *_END, *_NUMBERS, *_UPSTREAM)
"""What the lines are made from: columns of the ledger."""
_ORIGIN_AT: Final = READ.index("member_id")
_END_AT: Final = READ.index(_END[0])
_NUMBERS_AT: Final = READ.index(_NUMBERS[0])
_UPSTREAM_AT: Final = READ.index(_UPSTREAM[0])
_FLAGS: Final = frozenset({"is_title", "stream", "price_unknown", "estimated", "captured"})

FIGURES: Final = (
    "first_byte_ms", "first_byte_us", "duration_ms", "duration_us", "request_bytes",
    "response_bytes", *_TOKENS, "tokens", "web_searches", *_COSTS, "cost_nusd",
    "compression_faults", "saved_tokens_new", "saved_tokens_again", "saved_nusd",
)  # fmt: skip
"""Whole numbers, many of them: what writes them is made for that."""
_DOLLARS: Final = ("cost_usd", "saved_usd")
_COST_AT: Final = FIGURES.index("cost_nusd")
_SAVED_AT: Final = FIGURES.index("saved_nusd")
COLUMNS: Final = (
    "time", "started_us", "request_id", *_FROM, *_END, *FIGURES, *_DOLLARS, *_UPSTREAM,
)  # fmt: skip
"""What the lines hold, in this order."""

_FORMULA: Final = re.compile(r"(^|[;\t|\r\n])(?=[\s\"']*[=+\-@＝＋－＠])|^(?=[\t\r\n])")  # noqa: RUF001
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]*")
_MOST_REMEMBERED: Final = 5_000
_MINUTE_US: Final = 60_000_000
_json: Final = msgspec.json.Encoder()
_Figures: Final = msgspec.defstruct("_Figures", [(name, int) for name in FIGURES])

Names = Callable[[str], tuple[str, str]]
"""A member's name and address."""


class Form(Protocol):
    """How a kind of file is written."""

    suffix: str
    media_type: str
    head: str

    def text(self, value: str) -> str:
        """A text as it stands in a line."""
        ...

    def fields(self, names: Sequence[str], written: Sequence[str]) -> str:
        """A part of a line, of what is written already."""
        ...

    def figures(self, rows: Sequence[tuple[Any, ...]]) -> list[str]:
        """The same of each row's values of FIGURES."""
        ...

    def line(self, parts: Sequence[str]) -> str:
        """A whole line of such parts."""
        ...

    def remark(self, told: str) -> str:
        """A last line that is no row."""
        ...


class _Csv:
    """RFC 4180: commas, CRLF, texts in quotes. UTF-8 without a mark in front."""

    suffix = "csv"
    media_type = "text/csv; charset=utf-8"
    head = ",".join(COLUMNS) + "\r\n"

    def text(self, value: str) -> str:
        if _PLAIN.fullmatch(value):
            return f'"{value}"'
        safe = _FORMULA.sub(r"\1'", value)
        return '"{}"'.format(safe.replace('"', '""'))

    def fields(self, names: Sequence[str], written: Sequence[str]) -> str:
        return ",".join(written)

    def figures(self, rows: Sequence[tuple[Any, ...]]) -> list[str]:
        return _json.encode(rows).decode()[2:-2].split("],[")

    def line(self, parts: Sequence[str]) -> str:
        return ",".join(parts) + "\r\n"

    def remark(self, told: str) -> str:
        return self.line([self.text(told)])


class _JsonLines:
    """One object a line."""

    suffix = "jsonl"
    media_type = "application/x-ndjson"
    head = ""

    def text(self, value: str) -> str:
        if _PLAIN.fullmatch(value):
            return f'"{value}"'
        return msgspec.json.encode(value).decode()

    def fields(self, names: Sequence[str], written: Sequence[str]) -> str:
        return ",".join(f'"{name}":{value}' for name, value in zip(names, written, strict=True))

    def figures(self, rows: Sequence[tuple[Any, ...]]) -> list[str]:
        return _json.encode([_Figures(*row) for row in rows]).decode()[2:-2].split("},{")

    def line(self, parts: Sequence[str]) -> str:
        return "{" + ",".join(parts) + "}\n"

    def remark(self, told: str) -> str:
        return self.line([self.fields(["incomplete"], [self.text(told)])])


CSV: Final[Form] = _Csv()
JSON_LINES: Final[Form] = _JsonLines()
FORMS: Final = {form.suffix: form for form in (CSV, JSON_LINES)}


class LogLines:
    """Writes rows, which are values of READ, as lines of a form; times are those of a zone."""

    def __init__(self, form: Form, names: Names, zone: tzinfo) -> None:
        self._form = form
        self._names = names
        self._zone = zone
        self._origins: dict[Any, str] = {}
        self._ends: dict[Any, str] = {}
        self._minutes: dict[int, tuple[str, str]] = {}
        self._texts = _Texts(form)
        self._template = form.line(
            [
                form.fields(COLUMNS[:3], ['"%s%02d.%06d%s"', "%d", "%s"]),
                "%s",  # who and from where
                "%s",  # how it ended
                "%s",  # figures
                form.fields([*_DOLLARS, *_UPSTREAM], ["%.6f", "%.6f", "%s", "%s"]),
            ]
        )

    def lines(self, rows: Sequence[tuple[Any, ...]]) -> bytes:
        """The rows as bytes of the file."""
        template, text, line = self._template, self._form.text, []
        counted = [_figures(row) for row in rows]
        for row, values, figures in zip(rows, counted, self._form.figures(counted), strict=False):
            origin, end = row[_ORIGIN_AT:_END_AT], row[_END_AT:_NUMBERS_AT]
            at_us = row[1]
            minute, rest_us = divmod(at_us, _MINUTE_US)
            begin, zone = self._minutes.get(minute) or self._minute(minute)
            line.append(
                template
                % (
                    begin, rest_us // 1_000_000, rest_us % 1_000_000, zone, at_us, text(row[0]),
                    self._origins.get(origin) or self._origin(origin),
                    self._ends.get(end) or self._end(end),
                    figures,
                    values[_COST_AT] / 1e9, values[_SAVED_AT] / 1e9,
                    text(row[_UPSTREAM_AT]), text(row[_UPSTREAM_AT + 1]),
                )
            )  # fmt: skip
        return "".join(line).encode()

    def _minute(self, minute: int) -> tuple[str, str]:
        """How times in it begin and end. Clocks are set at whole minutes."""
        if len(self._minutes) >= _MOST_REMEMBERED:
            self._minutes.clear()
        whole = datetime.fromtimestamp(minute * 60, self._zone).isoformat()
        found = self._minutes[minute] = whole[:17], whole[19:]
        return found

    def _origin(self, values: tuple[Any, ...]) -> str:
        member_id, *others = values
        who = [self._texts[text] for text in (member_id, *self._names(member_id))]
        part = self._form.fields(_FROM, [*who, *map(self._value, _ORIGIN, others)])
        return self._remember(self._origins, values, part)

    def _end(self, values: tuple[Any, ...]) -> str:
        part = self._form.fields(_END, [*map(self._value, _END, values)])
        return self._remember(self._ends, values, part)

    def _value(self, name: str, value: Any) -> str:
        if name in _FLAGS:
            return "true" if value else "false"
        return self._texts[value] if isinstance(value, str) else str(value)

    def _remember(self, known: dict[Any, str], values: tuple[Any, ...], written: str) -> str:
        if len(known) >= _MOST_REMEMBERED:
            known.clear()
        known[values] = written
        return written


def _figures(row: tuple[Any, ...]) -> tuple[int, ...]:
    """Values of FIGURES."""
    first_byte_us, duration_us, size_in, size_out, *counts = row[_NUMBERS_AT:_UPSTREAM_AT]
    new, write_5m, write_1h, read, out, reasoning, searches, *costs = counts[: -len(_SAVED)]
    return (
        (first_byte_us + 500) // 1000, first_byte_us, (duration_us + 500) // 1000, duration_us,
        size_in, size_out, new, write_5m, write_1h, read, out, reasoning,
        new + write_5m + write_1h + read + out, searches, *costs, sum(costs),
        *counts[-len(_SAVED):],
    )  # fmt: skip


class _Texts(dict[str, str]):
    """Texts as a form writes them."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form

    def __missing__(self, text: str) -> str:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        written = self[text] = self._form.text(text)
        return written
