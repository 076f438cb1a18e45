"""Only what plainly has a page of its own is linked."""

import pytest

from tidegate.core.remotes import (
    Forge,
    commit_url,
    forge_of,
    pull_request_url,
    repository_name,
    repository_url,
)


@pytest.mark.parametrize(
    ("repository", "href"),
    [
        ("github.com/acme/app", "https://github.com/acme/app"),
        ("github.com/acme/app.js", "https://github.com/acme/app.js"),
        ("gitlab.com/g/sub/app", "https://gitlab.com/g/sub/app"),
        ("bitbucket.org/acme/app", "https://bitbucket.org/acme/app"),
        ("dev.azure.com/acme/My%20Shop/_git/app", "https://dev.azure.com/acme/My%20Shop/_git/app"),
        ("github.acme.test/acme/app", "https://github.acme.test/acme/app"),
        ("acme.ghe.com/acme/app", "https://acme.ghe.com/acme/app"),
        ("gitlab.acme.test:8443/g/app", "https://gitlab.acme.test:8443/g/app"),
        ("bitbucket.acme.test/shop/app", "https://bitbucket.acme.test/projects/SHOP/repos/app"),
        ("bitbucket.acme.test/~ada/app", "https://bitbucket.acme.test/users/ada/repos/app"),
        ("github.com/acme", ""),
        ("github.com/acme/app/extra", ""),
        ("github.com/../app", ""),
        ("github.com/acme/..", ""),
        ("gitlab.com/g/%2e%2E/app", ""),
        ("github.com/-acme/app", ""),
        ("github.com/acme/app?tab=x", ""),
        ("github.com/acme/app#x", ""),
        ("github.com/acme/<script>", ""),
        ("github.com.evil.example/acme/app", ""),
        ("github.com@evil.example/acme/app", ""),
        ("evil.example/github.com/acme", ""),
        ("github/acme/app", ""),
        ("javascript:alert(1)//acme/app", ""),
        ("git.acme.test/acme/app", ""),
        ("dev.azure.com/acme/shop", ""),
        ("app", ""),
        ("", ""),
        ("github.com/acme/" + "x" * 101, ""),
    ],
)
def test_repositories(repository: str, href: str) -> None:
    assert repository_url(repository) == href


def test_a_host_of_ones_own_is_linked_where_it_is_known() -> None:
    assert forge_of("git.acme.test") is Forge.UNKNOWN
    assert forge_of("git.acme.test", {"git.acme.test"}) is Forge.GITHUB
    known = frozenset({"git.acme.test"})
    assert pull_request_url("git.acme.test/a/b", "7", known) == "https://git.acme.test/a/b/pull/7"


def test_how_a_repository_is_written() -> None:
    name = repository_name("github.com/acme/app")
    assert (name.owner, name.name) == ("acme", "app")
    name = repository_name("gitlab.com/team/sub/app")
    assert (name.owner, name.name) == ("gitlab.com/team/sub", "app")
    name = repository_name("dev.azure.com/acme/shop/_git/app")
    assert (name.owner, name.name) == ("dev.azure.com/acme/shop", "app")
    assert repository_name("app").name == "app"


@pytest.mark.parametrize(
    ("repository", "pull_request", "commit"),
    [
        ("github.com/acme/app", "/pull/12", "/commit/abc1234"),
        ("gitlab.com/g/sub/app", "/-/merge_requests/12", "/-/commit/abc1234"),
        ("bitbucket.org/acme/app", "/pull-requests/12", "/commits/abc1234"),
        ("dev.azure.com/acme/shop/_git/app", "/pullrequest/12", "/commit/abc1234"),
    ],
)
def test_pages_of_each_forge(repository: str, pull_request: str, commit: str) -> None:
    assert pull_request_url(repository, "12") == f"https://{repository}{pull_request}"
    assert commit_url(repository, "abc1234") == f"https://{repository}{commit}"


@pytest.mark.parametrize("number", ["0", "1/../..", "", "x", "12 "])
def test_what_is_no_number(number: str) -> None:
    assert pull_request_url("github.com/acme/app", number) == ""


def test_what_is_no_commit() -> None:
    assert commit_url("github.com/acme/app", "../../x") == ""
    assert commit_url("git.example/acme/app", "abc1234") == ""
