"""The invariants of compression, for any conversation: what agents print, and what imitates it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compression_reading import Request, faults_of

from tidegate.compression import LEVELS, Conversation, compress_messages, compress_result
from tidegate.core.compression import compact, gutter, listing, reminders, search
from tidegate.core.compression.gutter import Numbered

_CODE = st.sampled_from(
    ["", "}", "    return 1", "\tif err != nil {", "x = 1", "12→not a number", "7\tnor this",
     "3: nor that", "00004| x", "    5→y", "trailing  ", "\u202eright to left", "a\r", "é→ü",
     "\ud800", "<system-reminder>", "[tidegate: 3 lines left out]", "error: no", "- b", "//"]
)  # fmt: skip
_FILE = st.lists(_CODE | st.text(st.characters(exclude_characters="\n"), max_size=12), max_size=90)
_PATHS = st.lists(
    st.sampled_from(["src/a.py", "src/b.py", "src/c/d.go", "x.md", "/tmp/e", "no path", "src/"]),
    max_size=30,
).map("\n".join)
_MATCHES = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["src/a.py", "src/b.py", "lib/c-1-.go", "--", ""]),
        st.sampled_from([":1:", "-2-", ":", ":30:", ""]),
        _CODE,
    ),
    max_size=40,
).map("\n".join)
_PRINTED = st.lists(
    st.sampled_from(
        ["=== RUN   TestA", "--- PASS: TestA (0.00s)", "--- FAIL: TestB (0.01s)", "    a.go:1: no",
         "ok  \texample.com/a\t0.1s", "FAIL", "PASS", "step 1 of 20 is being done now",
         "step 2 of 20 is being done now", "Downloading a-1.0.tar.gz", "Downloading b-1.tar.gz",
         "ERROR: it broke", "\x1b[31mred\x1b[0m", "1%\r50%\r100%", "", "tests/a.py::b PASSED",
         "✓ works", "12 passed in 0.1s"]
    ),
    max_size=80,
).map("\n".join)  # fmt: skip


def _printed_file(lines: list[str], first: int, form: str) -> str:
    return "\n".join(form.format(first + at) + line for at, line in enumerate(lines))


_READ = st.builds(
    _printed_file,
    _FILE,
    st.integers(0, 1200),
    st.sampled_from(["{:6d}→", "{}\t", "{:05d}| ", "{}: ", "{:6d}\t"]),
)
_REMINDER = st.sampled_from(["", "\n\n<system-reminder>\nBe  careful\n</system-reminder>\n"])
_TEXT = st.builds("{}{}".format, _READ | _PATHS | _MATCHES | _PRINTED | st.text(), _REMINDER)
_CALL: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.tuples(st.just("Read"), st.fixed_dictionaries({"file_path": st.sampled_from("ab")})),
    st.tuples(
        st.just("Edit"),
        st.fixed_dictionaries(
            {"file_path": st.sampled_from("ab"), "new_string": _FILE.map("\n".join)}
        ),
    ),
    st.tuples(
        st.sampled_from(["Bash", "exec_command"]),
        st.sampled_from(["go test ./...", "cat a", "rg x", "ls", "git diff"]).map(
            lambda command: {"command": command}
        ),
    ),
    st.tuples(st.sampled_from(["Grep", "Glob", "mcp__x__y", ""]), st.just({})),
)
_TURNS = st.lists(st.tuples(_CALL, _TEXT, st.booleans()), max_size=8)
_LEVEL = st.sampled_from(LEVELS)


def _messages(turns: list[Any]) -> list[Any]:
    messages: list[Any] = []
    for at, ((tool, call), text, is_list) in enumerate(turns):
        use = {"type": "tool_use", "id": f"t{at}", "name": tool, "input": call}
        messages.append({"role": "assistant", "content": [{"type": "text", "text": text}, use]})
        content: Any = [{"type": "text", "text": text}] if is_list else text
        result = {"type": "tool_result", "tool_use_id": f"t{at}", "content": content}
        messages.append({"role": "user", "content": [result]})
    return messages


@given(_TURNS, _LEVEL)
def test_depends_on_what_came_before_alone(turns: list[Any], level: str) -> None:
    messages = _messages(turns)
    sent = compress_messages(messages, level=level)
    assert compress_messages(messages, level=level) == sent
    for end in range(len(messages)):
        assert compress_messages(messages[:end], level=level) == sent[:end]


@given(_TURNS, _LEVEL)
def test_changes_texts_of_tool_results_alone(turns: list[Any], level: str) -> None:
    def without_results(messages: list[Any]) -> str:
        bare = [
            [
                {**block, "content": None} if "tool_use_id" in block else block
                for block in m["content"]
            ]
            for m in messages
        ]
        return json.dumps(bare)

    messages = _messages(turns)
    before = json.dumps(messages)
    sent = compress_messages(messages, level=level)
    assert json.dumps(messages) == before
    assert without_results(sent) == without_results(messages)


@given(_TURNS, _LEVEL)
def test_a_reader_of_the_shorter_request_misses_nothing(turns: list[Any], level: str) -> None:
    messages = _messages(turns)
    assert (
        faults_of(Request(messages), Request(compress_messages(messages, level=level)), level) == []
    )


@given(_CALL, _TEXT, _LEVEL)
def test_never_longer_never_empty_and_the_same_again(call: Any, text: str, level: str) -> None:
    tool, arguments = call
    shorter = compress_result(tool, arguments, text, level=level)
    assert bool(shorter) == bool(text)
    assert len(shorter.encode("utf-8", "surrogatepass")) <= len(
        text.encode("utf-8", "surrogatepass")
    )
    assert compress_result(tool, arguments, shorter, level=level) == shorter
    assert reminders.blocks(shorter) == reminders.blocks(text)


@given(_CALL, st.text(max_size=60), _LEVEL)
def test_small_results_stay(call: Any, text: str, level: str) -> None:
    assert compress_result(call[0], call[1], text, level=level) == text


@given(_CALL, _TEXT, _LEVEL)
def test_errors_below_a_size_stay(call: Any, text: str, level: str) -> None:
    conversation = Conversation(level)
    conversation.called("t", *call)
    assert conversation.result("t", text[:4095], is_error=True) == text[:4095]


@given(_TURNS, _LEVEL)
def test_known_results_are_referred_to_like_new_ones(turns: list[Any], level: str) -> None:
    new, told = Conversation(level), Conversation(level)
    for at, ((tool, call), text, is_known) in enumerate(turns):
        new.called(str(at), tool, call)
        told.called(str(at), tool, call)
        sent = new.result(str(at), text)
        if is_known:
            told.known(str(at), text)
        else:
            assert told.result(str(at), text) == sent


@given(_FILE, st.integers(0, 99_999_999), st.sampled_from(gutter.SEPARATORS), st.booleans())
def test_numbered_lines_read_back(
    lines: list[str], first: int, separator: str, has_tail: bool
) -> None:
    numbered = Numbered("", first, lines, "\n\nend" if has_tail else "", separator)
    shorter = gutter.shorten(numbered) if lines else None
    if shorter is not None:
        block = shorter.removesuffix(numbered.tail)
        assert gutter.expand(block, separator) == (first, "\n".join(lines))


@given(_MATCHES)
def test_matches_read_back(text: str) -> None:
    shorter = search.shorten(text)
    assert shorter is None or search.expand(shorter) == text


@given(_PATHS, st.booleans())
def test_paths_read_back(text: str, whole_alarms: bool) -> None:
    shorter = listing.shorten(text, whole_alarms=whole_alarms)
    assert shorter is None or listing.expand(shorter) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_reads_back(value: Any) -> None:
    text = json.dumps([value, 1.10, 'a  b\\"'], indent=2)
    shorter = compact.shorten(text)
    assert shorter is not None
    assert repr(json.loads(shorter)) == repr(json.loads(text))


def test_an_unknown_level_says_which_there_are() -> None:
    with pytest.raises(ValueError, match="lossless, references, trims"):
        compress_result("Read", {}, "", level="most")
    with pytest.raises(ValueError, match="version 99; there are 1"):
        Conversation("trims", 99)
