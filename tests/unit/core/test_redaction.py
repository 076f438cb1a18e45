"""Known forms of secrets leave no trace, and what is none stays as it is."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.planted import EVERY, PLANTED, WRITTEN, telling

from tidegate.core.redaction import Redactor, holds_secret, redact
from tidegate.core.secret_forms import FORMS

pytestmark = pytest.mark.slow

_SOURCE = Path(__file__).parents[3] / "src"


def trace(text: bytes) -> str:
    """The text with all escapes undone, as somebody who looks for a secret would read it."""
    plain = text.decode("utf-8", "replace")
    for _ in range(3):
        plain = re.sub(r"\\+u00([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), plain)
        plain = re.sub(r"%([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), plain)
    return plain.replace("\\/", "/")


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
@pytest.mark.parametrize(("kind", "text"), EVERY)
def test_a_secret_is_found_however_it_is_written(
    kind: str, text: str, written: Callable[[str], str]
) -> None:
    around = f'{{"text":"Use this:\\n{written(text)}\\nand go on."}}'.encode()
    left = redact(around)
    assert f"[redacted:{kind}]".encode() in left or b"[redacted:" in left
    assert telling(kind, text) not in trace(left)
    assert left.startswith(b'{"text":"Use this:')
    assert left.endswith(b'and go on."}') or kind == "private-key"


@pytest.mark.parametrize(
    "before", [" ", '"', "'", "=", ":", "\\n", "\\t", '\\"', "(", "`", ">", ""]
)
@pytest.mark.parametrize(("kind", "text"), EVERY)
def test_a_secret_is_found_wherever_it_begins(kind: str, text: str, before: str) -> None:
    assert telling(kind, text) not in trace(redact((before + text).encode()))


@pytest.mark.parametrize("kind", PLANTED)
def test_each_form_is_needed(kind: str) -> None:
    without = Redactor([form for form in FORMS if form.kind != kind])
    left = [trace(without.redact(text.encode())) for text in PLANTED[kind]]
    assert any(telling(kind, text) in seen for text, seen in zip(PLANTED[kind], left, strict=True))


def test_every_form_is_listed_and_planted() -> None:
    assert {form.kind for form in FORMS} == set(PLANTED)
    document = (Path(__file__).parents[3] / "docs/debug.md").read_text()
    assert [kind for kind in PLANTED if f"`{kind}`" not in document] == []


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:acme/app.git and ssh://git@github.com/acme/app.git",
        "https://example.com/@scope/package and https://example.com:8080/a@2x.png",
        "task-management-system-controller-2024 sk-fading-circle-container-outer",
        'if "-----BEGIN PRIVATE KEY-----" in text: raise Leak("-----END PRIVATE KEY-----")',
        "tg_ tg_short sk-ant-... sk-ant-api03 AKIA AKIASHORT ghp_xxx xoxb- eyJ eyJhbGciOi",
        'os.environ["AWS_SECRET_ACCESS_KEY"] = settings.aws_secret_access_key',
        "postgresql://{user}:{password}@{host}/app https://$TOKEN@github.com/a",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709 0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n"
        "-----END CERTIFICATE-----",
        "/reset/password /setup/wizard /join/us https://a.example/sign-in/help",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_source_code_is_not_mangled() -> None:
    """In all of this program only what its own texts show as examples of URLs is redacted."""
    found = [
        (path.name, span.kind, text[span.start : span.end])
        for path in sorted(_SOURCE.rglob("*.py"))
        for text in [path.read_bytes()]
        for span in Redactor().spans(text)
    ]
    assert {kind for _, kind, _ in found} <= {"url-userinfo"}
    assert len(found) <= 3, found


ANSWER = "The key is {} and that is all of it."


def _messages(pieces: list[str]) -> list[dict[str, object]]:
    return [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in pieces
    ]


def _tool(pieces: list[str]) -> list[dict[str, object]]:
    return [
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": piece},
        }
        for piece in pieces
    ]


def _responses(pieces: list[str]) -> list[dict[str, object]]:
    return [
        {
            "type": "response.output_text.delta",
            "sequence_number": number,
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "delta": piece,
        }
        for number, piece in enumerate(pieces)
    ]


def _chat(pieces: list[str]) -> list[dict[str, object]]:
    return [
        {"id": "c", "choices": [{"index": 0, "delta": {"role": "assistant", "content": piece}}]}
        for piece in pieces
    ]


def _chat_tool(pieces: list[str]) -> list[dict[str, object]]:
    return [
        {
            "id": "c",
            "choices": [
                {
                    "index": 0,
                    "delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]},
                }
            ],
        }
        for piece in pieces
    ]


def _two_choices(pieces: list[str]) -> list[dict[str, object]]:
    return [
        {"id": "c", "choices": [{"index": index, "delta": {"content": content}}]}
        for piece in pieces
        for index, content in ((0, piece), (1, "x"))
    ]


def said(stream: bytes) -> str:
    """All that the deltas of a stream say, put together."""
    lines = [line[6:] for line in stream.split(b"\n") if line.startswith(b"data: ")]
    return "".join(_deltas(json.loads(line)) for line in lines)


_NO_TEXT = {"type", "role"}


def _deltas(value: object, inside: bool = False) -> str:
    if isinstance(value, str):
        return value if inside and value != "x" else ""
    if isinstance(value, dict):
        return "".join(
            _deltas(v, inside or k == "delta") for k, v in value.items() if k not in _NO_TEXT
        )
    if isinstance(value, list):
        return "".join(_deltas(v, inside) for v in value)
    return ""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("shape", [_messages, _tool, _responses, _chat, _chat_tool, _two_choices])
@pytest.mark.parametrize("spaced", [True, False])
def test_a_secret_is_found_across_the_events_of_a_stream(
    size: int, shape: Callable[[list[str]], list[dict[str, object]]], spaced: bool
) -> None:
    separators = (", ", ": ") if spaced else (",", ":")
    for kind, text in EVERY:
        whole = ANSWER.format(text)
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        events = [json.dumps(event, separators=separators) for event in shape(pieces)]
        stream = "".join(f"event: e\ndata: {event}\n\n" for event in events).encode()
        left = Redactor().redact_events(stream)
        assert telling(kind, text) not in said(left), (kind, text)
        assert left.count(b"data: ") == len(events)
        if kind != "private-key":
            assert "is all of it" in said(left)


@pytest.mark.slow
@pytest.mark.parametrize(
    "hostile",
    [
        b"eyJ" * 400_000,
        b"sk-" * 400_000,
        b"tg_" * 400_000,
        b"://" * 400_000,
        b"-" * 1_200_000,
        b"_" * 1_200_000,
        b"-----BEGIN PRIVATE KEY-----" * 40_000,
        b"AKIA7QWERTY4ZXCV2BNM " * 50_000,
        b"%41" * 400_000,
        b"\\u0041" * 200_000,
        b"://a@" * 200_000,
        b"xoxb-1" * 200_000,
        b'"delta":{' * 100_000,
        b'"delta":"\\' * 100_000,
        b"aws_secret_key" * 80_000,
        b"eyJa." * 200_000,
    ],
    ids=lambda text: text[:12].decode(),
)
def test_no_content_makes_it_slow(hostile: bytes) -> None:
    began = time.thread_time()
    Redactor().redact_events(hostile)
    assert time.thread_time() - began < 8


def test_texts_and_what_is_not_unicode() -> None:
    assert redact("a \udcff tg_" + "a" * 43) == "a \udcff [redacted:tidegate-key]"
    assert redact(b"\xff\xfe sk-ant-api03-" + b"a" * 40) == b"\xff\xfe [redacted:anthropic-key]"
    assert holds_secret(b"Bearer sk-ant-api03-" + b"a" * 40)
    assert not holds_secret(b"text/event-stream")


def test_values_that_are_known_exactly() -> None:
    left = Redactor().redact(b"your key (opensesame) is wrong: opensesame", (b"opensesame",))
    assert left == b"your key ([redacted:credential]) is wrong: [redacted:credential]"


def test_a_secret_key_beside_an_access_key_id() -> None:
    secret = b"wJa1rXUtnFEMI/K7MDENG+bPxRfiCYzQ9tLm4Kxw"
    left = redact(b"ada,AKIA7QWERTY4ZXCV2BNM," + secret + b"\n" + b"b" * 10)
    assert left == b"ada,[redacted:aws-key-id],[redacted:aws-secret]\n" + b"b" * 10
