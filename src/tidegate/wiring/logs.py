"""The log: one line an event, on standard error."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def make_log(*, level: str, form: str, process: str) -> FilteringBoundLogger:
    """A logger of its own: nothing global is set, so every process passes it on."""
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    final: list[Any] = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()), _encoded]
    if not as_text:
        final = [structlog.processors.dict_tracebacks, _as_json]
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.BytesLogger(sys.stderr.buffer),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            *final,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        process=process,
    )
    return log


def adopt_standard_logging(log: FilteringBoundLogger) -> None:
    """Let warnings of the libraries appear in our log."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Adopted(log)], force=True)


class _Adopted(logging.Handler):
    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._log.log(
                min(record.levelno, logging.ERROR),
                record.getMessage(),
                logger=record.name,
                exc_info=record.exc_info or None,
            )
        except Exception:  # noqa: BLE001 - a log line must never break what it tells of
            self.handleError(record)


def _as_json(_log: Any, _name: str, event: MutableMapping[str, Any]) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def _encoded(_log: Any, _name: str, event: Any) -> bytes:
    return str(event).encode("utf-8", "replace")
