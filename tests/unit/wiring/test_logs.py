"""The log: one line an event, whatever it is given, and harmless when nobody reads it."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.planted import EVERY, telling

from tidegate.wiring.logs import Log, adopt_standard_logging


class Lines(io.BytesIO):
    @property
    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


class Closed(io.BytesIO):
    def write(self, _content: object) -> int:
        raise BrokenPipeError


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def standard_logging() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_is_one_json_object(lines: Lines) -> None:
    log = Log(level="info", form="json", stream=lines).bind(process="worker-1")
    log.bind(child="x").info("two\nlines", path=Path("/a"), fault=ValueError("é"), n=1)
    (event,) = lines.events
    time = str(event.pop("time"))
    assert time.endswith("Z")
    assert event == {
        "level": "info",
        "event": "two\nlines",
        "process": "worker-1",
        "child": "x",
        "path": "/a",
        "fault": "é",
        "n": 1,
    }


def test_levels(lines: Lines) -> None:
    log = Log(level="warning", form="json", stream=lines)
    for write in (log.debug, log.info, log.warning, log.error):
        write("told")
    assert [event["level"] for event in lines.events] == ["warning", "error"]


def test_text_for_people(lines: Lines) -> None:
    Log(level="info", form="text", stream=lines, bound={"process": "console"}).info("ready", n=2)
    assert lines.getvalue().decode().split(" ", 1)[1] == "info    ready process=console n=2\n"


def test_an_exception_is_told_with_its_traceback(lines: Lines) -> None:
    log = Log(level="info", form="json", stream=lines)
    try:
        raise KeyError("here")
    except KeyError:
        log.exception("failed")
    assert "KeyError: 'here'" in str(lines.events[0]["exception"])


def test_a_reader_that_is_gone_stops_nothing() -> None:
    Log(level="info", form="json", stream=Closed()).error("told to nobody")


@pytest.mark.usefixtures("standard_logging")
def test_warnings_of_libraries_appear(lines: Lines) -> None:
    adopt_standard_logging(Log(level="info", form="json", stream=lines))
    library = logging.getLogger("some.library")
    library.info("not this")
    library.warning("mind %s", "the gap")
    library.critical("this too", exc_info=ValueError("why"))
    library.error("%d", "not a number")
    first, second, *_ = lines.events
    assert (first["level"], first["event"], first["logger"]) == (
        "warning",
        "mind the gap",
        "some.library",
    )
    assert second["level"] == "error"
    assert "ValueError: why" in str(second["exception"])


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_known_form_of_a_secret_gets_into_a_line(lines: Lines, form: str) -> None:
    log = Log(level="debug", form=form, stream=lines)
    for kind, secret in EVERY:
        log.bind(bound=secret).error(
            f"failed with {secret}", fault=ValueError(secret), many=[secret, {"deep": secret}]
        )
        try:
            raise RuntimeError(secret)
        except RuntimeError:
            log.exception("failed")
        assert telling(kind, secret) not in lines.getvalue().decode(), kind
    if form == "json":
        assert len(lines.events) == 2 * len(EVERY)
