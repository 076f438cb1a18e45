"""Streams of services that end without [DONE], one event a read."""

import pytest

from tidegate.core.dialects import usage_reader
from tidegate.core.model import Dialect

FIRST = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
USAGE = b'"usage":{"prompt_tokens":7,"completion_tokens":2}'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
BOTH = FINISH.replace(b"}]}", b"}]," + USAGE + b"}")
WITH_USAGE = FIRST.replace(b"}]}", b"}]," + USAGE + b"}")
UNUSUAL = b'data: {"choices":[{"index":0,"content_filter":{}}]}\n\n'


@pytest.mark.parametrize(
    ("events", "ended"),
    [
        ([FIRST, FINISH], True),
        ([FIRST, WITH_USAGE, BOTH], True),
        ([FIRST, FINISH, UNUSUAL], True),
        ([FIRST, FINISH, WITH_USAGE], True),
        ([FIRST, WITH_USAGE], False),
    ],
    ids=["finish", "usage in each", "an event after it", "usage after it", "cut"],
)
def test_a_finish_reason_is_an_end_however_it_is_read(events: list[bytes], ended: bool) -> None:
    for reads in (events, [b"".join(events)]):
        reader = usage_reader(Dialect.CHAT, event_stream=True)
        for read in reads:
            reader.feed(read)
        reader.finish()
        assert reader.done is ended
