"""Only what is plainly a repository on GitHub is linked."""

import pytest

from tidegate.console.github_links import pull_request_link, repository_name


@pytest.mark.parametrize(
    ("repository", "href"),
    [
        ("github.com/acme/app", "https://github.com/acme/app"),
        ("GitHub.com/acme/app.js", "https://github.com/acme/app.js"),
        ("github.com/acme", ""),
        ("github.com/acme/app/extra", ""),
        ("github.com/../app", ""),
        ("github.com/acme/..", ""),
        ("github.com/-acme/app", ""),
        ("github.com/acme/app?tab=x", ""),
        ("github.com/acme/app#x", ""),
        ("github.com/acme/<script>", ""),
        ("github.com.evil.example/acme/app", ""),
        ("evil.example/github.com/acme", ""),
        ("javascript:alert(1)//acme/app", ""),
        ("gitlab.example/team/app", ""),
        ("app", ""),
        ("", ""),
        ("github.com/acme/" + "x" * 101, ""),
    ],
)
def test_links(repository: str, href: str) -> None:
    assert repository_name(repository).href == href


def test_other_hosts_are_written_out() -> None:
    name = repository_name("gitlab.example/team/app")
    assert (name.owner, name.name) == ("gitlab.example/team", "app")
    assert repository_name("app").name == "app"


@pytest.mark.parametrize(
    ("number", "href"),
    [
        ("12", "https://github.com/acme/app/pull/12"),
        ("0", ""),
        ("1/../..", ""),
        ("", ""),
        ("x", ""),
    ],
)
def test_pull_requests(number: str, href: str) -> None:
    assert pull_request_link("github.com/acme/app", number) == href
    assert pull_request_link("gitlab.example/team/app", "12") == ""
