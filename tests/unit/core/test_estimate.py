"""Completing what the upstream left out, and only that."""

import pytest

from tidegate.core.dialects import Reported
from tidegate.core.estimate import complete, output_tokens, prompt_tokens, text_bytes
from tidegate.core.model import Dialect, TokenCounts, Usage

REPORTED = Usage(
    tokens=TokenCounts(input=10, cache_write_5m=3, cache_read=700, output=2), model_served="m"
)


def completed(
    reported: Reported, dialect: Dialect = Dialect.MESSAGES, previous: int | None = None
) -> Usage:
    return complete(
        reported,
        dialect=dialect,
        prompt_bytes=40_000,
        previous_prompt_tokens=previous,
        request_model="gpt-5",
    )


def test_a_full_report_is_left_alone() -> None:
    assert completed(Reported(REPORTED, True, True, 9999, 9)) == REPORTED


def test_an_explicit_zero_is_not_replaced_by_an_estimate() -> None:
    assert completed(Reported(Usage(), True, True)) == Usage()


def test_a_cancelled_stream_keeps_the_reported_prompt_to_the_token() -> None:
    usage = completed(Reported(REPORTED, True, False, output_bytes=4100), previous=5)
    assert usage.tokens == TokenCounts(input=10, cache_write_5m=3, cache_read=700, output=1000)
    assert usage.estimated
    assert usage.model_served == "m"


def test_an_estimate_is_never_below_what_was_reported_of_the_output() -> None:
    usage = completed(Reported(REPORTED, True, False, output_bytes=1))
    assert usage.tokens.output == 2


def test_a_missing_prompt_leaves_the_reported_output() -> None:
    usage = completed(Reported(Usage(tokens=TokenCounts(output=50)), False, True))
    assert usage.tokens.output == 50
    assert usage.tokens.input == pytest.approx(9000, rel=0.1)
    assert usage.estimated


def test_nothing_delivered_and_nothing_reported_is_still_marked() -> None:
    usage = completed(Reported(REPORTED, True, False))
    assert usage.tokens == REPORTED.tokens
    assert usage.estimated


@pytest.mark.parametrize(
    ("dialect", "previous", "read"),
    [
        (Dialect.MESSAGES, 6000, 6000),
        (Dialect.RESPONSES, 6000, 6000),
        (Dialect.CHAT, 6000, 0),
        (Dialect.MESSAGES, None, 0),
        (Dialect.MESSAGES, 0, 0),
        (Dialect.MESSAGES, -5, 0),
        (Dialect.MESSAGES, 10**9, None),
    ],
)
def test_as_much_as_the_previous_prompt_counts_as_read_from_the_cache(
    dialect: Dialect, previous: int | None, read: int | None
) -> None:
    prompt = prompt_tokens(dialect, 40_000, "gpt-5")
    tokens = completed(Reported(Usage(), False, False), dialect, previous).tokens
    assert tokens.cache_read == (prompt if read is None else read)
    assert tokens.prompt == prompt
    assert tokens.cache_write_5m == tokens.cache_write_1h == 0


def test_estimates_grow_with_the_bytes_and_never_fall_below_zero() -> None:
    for dialect in Dialect:
        sizes = [prompt_tokens(dialect, size, "gpt-5") for size in range(0, 200_000, 5000)]
        assert sizes == sorted(sizes)
        assert prompt_tokens(dialect, -1, "gpt-5") == 0
    assert output_tokens(0, "gpt-5") == output_tokens(-3, "gpt-5") == 0
    assert output_tokens(1, "gpt-5") == 1


def test_a_picture_does_not_count_by_its_bytes() -> None:
    picture = b'{"type":"base64","data":"' + b"iVBORw0KGgo" * 100_000 + b'=="}'
    text = b'{"text":"' + b"plain words and more of them " * 1000 + b'"}'
    assert text_bytes(text) == len(text)
    assert text_bytes(text + picture) < len(text) + 10_000
