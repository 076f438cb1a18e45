"""Ways in which other gateways counted wrong, and how ours counts the same replies.

Each test is named after what users saw: tokens doubled, left out, or moved to a dearer bucket.
"""

import json
from typing import Any

import pytest

from tidegate.core.dialects import Reported, UsageReader, usage_reader
from tidegate.core.estimate import complete
from tidegate.core.model import Dialect, TokenCounts, Usage

Event = dict[str, Any]


def event(value: Event) -> bytes:
    return f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode()


def start(**usage: Any) -> bytes:
    return event({"type": "message_start", "message": {"id": "msg_1", "usage": usage}})


def delta(**usage: Any) -> bytes:
    return event({"type": "message_delta", "delta": {}, "usage": usage})


def text(words: str = "Hello") -> bytes:
    piece = {"type": "text_delta", "text": words}
    return event({"type": "content_block_delta", "index": 0, "delta": piece})


STOP = event({"type": "message_stop"})
DONE = b"data: [DONE]\n\n"


def chunk(usage: Any = None, **fields: Any) -> bytes:
    value = {"id": "chatcmpl-1", "choices": [], "usage": usage, **fields}
    return f"data: {json.dumps(value)}\n\n".encode()


def streamed(dialect: Dialect, *chunks: bytes) -> UsageReader:
    reader = usage_reader(dialect, event_stream=True)
    for piece in chunks:
        reader.feed(piece)
    return reader


def messages(*chunks: bytes) -> Reported:
    return streamed(Dialect.MESSAGES, *chunks).reported()


def chat(*chunks: bytes) -> Reported:
    return streamed(Dialect.CHAT, *chunks).reported()


def whole(dialect: Dialect, **body: Any) -> Reported:
    reader = usage_reader(dialect, event_stream=False)
    reader.feed(json.dumps(body).encode())
    reader.finish()
    return reader.reported()


def completed(reported: Reported, dialect: Dialect = Dialect.MESSAGES) -> Usage:
    return complete(
        reported,
        dialect=dialect,
        prompt_bytes=40_000,
        previous_prompt_tokens=None,
        request_model="m",
    )


SPLIT = {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 60}


def test_cache_writes_are_not_counted_twice_for_being_reported_as_sum_and_split() -> None:
    counts = messages(
        start(input_tokens=5, cache_creation_input_tokens=100, cache_creation=SPLIT),
        delta(cache_creation_input_tokens=100, output_tokens=9),
        STOP,
    ).usage.tokens
    assert counts == TokenCounts(input=5, cache_write_5m=40, cache_write_1h=60, output=9)


def test_hour_long_cache_writes_do_not_turn_into_short_ones_by_a_later_sum() -> None:
    hour = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2000}
    counts = messages(
        start(input_tokens=5, cache_creation_input_tokens=2000, cache_creation=hour),
        delta(input_tokens=5, cache_creation_input_tokens=2000, output_tokens=9),
    ).usage.tokens
    assert (counts.cache_write_5m, counts.cache_write_1h) == (0, 2000)


def test_a_later_and_larger_sum_of_cache_writes_adds_only_its_growth() -> None:
    counts = messages(
        start(input_tokens=5, cache_creation_input_tokens=100, cache_creation=SPLIT),
        delta(input_tokens=5, cache_creation_input_tokens=130, output_tokens=9),
    ).usage.tokens
    assert (counts.cache_write_5m, counts.cache_write_1h) == (70, 60)


def test_cache_writes_of_unknown_life_are_the_ordinary_ones() -> None:
    counts = messages(start(input_tokens=5, cache_creation_input_tokens=100)).usage.tokens
    assert (counts.cache_write_5m, counts.cache_write_1h) == (100, 0)


def test_cached_tokens_of_a_stream_are_not_full_input() -> None:
    counts = messages(
        start(input_tokens=4, cache_read_input_tokens=90_000, output_tokens=1),
        text(),
        delta(input_tokens=4, cache_read_input_tokens=90_000, output_tokens=30),
        STOP,
    ).usage.tokens
    assert counts == TokenCounts(input=4, cache_read=90_000, output=30)


@pytest.mark.parametrize(
    ("dialect", "usage"),
    [
        (
            Dialect.RESPONSES,
            {
                "input_tokens": 1000,
                "input_tokens_details": {"cached_tokens": 900},
                "output_tokens": 7,
            },
        ),
        (
            Dialect.CHAT,
            {
                "prompt_tokens": 1000,
                "prompt_tokens_details": {"cached_tokens": 900},
                "completion_tokens": 7,
            },
        ),
    ],
)
def test_cached_tokens_are_not_billed_in_full_beside_the_cache(
    dialect: Dialect, usage: dict[str, Any]
) -> None:
    tokens = whole(dialect, id="x", usage=usage).usage.tokens
    assert tokens == TokenCounts(input=100, cache_read=900, output=7)
    assert tokens.total == 1007


def test_cache_reads_reported_under_three_names_count_once() -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 900},
        "cache_read_input_tokens": 900,
        "prompt_cache_hit_tokens": 900,
        "prompt_cache_miss_tokens": 100,
    }
    tokens = chat(chunk(usage), DONE).usage.tokens
    assert tokens == TokenCounts(input=100, cache_read=900, output=7)


def test_a_prompt_reported_without_its_cached_part_is_not_driven_below_zero() -> None:
    usage = {"prompt_tokens": 50, "completion_tokens": 7, "cache_read_input_tokens": 900}
    tokens = chat(chunk(usage), DONE).usage.tokens
    assert tokens == TokenCounts(input=50, cache_read=900, output=7)


def test_reasoning_is_part_of_the_output_and_not_added_to_it() -> None:
    usage = {
        "input_tokens": 10,
        "output_tokens": 500,
        "output_tokens_details": {"reasoning_tokens": 450},
    }
    tokens = whole(Dialect.RESPONSES, id="x", usage=usage).usage.tokens
    assert (tokens.output, tokens.reasoning, tokens.total) == (500, 450, 510)


def test_a_first_event_of_zeros_does_not_hide_the_real_counts() -> None:
    reported = messages(
        start(input_tokens=0, output_tokens=0),
        text(),
        delta(input_tokens=70, cache_read_input_tokens=800, output_tokens=9),
        STOP,
    )
    assert reported.usage.tokens == TokenCounts(input=70, cache_read=800, output=9)
    assert reported.prompt_known
    assert reported.output_known


def test_a_first_event_of_zeros_and_a_cancel_do_not_make_a_request_free() -> None:
    reported = messages(start(input_tokens=0, output_tokens=0), text("Hello " * 100))
    assert not reported.prompt_known
    assert not reported.output_known
    usage = completed(reported)
    assert usage.tokens.input > 8000
    assert usage.tokens.output > 100
    assert usage.estimated


@pytest.mark.parametrize(
    ("dialect", "stream"),
    [
        (
            Dialect.MESSAGES,
            [
                start(input_tokens=0, output_tokens=0),
                text("Hello " * 100),
                delta(input_tokens=0, output_tokens=0),
                STOP,
            ],
        ),
        (
            Dialect.CHAT,
            [
                chunk(choices=[{"delta": {"content": "Hello " * 100}}]),
                chunk({"prompt_tokens": 0, "completion_tokens": 0}),
                DONE,
            ],
        ),
        (
            Dialect.RESPONSES,
            [
                event(
                    {
                        "type": "response.completed",
                        "response": {"usage": {"input_tokens": 0, "output_tokens": 0}},
                    }
                )
            ],
        ),
    ],
)
def test_an_explicit_zero_is_not_replaced_by_an_estimate(
    dialect: Dialect, stream: list[bytes]
) -> None:
    usage = completed(streamed(dialect, *stream).reported(), dialect)
    assert usage.tokens == TokenCounts()
    assert not usage.estimated


def test_zeros_at_the_end_do_not_take_back_what_was_reported() -> None:
    counts = messages(
        start(input_tokens=70, cache_read_input_tokens=800, output_tokens=1),
        delta(input_tokens=0, cache_read_input_tokens=0, output_tokens=9),
    ).usage.tokens
    assert counts == TokenCounts(input=70, cache_read=800, output=9)


def test_zeros_in_the_last_chunk_do_not_take_back_what_was_reported() -> None:
    tokens = chat(
        chunk({"prompt_tokens": 70, "completion_tokens": 9}, choices=[{"delta": {}}]),
        chunk({"prompt_tokens": 0, "completion_tokens": 0}),
        DONE,
    ).usage.tokens
    assert tokens == TokenCounts(input=70, output=9)


def test_a_first_guess_is_replaced_by_what_the_end_reports() -> None:
    counts = messages(
        start(input_tokens=25_000, output_tokens=1),
        delta(input_tokens=0, cache_read_input_tokens=24_990, output_tokens=9),
    ).usage.tokens
    assert counts == TokenCounts(input=0, cache_read=24_990, output=9)


def test_repeated_usage_is_not_summed() -> None:
    counts = messages(
        start(input_tokens=70, output_tokens=1),
        delta(input_tokens=70, output_tokens=4),
        delta(input_tokens=70, output_tokens=9),
        delta(input_tokens=70, output_tokens=9),
        STOP,
    ).usage.tokens
    assert counts == TokenCounts(input=70, output=9)


def test_usage_in_every_chunk_is_not_summed() -> None:
    chunks = [chunk({"prompt_tokens": 70, "completion_tokens": n}) for n in range(1, 10)]
    tokens = chat(b"".join(chunks), DONE).usage.tokens
    assert tokens == chat(*chunks, DONE).usage.tokens == TokenCounts(input=70, output=9)


def test_a_null_does_not_erase_a_count() -> None:
    counts = messages(
        start(input_tokens=70, cache_read_input_tokens=800, output_tokens=1),
        delta(input_tokens=None, cache_read_input_tokens=None, output_tokens=9),
    ).usage.tokens
    assert counts == TokenCounts(input=70, cache_read=800, output=9)


def test_a_stream_whose_first_and_last_events_lack_usage_is_read() -> None:
    reader = streamed(
        Dialect.MESSAGES,
        event({"type": "message_start", "message": {"id": "msg_1"}}),
        delta(input_tokens=70, output_tokens=9),
        event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
        STOP,
    )
    assert reader.done
    assert reader.fault is None
    assert reader.reported().usage.tokens == TokenCounts(input=70, output=9)


def test_a_stream_without_any_usage_is_not_free() -> None:
    reported = messages(
        event({"type": "message_start", "message": {"id": "msg_1"}}), text("Hello " * 100), STOP
    )
    assert not reported.prompt_known
    assert not reported.output_known
    assert reported.output_bytes == 600
    assert completed(reported).tokens.output > 100


def test_a_chat_stream_that_was_not_asked_for_usage_is_not_free() -> None:
    reported = chat(chunk(choices=[{"delta": {"content": "Hello " * 100}}]), DONE)
    usage = completed(reported, Dialect.CHAT)
    assert usage.tokens.input > 8000
    assert usage.tokens.output > 100
    assert usage.estimated


def test_a_cancelled_stream_keeps_its_prompt_and_what_was_delivered() -> None:
    reported = messages(
        start(input_tokens=70, cache_read_input_tokens=800, output_tokens=2),
        *[text("Hello world, ") for _ in range(100)],
    )
    usage = completed(reported)
    assert reported.prompt_known
    assert (usage.tokens.input, usage.tokens.cache_read) == (70, 800)
    assert 250 < usage.tokens.output < 400
    assert usage.estimated


def test_zeros_in_the_first_event_of_a_response_are_a_place_holder() -> None:
    zeros = {"input_tokens": 0, "output_tokens": 0}
    created = {"type": "response.created", "response": {"id": "resp_1", "usage": zeros}}
    reported = streamed(Dialect.RESPONSES, event(created)).reported()
    assert not reported.prompt_known
    assert not reported.output_known


def test_a_compaction_within_a_request_is_not_left_out() -> None:
    counts = messages(
        delta(
            input_tokens=23,
            output_tokens=10,
            iterations=[
                {"type": "compaction", "input_tokens": 180, "output_tokens": 35},
                {"type": "message", "input_tokens": 23, "output_tokens": 10},
            ],
        )
    ).usage.tokens
    assert counts == TokenCounts(input=203, output=45)


def test_web_searches_are_the_last_count_and_not_the_sum_of_all() -> None:
    usage = messages(
        start(input_tokens=5, server_tool_use={"web_search_requests": 0}),
        delta(output_tokens=1, server_tool_use={"web_search_requests": 1}),
        delta(output_tokens=2, server_tool_use={"web_search_requests": 2}),
    ).usage
    assert usage.web_searches == 2


def test_a_web_search_seen_as_an_item_and_in_the_whole_response_counts_once() -> None:
    item = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search"}}
    usage = (
        streamed(
            Dialect.RESPONSES,
            event({"type": "response.output_item.done", "item": item}),
            event({"type": "response.completed", "response": {"output": [item]}}),
        )
        .reported()
        .usage
    )
    assert usage.web_searches == 1


@pytest.mark.parametrize("wrong", [-5, 1.5, True, "12", [3], {"n": 3}, 10**10, 10**40, None])
def test_garbage_for_a_count_is_unknown_and_not_a_number(wrong: Any) -> None:
    reported = messages(start(input_tokens=wrong), delta(output_tokens=wrong), STOP)
    assert reported.usage.tokens == TokenCounts()
    assert not reported.prompt_known
    assert not reported.output_known
