"""Where values stand in JSON, byte by byte; what is odd is doubt and nothing else."""

import json

import pytest

from tidegate.core.compression.splice import (
    Doubt,
    elements,
    members,
    replace,
    text_of,
    without_lone_surrogates,
)

OBJECTS = [
    b"{}",
    b" {\n} ",
    b'{"a":1}',
    b'{"a" : [1, {"a":2}] ,\t"b":"}{\\"a\\":3" }',
    b'{"a\\u0062":"x","":null,"c\\\\":true}',
    '{"ä":"ö","b":-1.5e3}'.encode(),
]


@pytest.mark.parametrize("source", OBJECTS)
def test_members_stand_where_they_are_read(source: bytes) -> None:
    expected = json.loads(source)
    found = {key: json.loads(source[start:end]) for key, (start, end) in members(source).items()}
    assert found == expected


@pytest.mark.parametrize("source", [b"[]", b" [ ] ", b"[1]", b'[ "a,b" , [1,2],{"x":"]"} ]'])
def test_elements_stand_where_they_are_read(source: bytes) -> None:
    assert [json.loads(source[start:end]) for start, end in elements(source)] == json.loads(source)


@pytest.mark.parametrize(
    "source",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":1,"b":2,"a":3}',
        b'{"a":"x","\\u0061":"y"}',
        b'{"a":{"b":1},"a":{"b":1,"c":2}}',
        b'{"a":1}{',
        b'{"a":1',
        b'{"a":NaN}',
        b'{"a":01}',
        b"[1]",
        b"",
        b'{"a":"\\ud800"}',
        b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_what_is_odd_is_doubt(source: bytes) -> None:
    with pytest.raises(Doubt):
        members(source)


def test_only_the_named_strings_are_replaced() -> None:
    source = b'{"a":"x","b":"x","c":"x"}'
    spans = members(source)
    changed = replace(source, [(spans["a"], b'"longer"'), (spans["c"], b'""')])
    assert changed == b'{"a":"longer","b":"x","c":""}'
    assert replace(source, []) == source


@pytest.mark.parametrize("spans", [[(1, 3)], [(13, 16), (5, 8)], [(5, 8), (5, 8)], [(5, 5)]])
def test_what_is_no_string_is_not_replaced(spans: list[tuple[int, int]]) -> None:
    source = b'{"a":"x","b":"x"}'
    with pytest.raises(Doubt):
        replace(source, [(span, b'"y"') for span in spans])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (rb'"\ud800"', '"?"'),
        (rb'"\\ud800"', r'"\\ud800"'),
        (rb'"\\\ud800x"', r'"\\?x"'),
        (rb'"\ud83d\ude00"', '"\U0001f600"'),
        (rb'"\uD83D\ud83d\uDE00"', '"?\U0001f600"'),
        (rb'"\ude00\ud83d"', '"??"'),
        (rb'"\ud800\ud800\udc00\udc00"', '"?\U00010000?"'),
        (rb'"\n\ud800\n"', r'"\n?\n"'),
    ],
)
def test_half_surrogate_pairs_get_stand_ins_of_the_same_length(
    source: bytes, expected: str
) -> None:
    plain = without_lone_surrogates(source)
    assert len(plain) == len(source)
    assert text_of(plain) == json.loads(expected)
