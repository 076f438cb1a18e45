"""What commands and outputs as agents have them say of branch, commit, push and pull request."""

import pytest

from tidegate.core.git_signs import links_of

APP = "github.com/acme/app"
ITS = "repository github.com/acme/app"
NUMBER = f"{ITS}, pull_request {APP}#12"
MADE = "branch feat/login, commit 1a2b3c4"
COMMITTED = (
    "[feat/login 1a2b3c4] Fix the login\n 2 files changed, 10 insertions(+), 1 deletion(-)\n"
)
PUSHED = """Enumerating objects: 5, done.
Writing objects: 100% (3/3), 330 bytes | 330.00 KiB/s, done.
To https://github.com/acme/app.git
   1a2b3c4..5d6e7f8  feat/login -> feat/login
"""
NEW = """remote:
remote: Create a pull request for 'feat/login' on GitHub by visiting:
remote:      https://github.com/acme/app/pull/new/feat/login
remote:
To github.com:acme/app.git
 * [new branch]      feat/login -> feat/login
branch 'feat/login' set up to track 'origin/feat/login'.
"""
FORCED = """To ssh://git@github.com/acme/app.git
 + 1a2b3c4...5d6e7f8 feat/login -> feat/login (forced update)
"""
REJECTED = """To https://github.com/acme/app.git
 ! [rejected]        main -> main (fetch first)
error: failed to push some refs to 'https://github.com/acme/app.git'
"""
SEVERAL = """To https://ada:ghp_abcdefghijklmnopqrstuvwxyz0123456789@github.com/acme/app.git
   1a2b3c4..5d6e7f8  main -> main
 * [new tag]         v1.0 -> v1.0
 - [deleted]         old
"""
GITLAB = """remote:
remote: View merge request for feat/login:
remote:   https://gitlab.com/g/sub/app/-/merge_requests/12
remote:
To gitlab.com:g/sub/app.git
   1a2b3c4..5d6e7f8  feat/login -> feat/login
"""
CREATED = """
Creating pull request for feat/login into main in acme/app

https://github.com/acme/app/pull/12
"""
VIEWED = """title:\tFix the login
state:\tOPEN
author:\tada
url:\thttps://github.com/acme/app/pull/12
--
See https://github.com/acme/other/pull/99
"""
MERGE_REQUEST = """
Creating merge request for feat/login into main in g/sub/app

!12 Fix the login (feat/login)
 https://gitlab.acme.test/g/sub/app/-/merge_requests/12
"""
OF_GITLAB = "repository gitlab.com/g/sub/app"
HERE = 'git add -A && git commit -m "$(cat <<\'EOF\'\nFix "it"\n\nSigned-off-by: x\nEOF\n)"'
BODY = "gh pr create -t x -b \"$(cat <<'EOF'\nAs https://github.com/a/b/pull/3 says\nEOF\n)\""
TO_MAIN = "   1a2b3c4..5d6e7f8  main -> main\n"

# (command, output, what it shows; `?` before what is inferred)
BRANCHES = [
    ("git switch -c x", "Switched to a new branch 'x'\n", "branch x"),
    ("git checkout -b feat/x", "Switched to a new branch 'feat/x'", "branch feat/x"),
    ("git checkout main", "Switched to branch 'main'\nYour branch is up to date.", "branch main"),
    ("git checkout main", "Already on 'main'\n", "branch main"),
    ("git -C ../app checkout -B x", "Switched to and reset branch 'x'\r\n", "branch x"),
    (
        "git checkout main && git pull && git switch -c y",
        "Switched to branch 'main'\nAlready up to date.\nSwitched to a new branch 'y'\n",
        "branch y",
    ),
    ("git switch -q feat/x", "", "?branch feat/x"),
    ("git checkout -q -b feat/x", "", "?branch feat/x"),
    ("git switch --create=feat/x", "", "?branch feat/x"),
    ("git checkout -- src/app.py", "", ""),
    ("git checkout src/app.py", "Updated 1 path from the index\n", ""),
    ("git checkout 1a2b3c4", "Note: switching to '1a2b3c4'.\nHEAD is now at 1a2b3c4 x\n", ""),
    ("git switch --detach main", "", ""),
]
COMMITS = [
    ("git commit -am 'Fix the login'", COMMITTED, MADE),
    (HERE, COMMITTED, MADE),
    ("git commit -m x", "[main (root-commit) 1a2b3c4] x\n", "branch main, commit 1a2b3c4"),
    ("git commit -m x", "[detached HEAD 1a2b3c4] x\n", "commit 1a2b3c4"),
    ("git commit --amend --no-edit", "[main abcdef1] x\n Date: x\n", "branch main, commit abcdef1"),
    ("GIT_EDITOR=true git -c user.name=x --no-pager commit -m y", COMMITTED, MADE),
    ("cd app && git add . && git commit -m x | tail -2", COMMITTED, MADE),
    ("bash -lc 'cd /src && git commit -qm x; git cherry-pick abc'", COMMITTED, MADE),
    ("git commit -m x", "On branch main\nnothing to commit, working tree clean\n", ""),
    ("git commit -m x", "ruff....Failed\n- exit code: 1\n", ""),
]
PUSHES = [
    ("git push", PUSHED, f"{ITS}, branch feat/login, commit 5d6e7f8"),
    ("git push -u origin feat/login 2>&1", NEW, f"{ITS}, branch feat/login"),
    ("git push --force-with-lease", FORCED, f"{ITS}, branch feat/login, commit 5d6e7f8"),
    ("git push", REJECTED, ""),
    ("git push --tags", SEVERAL, f"{ITS}, branch main, commit 5d6e7f8"),
    ("git push", "Everything up-to-date\n", ""),
    (
        "git push",
        GITLAB,
        f"{OF_GITLAB}, branch feat/login, commit 5d6e7f8, pull_request gitlab.com/g/sub/app#12",
    ),
    ("git push heroku main", f"To https://git.heroku.com/app.git\n{TO_MAIN}", ""),
    ("git push ../mirror", f"To ../mirror\n{TO_MAIN}", ""),
    ("git commit -m x && git push", COMMITTED + PUSHED, f"{MADE}, {ITS}, commit 5d6e7f8"),
]
PULL_REQUESTS = [
    ("gh pr create --fill", CREATED, NUMBER),
    (BODY, CREATED, NUMBER),
    (
        "GH_HOST=github.acme.test gh pr create",
        "https://github.acme.test/a/b/pull/3\n",
        "repository github.acme.test/a/b, pull_request github.acme.test/a/b#3",
    ),
    ("gh pr edit 12 --title x", "https://github.com/acme/app/pull/12\n", NUMBER),
    ("gh pr view", VIEWED, NUMBER),
    ("gh pr view 12", VIEWED, f"?repository {APP}, ?pull_request {APP}#12"),
    ("gh pr view --json url", '{"number":12,"url":"https://github.com/acme/app/pull/12"}', NUMBER),
    ("gh pr view --json title", '{"title":"see https://github.com/acme/app/pull/12"}', ""),
    (
        "gh pr checkout 12",
        "From https://github.com/acme/app\n * [new ref] refs/pull/12/head -> feat\n"
        "Switched to branch 'feat'\n",
        f"branch feat, {NUMBER}",
    ),
    ("gh pr checkout https://github.com/acme/app/pull/12", "Already on 'x'", f"branch x, {NUMBER}"),
    ("gh pr checkout 12 -R acme/app", "", NUMBER),
    ("gh pr checkout 12", "", ""),
    ("gh pr list", "12\tFix\tfeat\tOPEN\n", ""),
    ("gh issue create", "https://github.com/acme/app/issues/3\n", ""),
    (
        "glab mr create --fill",
        MERGE_REQUEST,
        "repository gitlab.acme.test/g/sub/app, pull_request gitlab.acme.test/g/sub/app#12",
    ),
]
MENTIONED = [
    ('echo "git commit"', COMMITTED, ""),
    ("grep -r 'git push' .", PUSHED, ""),
    ("cat notes.md # git commit", COMMITTED, ""),
    ("cat <<EOF > run.sh\ngit push\nEOF", PUSHED, ""),
    ("cat log.txt", COMMITTED + PUSHED + CREATED, ""),
    ("git log --oneline", "1a2b3c4 x\n", ""),
    ("git status", "On branch main\n", ""),
    ("gitk", COMMITTED, ""),
    ("./git-commit", COMMITTED, ""),
]
HOSTILE = [
    ("git commit -m x", "[--evil 1a2b3c4] x\n", "commit 1a2b3c4"),
    ("git commit -m x", "[a\x1b[31mb 1a2b3c4] x\n", "commit 1a2b3c4"),
    ("git switch -c x", "Switched to a new branch '../../x'\n", ""),
    ("git switch -c x", "Switched to a new branch '" + "x" * 400 + "'\n", ""),
    ("git push", f"To https://evil.test/../x\n{TO_MAIN}", ""),
    ("git push", f"To javascript://github.com/acme/app\n{TO_MAIN}", ""),
    ("gh pr create", 'https://github.com/acme/app/pull/12?x="><script>\n', ""),
    ("gh pr create", "https://ada:secret@github.com/acme/app/pull/12\n", NUMBER),
]


def shown(command: str, output: str, *, is_error: bool = False) -> str:
    links = links_of(command, output, is_error=is_error)
    assert all(link.method == "tool" and link.source for link in links)
    return ", ".join(f"{'' if link.certain else '?'}{link.kind} {link.value}" for link in links)


@pytest.mark.parametrize(
    ("command", "output", "links"),
    [*BRANCHES, *COMMITS, *PUSHES, *PULL_REQUESTS, *MENTIONED, *HOSTILE],
)
def test_signs(command: str, output: str, links: str) -> None:
    assert shown(command, output) == links


@pytest.mark.parametrize(
    "command",
    ["git commit -m x", "git switch -c feat/login", "git push", "gh pr create", "cd x && git push"],
)
def test_failed_commands_show_nothing(command: str) -> None:
    output = COMMITTED + PUSHED + CREATED + "Switched to branch 'feat/login'\n"
    assert shown(command, output)
    assert shown(command, output, is_error=True) == ""


def test_of_several_commands_what_is_proved_counts_though_one_failed() -> None:
    assert shown("git commit -m x && git push", COMMITTED + REJECTED, is_error=True) == MADE
    assert shown("git switch -qc x && git push", "", is_error=True) == ""


def test_sources_name_the_command() -> None:
    links = links_of("git commit -m x && git push", COMMITTED + PUSHED, is_error=False)
    assert {link.value: link.source for link in links} == {
        "feat/login": "git commit",
        "1a2b3c4": "git commit",
        APP: "git push",
        "5d6e7f8": "git push",
    }
