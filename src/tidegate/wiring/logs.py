"""The log: one line an event, on standard error.

The calls are those of structlog, which is not used: importing it takes 0.2 s and 10 MB of every
process, most of it for colours.
"""

import contextlib
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import IO, Any, Final

import msgspec

from tidegate.core.redaction import redact

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Log:
    """Writes events with their fields; what is bound to it is in every line."""

    def __init__(
        self, *, level: str, form: str, stream: IO[bytes], bound: dict[str, Any] | None = None
    ) -> None:
        self._level = level
        self._least = _LEVELS[level]
        self._form = form
        self._stream = stream
        self._bound = bound or {}

    def bind(self, **fields: Any) -> "Log":
        """The same log with these fields in every line."""
        return Log(
            level=self._level, form=self._form, stream=self._stream, bound=self._bound | fields
        )

    def debug(self, event: str, **fields: Any) -> None:
        self.log("debug", event, **fields)

    def info(self, event: str, **fields: Any) -> None:
        self.log("info", event, **fields)

    def warning(self, event: str, **fields: Any) -> None:
        self.log("warning", event, **fields)

    def error(self, event: str, **fields: Any) -> None:
        self.log("error", event, **fields)

    def exception(self, event: str, **fields: Any) -> None:
        """An error with the traceback of the exception that is being handled."""
        self.log("error", event, **fields, exception=traceback.format_exc())

    def log(self, level: str, event: str, **fields: Any) -> None:
        """Write one line, unless the level is too low."""
        if _LEVELS[level] < self._least:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        shown = {name: _clean(value) for name, value in (self._bound | fields).items()}
        event = redact(event)
        if self._form == "json":
            line = {"time": now, "level": level, "event": event, **shown}
            content = msgspec.json.encode(line)
        else:
            pairs = "".join(f" {name}={value}" for name, value in shown.items())
            content = f"{now} {level:7} {event}{pairs}".encode("utf-8", "replace")
        with contextlib.suppress(OSError):  # nobody reads the log any more; that must stop nothing
            self._stream.write(content + b"\n")
            self._stream.flush()


def _clean(value: Any) -> Any:
    """The value without known forms of secrets, whoever put one there."""
    match value:
        case None | bool() | int() | float():
            return value
        case list() | tuple():
            return [_clean(each) for each in value]
        case dict():
            return {str(name): _clean(each) for name, each in value.items()}
    return redact(str(value))


def make_log(*, level: str, form: str, process: str) -> Log:
    """The log of a process: text on a terminal, else JSON, unless told."""
    if form == "auto":
        form = "text" if sys.stderr.isatty() else "json"
    return Log(level=level, form=form, stream=sys.stderr.buffer, bound={"process": process})


def adopt_standard_logging(log: Log) -> None:
    """Let warnings of the libraries appear in our log."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Adopted(log)], force=True)


class _Adopted(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields = {"logger": record.name}
            if record.exc_info:
                fields["exception"] = "".join(traceback.format_exception(*record.exc_info))
            level = "error" if record.levelno >= logging.ERROR else "warning"
            self._log.log(level, record.getMessage(), **fields)
        except Exception:  # noqa: BLE001 - a log line must never break what it tells of
            self.handleError(record)
