"""One name for each repository and pull request, nothing secret in it, nothing local."""

import pytest

from tidegate.core.remotes import (
    branch_of,
    commit_of,
    normalise_remote,
    pull_request_of,
    repository_of,
)

APP = "github.com/acme/app"
AZURE = "dev.azure.com/acme/shop/_git/app"

REMOTES = [
    ("https://github.com/acme/app.git", APP),
    ("https://github.com/acme/app", APP),
    ("http://github.com:80/acme/app", APP),
    ("https://www.github.com/acme/app", APP),
    ("  https://github.com/acme/app\n", APP),
    ("https://ada:ghp_secret@github.com/acme/app.git/", APP),
    ("https://ghp_secret@GitHub.com/acme/app.git?token=x#y", APP),
    ("https://x-access-token:s@github.com:443/acme/app.git", APP),
    ("https://github.com/acme/app/tree/main/src", APP),
    ("https://github.com/acme/app/pull/12/files", APP),
    ("git@github.com:acme/app.git", APP),
    ("git@github.com:acme/app.git/", APP),
    ("ada:secret@github.com:acme/app.git", APP),
    ("github.com:acme/app", APP),
    ("git@github.com:/acme/app.git", APP),
    ("git@ssh.github.com:acme/app.git", APP),
    ("ssh://git@github.com/acme/app.git", APP),
    ("ssh://git@ssh.github.com:443/acme/app.git", APP),
    ("git+ssh://git@github.com/acme/app.git", APP),
    ("git+https://github.com/acme/app.git#v2", APP),
    ("ssh+git://git@github.com/acme/app", APP),
    ("git://github.com/acme/app.git", APP),
    ("https://github.com//acme//app", APP),
    ("https://github.com./acme/app", APP),
    ("ssh://git@git.acme.test:2222/acme/app.git", "git.acme.test/acme/app"),
    ("https://git.acme.test:8443/acme/app.git", "git.acme.test:8443/acme/app"),
    ("git.acme.test:8443/acme/app", "git.acme.test:8443/acme/app"),
    ("https://git.acme.test:443/acme/app.git", "git.acme.test/acme/app"),
    ("https://git.acme.test/acme/app/pull/7", "git.acme.test/acme/app"),
    ("https://git.acme.test/team/sub/deep/app", "git.acme.test/team/sub/deep/app"),
    ("git://git.acme.test/app.git", "git.acme.test/app"),
    ("git@gitserver:team/app.git", "gitserver/team/app"),
    ("https://[2001:db8::1]:8443/acme/app", "[2001:db8::1]:8443/acme/app"),
    ("git@[2001:db8::1]:acme/app.git", "[2001:db8::1]/acme/app"),
    ("git@gitlab.com:group/sub/deep/app.git", "gitlab.com/group/sub/deep/app"),
    ("https://gitlab.com/group/sub/app/-/tree/main", "gitlab.com/group/sub/app"),
    ("https://gitlab-ci-token:x@gitlab.acme.test/g/app", "gitlab.acme.test/g/app"),
    ("ssh://git@altssh.gitlab.com:443/g/app.git", "gitlab.com/g/app"),
    ("https://ada@bitbucket.org/acme/app.git", "bitbucket.org/acme/app"),
    ("https://bitbucket.org/acme/app/src/main/", "bitbucket.org/acme/app"),
    ("git@bitbucket.org:acme/app.git", "bitbucket.org/acme/app"),
    ("https://bitbucket.acme.test/scm/shop/app.git", "bitbucket.acme.test/shop/app"),
    ("ssh://git@bitbucket.acme.test:7999/shop/app.git", "bitbucket.acme.test/shop/app"),
    ("https://bitbucket.acme.test/projects/SHOP/repos/app", "bitbucket.acme.test/shop/app"),
    ("https://bitbucket.acme.test/users/ada/repos/app", "bitbucket.acme.test/~ada/app"),
    ("https://dev.azure.com/acme/shop/_git/app", AZURE),
    ("https://acme@dev.azure.com/acme/shop/_git/app", AZURE),
    ("https://dev.azure.com/acme/shop/_git/app/pullrequest/12", AZURE),
    ("git@ssh.dev.azure.com:v3/acme/shop/app", AZURE),
    ("acme@vs-ssh.visualstudio.com:v3/acme/shop/app", AZURE),
    ("https://acme.visualstudio.com/shop/_git/app", AZURE),
    ("https://acme.visualstudio.com/DefaultCollection/shop/_git/app", AZURE),
    ("https://acme.visualstudio.com/_git/app", "dev.azure.com/acme/app/_git/app"),
    ("https://dev.azure.com/acme/_git/app", "dev.azure.com/acme/app/_git/app"),
    ("https://dev.azure.com/acme/My Shop/_git/app", "dev.azure.com/acme/My%20Shop/_git/app"),
]
NONE = [
    "/srv/git/app.git",
    "../app.git",
    "./a:b/c",
    "~/app.git",
    "file:///home/ada/app.git",
    "C:\\src\\app",
    "C:/src/app",
    "https://github.com/",
    "https://github.com/acme",
    "https://dev.azure.com/acme/shop",
    "https://dev.azure.com/_git/app",
    "https://[broken/x",
    "https://host:port/x",
    "ext::sh -c evil",
    "javascript://github.com/acme/app",
    "https://github.com/../acme/app",
    "https://github.com/%2e%2e/app",
    "https://git.acme.test/a\\b",
    "git@github.com:acme/a\x00pp",
    "git@github.com:acme/a\npp",
    "git@github.com:acme/\u202eapp",
    "https://-evil.test/a/b",
    "https://github.com/acme/" + "x" * 300,
    "https://github.com/" + "x/" * 2000,
    "",
    " ",
]
NO_BRANCHES = [
    *("", "-x", "/x", "x/", "a b", "a..b", "a~1", "a^", "a:b", "a\\b", "a\nb", "a\x1bb", "@"),
    *("x.lock", "a@{1}", ".x", "x.", "a*", "a?", "a[", "a//b", "x" * 301),
]


@pytest.mark.parametrize(("remote", "name"), REMOTES)
def test_remotes(remote: str, name: str) -> None:
    assert normalise_remote(remote) == name
    assert repository_of(remote) == name
    assert repository_of(name) == name, "a name stays as it is"


@pytest.mark.parametrize("remote", NONE)
def test_what_is_no_remote(remote: str) -> None:
    assert normalise_remote(remote) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("acme/app", APP),
        ("acme/app.git", APP),
        ("github.com/acme/app", APP),
        ("gitlab.com/acme/app", "gitlab.com/acme/app"),
        ("https://gitlab.com/acme/app", "gitlab.com/acme/app"),
        ("acme", None),
        ("acme/..", None),
        ("acme/app\x1b[31m", None),
    ],
)
def test_an_agents_way_to_name_a_repository(text: str, name: str | None) -> None:
    assert repository_of(text, default_host="github.com") == name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", f"{APP}#12"),
        ("#12", f"{APP}#12"),
        ("!12", f"{APP}#12"),
        ("PR #12", f"{APP}#12"),
        ("pull request 12", f"{APP}#12"),
        ("#0012", f"{APP}#12"),
        ("acme/web#7", "github.com/acme/web#7"),
        ("acme/web/pull/7", "github.com/acme/web#7"),
        ("github.com/acme/web#7", "github.com/acme/web#7"),
        ("gitlab.com/g/sub/app!7", "gitlab.com/g/sub/app#7"),
        ("https://github.com/acme/web/pull/7", "github.com/acme/web#7"),
        ("https://github.com/acme/web/pull/7/files?w=1#diff-1", "github.com/acme/web#7"),
        ("https://ada:x@github.acme.test/a/b/pull/7/", "github.acme.test/a/b#7"),
        ("https://gitlab.com/g/sub/app/-/merge_requests/7", "gitlab.com/g/sub/app#7"),
        ("https://gitlab.acme.test/g/app/merge_requests/7/diffs", "gitlab.acme.test/g/app#7"),
        ("https://bitbucket.org/acme/app/pull-requests/7", "bitbucket.org/acme/app#7"),
        (
            "https://bitbucket.acme.test/projects/SHOP/repos/app/pull-requests/7/overview",
            "bitbucket.acme.test/shop/app#7",
        ),
        ("https://dev.azure.com/acme/shop/_git/app/pullrequest/7", f"{AZURE}#7"),
        ("0", None),
        ("#", None),
        ("-1", None),
        ("1234567890", None),
        ("twelve", None),
        ("acme#12", None),
        ("app12", None),
        ("https://github.com/acme/web/issues/7", None),
        ("https://github.com/acme/web/pull/x", None),
        ("../..#12", None),
        ("12\n13", None),
        ("", None),
    ],
)
def test_pull_requests(text: str, value: str | None) -> None:
    found = pull_request_of(text, APP)
    assert (found.value if found else None) == value


def test_a_number_alone_is_of_no_repository() -> None:
    assert pull_request_of("#12") is None
    assert pull_request_of("g/app!12", "gitlab.com/g/web").value == "gitlab.com/g/app#12"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name", ["main", "feat/a+b", "fix#12", "é", "release/1.0", "a-b_c", "x" * 300]
)
def test_branches(name: str) -> None:
    assert branch_of(name) == name


@pytest.mark.parametrize("name", NO_BRANCHES)
def test_what_no_branch_is_called(name: str) -> None:
    assert branch_of(name) == ""


def test_commits() -> None:
    assert commit_of("ABCDEF1") == "abcdef1"
    assert commit_of("abc12") == commit_of("g" * 40) == commit_of("a" * 65) == ""
