"""The commands of a command line; what is quoted is no command."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.shell_lines import commands

COMMIT = """git commit -m "$(cat <<'EOF'
Fix "quotes"; git push origin main

It's done.
EOF
)" && git push"""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("git status", [["git", "status"]]),
        (
            "cd app && git status; ls | wc -l",
            [["cd", "app"], ["git", "status"], ["ls"], ["wc", "-l"]],
        ),
        ('git commit -m "a; git push"', [["git", "commit", "-m", "a; git push"]]),
        ("git commit -m 'it'\\''s'", [["git", "commit", "-m", "it's"]]),
        ('echo "git commit"', [["echo", "git commit"]]),
        ("A=1 B='x y' git push", [["git", "push"]]),
        ("sudo -E git push", [["git", "push"]]),
        ("timeout -k=5 30 git push", [["git", "push"]]),
        ("timeout 30 git push", [["git", "push"]]),
        ("git push 2>&1 | tail -3", [["git", "push"], ["tail", "-3"]]),
        ("git push >/dev/null 2> err.log", [["git", "push"]]),
        ("git push &> out", [["git", "push"]]),
        ("(cd x; git push)", [["cd", "x"], ["git", "push"]]),
        ("if git push; then echo ok; fi", [["git", "push"], ["echo", "ok"], ["fi"]]),
        ("bash -lc 'git push && ls'", [["git", "push"], ["ls"]]),
        ("bash run.sh -c x", [["bash", "run.sh", "-c", "x"]]),
        ("git push # git commit", [["git", "push"]]),
        ("git \\\n  push", [["git", "push"]]),
        ("git push\ngit tag x", [["git", "push"], ["git", "tag", "x"]]),
        (COMMIT, [["git", "commit", "-m", "$(cat \n\n)"], ["git", "push"]]),
        ("cat <<EOF > x\ngit push\nEOF\ngit tag y", [["cat"], ["git", "tag", "y"]]),
        ("cat <<EOF\ngit push", [["cat"]]),
        ("echo 'git push", [["echo"]]),
        ("", []),
    ],
)
def test_commands(line: str, found: list[list[str]]) -> None:
    assert commands(line) == found


@given(st.text("gitpush \n\t;&|()<>'\"\\$-c=#EOF") | st.text())
def test_any_line_can_be_read(line: str) -> None:
    for words in commands(line):
        assert words


def test_a_line_is_read_in_time_that_grows_with_it() -> None:
    for piece in ("'", '"', "<<A\n", "\\", '"$(', "a" * 5, "bash -c ' ", "(", "2>"):
        commands(piece * 20_000)
