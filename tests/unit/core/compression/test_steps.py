"""Each step by itself: what it makes of its shape, and what it leaves."""

import pytest

from tidegate.compression import compress_result
from tidegate.core.compression import (
    compact,
    engine,
    envelope,
    gutter,
    listing,
    reminders,
    search,
    terminal,
    trims,
)
from tidegate.core.compression.tools import Kind, class_of, kind_of


def _lines(form: str, first: int, last: int) -> str:
    return "\n".join(form.format(number) + f"text {number}" for number in range(first, last + 1))


@pytest.mark.parametrize("form", ["{:6d}→", "{}\t", "{:05d}| ", "{}: ", "{:6d}\t"])
def test_numbers_stay_on_the_first_line_and_every_twentieth(form: str) -> None:
    numbered = gutter.parse(_lines(form, 7, 120))
    assert numbered is not None
    shorter = (gutter.shorten(numbered) or "").split("\n")
    separator = form[form.index("}") + 1 :]
    kept = [at for at, line in enumerate(shorter, 7) if not line.startswith("text")]
    assert kept == [7, 20, 40, 60, 80, 100, 120]
    assert shorter[0] == f"7{separator}text 7"


@pytest.mark.parametrize(
    "text",
    [
        "1→a\n2→b\n4→d\n5→e",  # a gap
        "1→a\n2→b\n3→c\nnone\n4→d",  # a line between
        "5\tapples\n7\tpears\n9\tplums",  # a table
        "    007→a\n    008→b\n    009→c",
        "1→a\n2→b",
    ],
)
def test_what_only_looks_numbered_is_left(text: str) -> None:
    assert gutter.parse(text) is None


def test_a_line_that_looks_numbered_keeps_its_number() -> None:
    numbered = gutter.parse("1→a\n2→7→b\n3→c\n4→d")
    assert numbered is not None
    assert gutter.shorten(numbered) == "1→a\n2→7→b\nc\nd"


def test_matches_have_their_path_once() -> None:
    text = "src/a.py:1:one\nsrc/a.py:5:two\nsrc/a.py-6-three\n--\nsrc/b.py:2:x"
    shorter = search.shorten(text)
    assert shorter == "src/\na.py:\n1:one\n5:two\na.py-6-three\n--\nb.py:2:x"
    assert search.expand(shorter) == text


def test_paths_are_under_their_folder() -> None:
    text = "src/app/a.py\nsrc/app/b.py\nREADME.md\nsrc/app/failed.py"
    assert listing.shorten(text, whole_alarms=True) == (
        "src/app/\n a.py\n b.py\nREADME.md\nsrc/app/failed.py"
    )


def test_a_path_that_speaks_of_errors_stays_whole_in_a_shell() -> None:
    text = "src/app/a.py\nsrc/app/error.py\nsrc/app/b.py\nsrc/app/c.py"
    assert listing.shorten(text, whole_alarms=True) == (
        "src/app/a.py\nsrc/app/error.py\nsrc/app/\n b.py\n c.py"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[1;32mok\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07", "ok link"),
        ("10%\r50%\r100%\n", "100%\n"),
        ("loading...\rdone\n", "doneing...\n"),
        ("loading...\r\x1b[Kdone\n", "done\n"),
        ("error: no\rfine\n", None),
        ("a\r\nb\r\n", None),
        ("\x1b[2J", None),
    ],
)
def test_a_terminal_shows(text: str, shown: str | None) -> None:
    assert terminal.shorten(text) == shown


def test_the_envelope_keeps_the_exit_code_and_long_times() -> None:
    end = "Process exited with code 1\n"
    rest = f"{end}Original token count: 9\nOutput:\nno such file"
    short = (f"{end}Output:\n", "no such file")
    assert envelope.split(f"Chunk ID: 45da93\nWall time: 0.0521 seconds\n{rest}") == short
    slow = "Wall time: 61.2 seconds\n"
    assert envelope.split(f"Chunk ID: 45da93\n{slow}{rest}") == (slow + short[0], short[1])
    assert envelope.split("".join(short)) == short
    cut = f"Chunk ID: 45da93\n{slow}{end}Original token count: 9\nOutput:\na…9 tokens truncated…b"
    assert "".join(envelope.split(cut)) == cut
    running = "Chunk ID: 45da93\nWall time: 0.1 seconds\nProcess running with session 5\nOutput:\n"
    assert envelope.split(running) == ("", running)


def test_what_a_command_printed_is_shortened_inside_the_envelope() -> None:
    lines = "".join(f"src/deep/folder/app.py:{n}:    value = {n}\n" for n in range(40))
    head = "Process exited with code 0\nOutput:\n"
    before = f"Chunk ID: a1\nWall time: 0.01 seconds\n{head[:27]}Original token count: 9\n"
    shorter = engine.shorten(Kind.SEARCH, f"{before}Output:\n{lines}").text
    assert shorter == head + engine.shorten(Kind.SEARCH, lines).text
    assert len(shorter) < len(lines) / 2


@pytest.mark.parametrize(
    ("text", "shorter"),
    [
        ('{\n "a": 1.10,\n "b": "x  y\\n"\n}', '{"a":1.10,"b":"x  y\\n"}'),
        ('{\n "a": 1,\n "a": 2\n}', '{"a":1,"a":2}'),
        ("{\n not json\n}", None),
        ('{"a": 1}\n{"b": 2}', None),
        ("[" * 100_000 + "\n" + "]" * 100_000, None),
    ],
)
def test_json_loses_its_blanks(text: str, shorter: str | None) -> None:
    assert compact.shorten(text) == shorter


def test_reminders_are_found_in_linear_time() -> None:
    assert reminders.blocks("<system-reminder>" * 50_000) == []
    one = "<system-reminder>a</system-reminder>"
    assert reminders.blocks(f"x{one}y{one}") == [one, one]


_PASSING = "".join(f"=== RUN   Test{n}\n--- PASS: Test{n} (0.00s)\n" for n in range(9))
_GAP = 'left out; the command with "| cat" behind it shows all]'


def test_passing_tests_become_a_count_beside_a_summary() -> None:
    text = f"{_PASSING}--- FAIL: TestBad (0.1s)\n    a.go:1: no\nFAIL\nFAIL\tx/y\t0.2s"
    assert trims.trim(text) == (
        f"[tidegate: 18 lines of passing tests {_GAP}\n"
        "--- FAIL: TestBad (0.1s)\n    a.go:1: no\nFAIL\nFAIL\tx/y\t0.2s"
    )
    assert trims.trim(_PASSING) is None


def test_what_a_passing_test_printed_goes_but_for_errors() -> None:
    printed = (
        _PASSING
        + _PASSING.replace("Test4\n", "Test4\n    a.go:1: starting\n    a.go:2: error: no\n", 1)
        + _PASSING
    )
    shorter = trims.trim(f"{printed}PASS\nok  \tx/y\t0.2s") or ""
    assert "starting" not in shorter
    assert "    a.go:2: error: no" in shorter
    assert shorter.endswith("ok  \tx/y\t0.2s")


@pytest.mark.parametrize(
    "line", ["Downloading pkg-{}.tar.gz (12 kB)", "   Compiling crate{} v1.0.0 of the workspace"]
)
def test_progress_becomes_a_count(line: str) -> None:
    text = "\n".join([*(line.format("ab"[n % 2] * 9) for n in range(12)), "done"])
    assert trims.trim(text) == f"[tidegate: 12 lines of progress {_GAP}\ndone"


def test_similar_lines_keep_the_first_and_the_last() -> None:
    lines = [f"worker {n} took job number {n * 7} from the queue" for n in range(20)]
    assert trims.trim("\n".join(lines)) == "\n".join(
        [lines[0], f"[tidegate: 18 lines like those around {_GAP}", lines[-1]]
    )
    failed = [line.replace("took", "failed on") for line in lines]
    assert trims.trim("\n".join(failed)) is None


@pytest.mark.parametrize(
    ("tool", "call", "kind", "name"),
    [
        ("Read", {}, Kind.READ, "read"),
        ("Bash", {"command": "cd /x && cat a"}, Kind.FILE, "read"),
        ("Bash", {"command": "go test ./... | tail -5"}, Kind.SHELL, "shell"),
        ("Bash", {"command": "go test ./... | cat"}, Kind.FILE, "read"),
        ("shell", {"command": ["bash", "-lc", "sed -n 1,20p a"]}, Kind.FILE, "read"),
        ("exec_command", {"cmd": "cd a; rg x"}, Kind.SEARCH, "search"),
        ("exec_command", {"cmd": "make || FOO=1 timeout 5 head a"}, Kind.FILE, "read"),
        ("Bash", {"command": "ls -la"}, Kind.SHELL, "list"),
        ("Grep", {}, Kind.SEARCH, "search"),
        ("Glob", {}, Kind.LIST, "list"),
        ("Edit", {}, Kind.OTHER, "edit"),
        ("mcp__a__b", None, Kind.OTHER, "other"),
    ],
)
def test_what_a_call_does(tool: str, call: object, kind: Kind, name: str) -> None:
    assert kind_of(tool, call) is kind
    assert class_of(tool, call) == name


def test_files_printed_by_a_shell_stay() -> None:
    text = "\x1b[31m" + "src/a/b.py\nsrc/a/c.py\n" * 40
    assert compress_result("Bash", {"command": "cat list"}, text, level="trims") == text


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000_000,
        "a/" * 1_000_000,
        "1→" * 900_000,
        "\r" * 1_900_000,
        "\x1b[" * 900_000,
        '"' * 900_000 + "\n",
        "a-1-" * 400_000,
        "\x00\xff\ud800" * 200_000,
        "Downloading " * 150_000,
        "1 passed\n" + "\n".join(["} "] * 60_000),
        "<system-reminder>" * 100_000,
        "\n".join(f"{n}: " for n in range(1, 100_000)),
        "[" * 1_000_000,
        "a:" * 900_000,
        "line of text\n" * 2_500_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_bad_input_takes_linear_time(text: str) -> None:
    for tool, call in (("Read", {"file_path": "/a"}), ("Bash", {"command": "rg x"}), ("Bash", {})):
        assert compress_result(tool, call, text, level="trims")
