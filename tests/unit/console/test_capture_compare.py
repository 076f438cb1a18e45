"""Received and sent side by side."""

import msgspec
import pytest

from tidegate.console.capture_compare import MOST, Marked, compare
from tidegate.core.captures import Part
from tidegate.core.model import Dialect


def part(value: object, *headers: tuple[str, str]) -> Part:
    return Part(list(headers), msgspec.json.encode(value))


def changed(side: Marked | None) -> str | None:
    return None if side is None else side.changed


def places(left: object, right: object) -> list[tuple[str, str | None, str | None]]:
    found = compare(Dialect.MESSAGES, part(left), part(right))
    return [(each.at, changed(each.received), changed(each.sent)) for each in found.differences]


def test_identical_is_told() -> None:
    body = part({"model": "x", "text": "y" * 4_000})
    found = compare(Dialect.MESSAGES, body, body, "claude-opus-4-8")
    assert (found.identical, found.differences, found.headers) == (True, [], [])
    assert found.received == found.sent
    assert found.received.body_bytes == 4_023
    assert 800 < found.received.tokens < 1_100
    cut = msgspec.structs.replace(body, truncated_bytes=9)
    assert compare(Dialect.CHAT, cut, cut).cut
    assert not compare(Dialect.CHAT, cut, body).identical


def test_the_same_written_differently() -> None:
    left, right = Part(body=b'{"a": 1}'), Part(body=b'{"a":1}')
    found = compare(Dialect.MESSAGES, left, right)
    assert (found.identical, found.same_value, found.differences) == (False, True, [])


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "c": 3}, [("/b", "2", None), ("/c", None, "3")]),
        ({"a": 1}, {"a": True}, [("/a", "1", "true")]),
        ([[{"a": 1}, 2]], [[{"a": 1.0}, 2]], [("/0/0/a", "", ".0")]),
        ([1, 2, 3, 4], [1, 3, 4], [("/1", "2", None)]),
        ([1, 4], [1, 2, 3, 4], [("/1", None, "2"), ("/2", None, "3")]),
        ([{"t": "long text"}], [{"t": "long short text"}], [("/0/t", "", "short ")]),
        ({"m": [{"r": "old"}, 5]}, {"m": [{"r": "new"}, 5]}, [("/m/0/r", "old", "new")]),
        ({"a": {"b": 1}}, {"a": [1]}, [("/a", '{\n  "b": 1\n}', "[\n  1\n]")]),
    ],
)
def test_places(
    left: object, right: object, expected: list[tuple[str, str | None, str | None]]
) -> None:
    assert places(left, right) == expected


def test_what_stands_around_a_change_is_shortened() -> None:
    text = "a" * 500, "b" * 500
    found = compare(Dialect.CHAT, part("OLD".join(text)), part("NEW".join(text)))
    assert found.differences[0].received == Marked("…" + "a" * 80, "OLD", "b" * 80 + "…")
    long = compare(Dialect.CHAT, part("x"), part("y" * 5_000)).differences[0].sent
    assert long == Marked("", "y" * 1_200 + "…", "")


def test_no_json_and_no_end_of_differences() -> None:
    found = compare(Dialect.CHAT, Part(body=b"one line"), Part(body=b"one\x00 lone"))
    assert [(d.received, d.sent) for d in found.differences] == [
        (Marked("one", " li", "ne"), Marked("one", "␀ lo", "ne"))
    ]
    many = compare(Dialect.CHAT, part(["a"] * 500), part(["b"] * 500))
    assert (len(many.differences), many.has_more) == (MOST, True)


def test_large_texts_are_compared_at_once() -> None:
    text = "wave " * 800_000
    found = compare(Dialect.MESSAGES, part([text + "A" + text]), part([text + "B" + text]))
    assert [d.received and d.received.changed for d in found.differences] == ["A"]


def test_headers() -> None:
    left = part({}, ("Accept", "a"), ("X-Key", "[removed]"), ("via", "1"), ("via", "2"))
    right = part({}, ("accept", "a"), ("x-key", "[removed]"), ("via", "1"), ("host", "h"))
    found = compare(Dialect.CHAT, left, right).headers
    assert [
        (d.at, d.received and d.received.changed, d.sent and d.sent.changed) for d in found
    ] == [
        ("via", "1, 2", "1"),
        ("host", None, "h"),
    ]
