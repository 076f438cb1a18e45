"""Bodies as trees: whole, cut anywhere, broken, deep; texts made visible."""

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.console.capture_json import PER_LEVEL, find, level, plain, read_document
from tidegate.console.capture_text import excerpt, is_binary, one_line, visible

REQUEST = Path(__file__).parents[2] / "golden" / "requests" / "claude_code.json"
SMALL = b'{"a": [1, true, {"b\\"": "x\\u00e4\\\\"}], "c": {"d": null, "e": "y\\n"}, "f": -1.5e3}'


def test_a_body_cut_anywhere_shows_what_came() -> None:
    whole = json.loads(SMALL)
    for end in range(1, len(SMALL)):
        document = read_document(SMALL[:end], cut=True)
        assert not document.fault, SMALL[:end]
        assert document.cut
        for name in document.value:
            assert name in whole, SMALL[:end]
    assert read_document(SMALL[:-1], cut=True).value == {n: whole[n] for n in "ac"}
    assert read_document(SMALL[:-1] + b" ", cut=True).value == whole
    assert read_document(SMALL[:45], cut=True).value["a"][:2] == [1, True]


def test_a_real_request_cut_in_a_text() -> None:
    body = REQUEST.read_bytes()
    whole, document = json.loads(body), read_document(body[:40_000], cut=True)
    assert document.value["model"] == whole["model"]
    kept, full = document.value["messages"], whole["messages"]
    assert kept[:-1] == full[: len(kept) - 1]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "There is no body."),
        (b" \n", "There is no body."),
        (b"hello", "It is no JSON: Expecting value: line 1 column 1 (char 0)."),
        (b'{"a": 1', "It is no JSON: Expecting ',' delimiter: line 1 column 8 (char 7)."),
        (b"[" * 100_000, "It is nested too deep to be shown as a tree."),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "It is nested too deep"),
    ],
)
def test_what_is_no_tree(body: bytes, told: str) -> None:
    assert read_document(body).fault.startswith(told)


def test_what_is_cut_and_hopeless() -> None:
    assert read_document(b"\x00\x01", cut=True).fault == (
        "It was cut, and what is here cannot be read as JSON."
    )
    assert not read_document(b"[" * 100_000, cut=True).value


def test_odd_but_readable() -> None:
    assert read_document(b'{"a": "\xff"}').value == {"a": "\N{REPLACEMENT CHARACTER}"}
    assert read_document(b'["\\ud800", "a\x01b"]').value == ["\ud800", "a\x01b"]


def test_a_level_at_a_time() -> None:
    value = {"many": list(range(PER_LEVEL + 5)), "who/what~": {"role": "user", "type": "x"}, "n": 1}
    nodes = level(value, "", "json:received").nodes
    assert [(n.name, n.at, n.kind, n.size, n.preview) for n in nodes] == [
        ("many", "/many", "array", PER_LEVEL + 5, ""),
        ("who/what~", "/who~1what~0", "object", 2, "role: user, type: x"),
        ("n", "/n", "number", 0, ""),
    ]
    assert find(value, "/who~1what~0/role") == "user"
    first = level(find(value, "/many"), "/many", "json:received")
    assert (len(first.nodes), first.following, first.total) == (PER_LEVEL, PER_LEVEL, PER_LEVEL + 5)
    rest = level(value["many"], "/many", "json:received", first.following)
    assert [n.at for n in rest.nodes][-1] == f"/many/{PER_LEVEL + 4}"
    assert rest.following == 0
    long = level({"t": "x" * 1_000}, "", "json:received").nodes[0].value
    assert long is not None
    assert (len(long.shown), long.rest, long.source, long.start) == (
        300, 700, "json:received:/t", 300,
    )  # fmt: skip


@pytest.mark.parametrize(
    "at", ["/x", "/many/9", "/many/-1", "/many/x", "/n/1", "/many/1e1", "/many/²"]
)
def test_places_that_are_not_there(at: str) -> None:
    with pytest.raises(LookupError):
        find({"many": [1], "n": 1}, at)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\r\nlines\n", "plain\ttext\nlines\n"),
        ("a\x00b\x1b[31m\x7f\x9b\r", "a␀b␛[31m␡⌈U+009B⌉␍"),
        ("\u202eevil\u2066\ufeff\u2028", "⌈U+202E⌉evil⌈U+2066⌉⌈U+FEFF⌉⌈U+2028⌉"),
        ("مرحبا 🌊", "مرحبا 🌊"),
        ("half \ud83d", "half ⌈U+D83D⌉"),
    ],
)
def test_nothing_in_a_text_is_invisible(text: str, shown: str) -> None:
    assert visible(text) == shown
    visible(text).encode()


def test_excerpts() -> None:
    piece = excerpt("abcdefghij" * 10, "raw:received", 10, most=20)
    assert (piece.shown, piece.rest, piece.start) == ("abcdefghij" * 2, 70, 30)
    assert excerpt("abc", "x").rest == 0
    nearly = excerpt("x" * 2_100, "x")  # what is a little longer is not cut
    assert (len(nearly.shown), nearly.rest) == (2_100, 0)
    assert excerpt("abc", "x", 99).shown == ""
    assert one_line("a\n  b" * 100, 10) == "a ba ba ba…"
    assert one_line("a\n b", 10) == "a b"


def test_texts_and_others() -> None:
    assert not is_binary(REQUEST.read_bytes())
    assert not is_binary("مرحبا".encode())
    assert is_binary(bytes(range(256)))
    assert not is_binary(b"")
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert plain(deep) == "(nested too deep)"
