"""What results become by what was shown before them."""

from tidegate.compression import Conversation

_NUMBERS = range(1, 61)
_TEXTS = {number: f"    statement number {number}" for number in _NUMBERS}


def _read(texts: dict[int, str]) -> str:
    return "\n".join(f"{number:6d}→{text}" for number, text in texts.items())


def _after(*turns: tuple[str, object, str], level: str = "references") -> list[str]:
    conversation = Conversation(level)
    sent = []
    for at, (tool, call, text) in enumerate(turns):
        conversation.called(str(at), tool, call)
        sent.append(conversation.result(str(at), text))
    return sent


def test_lines_read_again_are_named() -> None:
    call = {"file_path": "/a"}
    part = _read({number: _TEXTS[number] for number in range(20, 41)}) + "\n"
    _, _, sent = _after(("Read", call, _read(_TEXTS)), ("Bash", {}, "ok"), ("Read", call, part))
    assert sent == "[tidegate: lines 20-40 as in the read 2 results above]\n"


def test_lines_around_a_change_are_sent() -> None:
    changed = _TEXTS | {30: "    another statement"}
    call = {"file_path": "/a"}
    _, sent = _after(("Read", call, _read(_TEXTS)), ("Read", call, _read(changed)))
    assert sent.split("\n") == [
        "[tidegate: lines 1-26 as in the read 1 result above]",
        "27→    statement number 27",
        "    statement number 28",
        "    statement number 29",
        "    another statement",
        "    statement number 31",
        "    statement number 32",
        "    statement number 33",
        "[tidegate: lines 34-60 as in the read 1 result above]",
    ]


def test_what_an_edit_wrote_is_named() -> None:
    new = "\n".join(f"    new statement {number}" for number in range(10))
    read = _read({number + 100: line for number, line in enumerate(new.split("\n"))})
    edit = ("Edit", {"file_path": "/a", "new_string": new}, "The file /a has been updated.")
    _, sent = _after(edit, ("Read", {"file_path": "/a"}, read))
    assert sent == "[tidegate: lines 100-109 as lines 1-10 written 1 result above]"


def test_a_failed_edit_wrote_nothing_to_refer_to() -> None:
    new = "\n".join(f"    new statement {number}" for number in range(10))
    conversation = Conversation("references")
    conversation.called("1", "Edit", {"file_path": "/a", "new_string": new})
    conversation.result("1", "String to replace not found", is_error=True)
    conversation.called("2", "Read", {"file_path": "/a"})
    sent = conversation.result("2", _read(dict(enumerate(new.split("\n"), 1))))
    assert "tidegate" not in sent


def test_lines_of_a_diff_that_were_written_are_named() -> None:
    new = "\n".join(f"    new statement {number}" for number in range(10))
    diff = "diff --git a/src/a b/src/a\n--- a/src/a\n+++ b/src/a\n@@ -1,1 +1,11 @@\n def f():\n"
    diff += "\n".join(f"+{line}" for line in new.split("\n"))
    edit = ("Edit", {"file_path": "/x/src/a", "new_string": new}, "The file has been updated.")
    _, sent = _after(edit, ("Bash", {"command": "git diff"}, diff))
    assert sent == diff[: diff.index("+    new")] + (
        '[tidegate: 10 lines with "+" before each, as lines 1-10 written 1 result above]'
    )


def test_the_same_text_again_is_named_whoever_printed_it() -> None:
    text = "\n".join(f"word {number} of many" for number in "abcdefghijklmno")
    _, sent = _after(("Bash", {"command": "x"}, text), ("WebFetch", {}, text))
    assert sent == "[tidegate: the same 15 lines as 1 result above]"


def test_text_that_holds_markers_is_left_alone() -> None:
    text = _read(_TEXTS | {7: "[tidegate: lines 1-9 as in the read 1 result above]"})
    call = {"file_path": "/a"}
    assert _after(("Read", call, text), ("Read", call, text), level="trims") == [text, text]


def _echo(new: str) -> str:
    texts = {n: _TEXTS[n] for n in (8, 9)} | dict(enumerate(new.split("\n"), 10))
    texts |= {20 + n: _TEXTS[n + 12] for n in (0, 1)}
    return "The file /a has been updated. Here's a snippet of the edited file:\n" + _read(texts)


def test_an_edits_echo_goes_where_the_call_and_a_read_show_it() -> None:
    new = "\n".join(f"    new statement {number}" for number in range(10))
    call = {"file_path": "/a", "old_string": "x", "new_string": new}
    alone = _after(("Edit", call, _echo(new)), level="trims")[0]
    assert "[tidegate: 10 lines (10-19) left out; the call shows them]" in alone
    assert alone.endswith("20→    statement number 12\n    statement number 13")
    _, beside = _after(
        ("Read", {"file_path": "/a"}, _read(_TEXTS)), ("Edit", call, _echo(new)), level="trims"
    )
    assert beside.split("\n")[1:] == [
        "[tidegate: 14 lines (8-21) left out; the call shows 10 new lines, "
        "the read 1 result above the others]"
    ]
    other = call | {"new_string": new.replace("9", "8")}
    assert "tidegate" not in _after(("Edit", other, _echo(new)), level="trims")[0]


def test_a_result_without_its_call_and_ids_used_twice() -> None:
    conversation = Conversation("references")
    assert conversation.result("unknown", "x" * 300) == "x" * 300
    conversation.called("1", "Bash", {"command": "ls"})
    conversation.called("1", "Read", {"file_path": "/a"})
    assert conversation.tool_class("1") == "read"
    assert conversation.result("1", _read(_TEXTS)).startswith("1→")
    assert conversation.result("1", _read(_TEXTS)).startswith("1→")  # a second part of it
    assert conversation.tool_class("unknown") == "other"


def test_short_errors_and_short_results_stay() -> None:
    conversation = Conversation("trims")
    conversation.called("1", "Read", {"file_path": "/a"})
    text = _read(_TEXTS)
    assert conversation.result("1", text, is_error=True) == text
    conversation.called("2", "Read", {"file_path": "/a"})
    short = _read({number: "x" for number in range(1, 20)})[:199]
    assert conversation.result("2", short) == short
    conversation.called("3", "Read", {"file_path": "/b"})
    assert conversation.result("3", text * 3, is_error=True) == text * 3


def test_a_reminder_among_numbered_lines_passes_to_the_letter() -> None:
    text = _read(_TEXTS | {30: "<system-reminder>", 32: "</system-reminder>"})
    assert _after(("Read", {"file_path": "/a"}, text), level="trims") == [text]


def test_known_results_are_referred_to_like_new_ones() -> None:
    conversation = Conversation("references")
    call = {"file_path": "/a"}
    conversation.called("1", "Read", call)
    conversation.known("1", _read(_TEXTS))
    conversation.called("2", "Read", call)
    part = _read({number: _TEXTS[number] for number in range(20, 41)}) + "\n"
    sent = conversation.result("2", part)
    assert sent == "[tidegate: lines 20-40 as in the read 1 result above]\n"
