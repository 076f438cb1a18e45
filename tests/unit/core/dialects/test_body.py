"""Reading requests: the facts, the refusals, and what must pass although it looks odd."""

import json
from typing import Any

import pytest

from tidegate.core.dialects import MalformedBody, RequestFacts, read_request
from tidegate.core.model import Dialect

MESSAGES, RESPONSES, CHAT = Dialect.MESSAGES, Dialect.RESPONSES, Dialect.CHAT


def compact(**fields: Any) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def facts(body: bytes, dialect: Dialect = MESSAGES) -> RequestFacts:
    return read_request(dialect, body)


def test_the_facts_of_a_request() -> None:
    body = compact(
        model="gpt-5",
        messages=[{"role": "user", "content": "Hi", "model": "not this one"}],
        stream=True,
        stream_options={"include_usage": True},
        max_completion_tokens=900,
        service_tier="flex",
    )
    assert facts(body, CHAT) == RequestFacts(
        model="gpt-5",
        stream=True,
        max_tokens=900,
        is_title=False,
        service_tier="flex",
        include_usage=True,
    )


@pytest.mark.parametrize(
    ("dialect", "field"),
    [
        (MESSAGES, "max_tokens"),
        (RESPONSES, "max_output_tokens"),
        (CHAT, "max_completion_tokens"),
        (CHAT, "max_tokens"),
    ],
)
def test_each_dialect_names_its_output_limit(dialect: Dialect, field: str) -> None:
    assert facts(compact(model="m", **{field: 7}), dialect).max_tokens == 7


@pytest.mark.parametrize("limit", [None, -1, True, 1.5, "9", 10**12, []])
def test_an_odd_output_limit_is_left_to_the_upstream(limit: Any) -> None:
    assert facts(compact(model="m", max_tokens=limit)).max_tokens is None


@pytest.mark.parametrize(
    ("body", "stream"),
    [
        (b'{"model":"m"}', False),
        (b'{"model":"m","stream":null}', False),
        (b'{"model":"m","stream":false}', False),
        (b'{"model":"m","stream":true}', True),
    ],
)
def test_absent_and_null_are_no_stream(body: bytes, stream: bool) -> None:
    assert facts(body).stream is stream


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"model":"m"} x', "not valid JSON"),
        (b"\xff\xfe\xff", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'"model"', "must be a JSON object"),
        (b"{}", 'no "model"'),
        (b'{"model":null}', '"model" must be a string'),
        (b'{"model":5}', '"model" must be a string'),
        (b'{"model":["m"]}', '"model" must be a string'),
        (b'{"model":"  "}', '"model" must be a string and not empty'),
        (b'{"model":"' + b"m" * 300 + b'"}', "at most 256 characters"),
        (b'{"model":"a\\nb"}', "printable"),
        (b'{"model":"\\ud800"}', "printable"),
        (b'{"model":"m","stream":1}', '"stream" must be true or false'),
        (b'{"model":"m","stream":"true"}', '"stream" must be true or false'),
        (b'{"model":"m","stream":[]}', '"stream" must be true or false'),
        (b'{"model":"m","x":' + b"[" * 100_000, "nested too deeply"),
        (b'{"x":"\\ud800","model":"m","y":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_forwarded_is_refused_with_a_reason(body: bytes, complaint: str) -> None:
    with pytest.raises(MalformedBody, match=complaint):
        facts(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","stream":true,"messages":"a lone \\ud83d surrogate"}',
        b'{"model":"m","stream":true,"x":NaN}',
        '{"model":"m","stream":true}'.encode("utf-16"),
        b'\xef\xbb\xbf{"model":"m","stream":true}',
        b' {\n  "model": "m",\n  "stream": true\n}\n',
        b'{"mod\\u0065l":"m","stre\\u0061m":true}',
        b'{"model":"m","stream":true,"n":' + b"9" * 200 + b"}",
        b'{"model":"m", "stream":true, "n":' + b"9" * 5000 + b"}",
    ],
)
def test_what_one_of_two_readers_understands_passes(body: bytes) -> None:
    assert (facts(body).model, facts(body).stream) == ("m", True)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a","model":"a"}',
        b'{"model":1,"model":"b"}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{ "model" : "a" ,\n "\\u006dodel" : "b" }',
        b'{"model":"a","stream":true,"stream":false}',
        b'{"model":"a","max_tokens":1,"x":[{"y":{}}],"max_tokens":9}',
        b'{"model":"a","max_output_tokens":1,"max_output_tokens":9}',
        b'{"model":"a","max_completion_tokens":1,"max_completion_tokens":9}',
        b'{"model":"a","x":"\\ud800","model":"b"}',
        b'{"model":"a","x":"\xff","model":"b"}',
    ],
)
def test_an_ambiguous_request_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody, match="more than once"):
        facts(body, CHAT)


def test_a_duplicate_cannot_hide_in_a_large_body() -> None:
    filler = json.dumps({"text": 'a \\ b " \u00e9' * 20_000, "model": "x"})
    body = f'{{"model":"cheap","messages":[{filler}],"model":"dear"}}'.encode()
    with pytest.raises(MalformedBody, match='"model" more than once'):
        facts(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","tools":[{"model":"x","model":"y"}]}',
        b'{"model":"m","metadata":{"stream":1,"stream":2}}',
        b'{"model":"m","temperature":1,"temperature":0}',
        b'{"model":"m",  "padding":  "wide enough for another member"  ,"stream":null }',
    ],
)
def test_other_duplicates_are_none_of_our_business(body: bytes) -> None:
    assert facts(body).model == "m"


TITLE_FORM = {"format": {"type": "json_schema", "schema": {"properties": {"title": {}}}}}
TITLE_PROMPT = "Generate a title for this conversation:\n"


@pytest.mark.parametrize(
    ("dialect", "fields", "is_title"),
    [
        (MESSAGES, {"tools": [], "output_config": TITLE_FORM}, True),
        (MESSAGES, {"tools": [{"name": "Bash"}], "output_config": TITLE_FORM}, False),
        (MESSAGES, {"tools": [], "output_config": {"effort": "high"}}, False),
        (MESSAGES, {"tools": [], "output_config": {"format": {"type": "json_schema"}}}, False),
        (MESSAGES, {"tools": [], "output_config": ["format"]}, False),
        (MESSAGES, {"messages": [{"role": "user", "content": TITLE_PROMPT}]}, True),
        (
            MESSAGES,
            {"messages": [{"role": "user", "content": [{"type": "text", "text": TITLE_PROMPT}]}]},
            True,
        ),
        (
            CHAT,
            {
                "messages": [
                    {"role": "system", "content": "You make titles."},
                    {"role": "user", "content": TITLE_PROMPT},
                    {"role": "user", "content": '"Mend the report"'},
                ]
            },
            True,
        ),
        (CHAT, {"messages": [{"role": "user", "content": "Say: " + TITLE_PROMPT}]}, False),
        (
            CHAT,
            {"tools": [{}], "messages": [{"role": "user", "content": TITLE_PROMPT}]},
            False,
        ),
        (CHAT, {"messages": [{"role": "user", "content": "Hi"}, TITLE_PROMPT]}, False),
        (CHAT, {"messages": [{"role": "user", "content": []}, TITLE_PROMPT]}, False),
        (CHAT, {"messages": TITLE_PROMPT}, False),
        (
            RESPONSES,
            {
                "input": [
                    {"role": "developer", "content": "You make titles."},
                    {"role": "user", "content": [{"type": "input_text", "text": TITLE_PROMPT}]},
                ]
            },
            True,
        ),
        (RESPONSES, {"input": TITLE_PROMPT}, False),
        (RESPONSES, {}, False),
    ],
)
def test_title_requests_are_told_by_their_form(
    dialect: Dialect, fields: dict[str, Any], is_title: bool
) -> None:
    assert facts(compact(model="m", **fields), dialect).is_title is is_title


@pytest.mark.parametrize("tier", [None, 5, "x" * 100, "a\nb"])
def test_a_tier_of_no_sense_is_none(tier: Any) -> None:
    assert facts(compact(model="m", service_tier=tier)).service_tier == ""
