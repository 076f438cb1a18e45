"""The filters of the list of sessions as they stand in the address."""

import pytest
from starlette.datastructures import QueryParams

from tidegate.console.session_query import SessionQuery, read_session_query
from tidegate.services.session_reports import SessionFilter

EVERYTHING = (
    "range=custom&first=2026-11-01&last=2026-11-20&member=mem_1&member=mem_2&agent=codex"
    "&model=gpt-6&repository=github.com%2Facme%2Fapp&branch=main&pull_request=12&errors=yes"
    "&cost=2.5&find=flaky&sort=cost&at=a5.ses_1"
)


def test_an_address_leads_back_to_itself() -> None:
    query = read_session_query(QueryParams(EVERYTHING))
    assert query.faults == {}
    assert set(query.text().split("&")) == set(EVERYTHING.split("&"))
    assert read_session_query(QueryParams(query.text())) == query


def test_every_parameter_is_a_part_of_the_filter() -> None:
    query = read_session_query(QueryParams(EVERYTHING))
    assert query.filter(5, 9) == SessionFilter(
        member_ids=("mem_1", "mem_2"),
        agents=("codex",),
        model="gpt-6",
        repository="github.com/acme/app",
        branch="main",
        pull_request="github.com/acme/app#12",
        has_errors=True,
        least_cost_nusd=2_500_000_000,
        start_us=5,
        end_us=9,
        search="flaky",
    )


def test_what_is_usual_is_left_out() -> None:
    assert SessionQuery().address() == "/sessions"
    assert SessionQuery().range_name == "7d"
    assert SessionQuery(find="x").range_name == "all"
    assert SessionQuery(sort="cost").with_sort("last") == "/sessions"


def test_another_filter_keeps_the_order_and_begins_at_the_top() -> None:
    query = SessionQuery(sort="cost", agent=("codex",), at="a5.ses_1")
    assert query.url(branch="main") == "/sessions?agent=codex&branch=main&sort=cost"
    assert query.cleared() == "/sessions?sort=cost"
    assert query.filters_text() == "agent=codex&sort=cost"
    assert query.is_filtered
    assert not SessionQuery(sort="cost", at="a5.ses_1", range="30d").is_filtered


def test_a_pull_request_may_be_whole() -> None:
    query = read_session_query(QueryParams("pull_request=gitlab.com/g/app%2312"))
    assert query.filter(0, 0).pull_request == "gitlab.com/g/app#12"
    beside = read_session_query(QueryParams("pull_request=%2312&repository=gitlab.com/g/app"))
    assert beside.filter(0, 0).pull_request == "gitlab.com/g/app#12"


@pytest.mark.parametrize(
    ("address", "name", "told"),
    [
        ("frobnicate=1", "frobnicate", "There is no filter “frobnicate”."),
        ("agent=emacs", "agent", "Choose from claude_code, codex, opencode."),
        ("sort=colour", "sort", "Choose from last, begun, cost, tokens, requests, duration."),
        ("errors=1", "errors", "Choose from yes, no."),
        ("cost=much", "cost", "Write an amount in dollars"),
        ("cost=-1", "cost", "Write an amount in dollars"),
        ("cost=1e400", "cost", "Write an amount in dollars"),
        ("pull_request=12", "pull_request", "A number alone needs a repository."),
        ("pull_request=twelve", "pull_request", "Write a pull request like"),
        ("pull_request=%2300", "pull_request", "Write a pull request like"),
        ("model=a&model=b", "model", "too many values"),
        ("find=%00", "find", "characters that no name has"),
    ],
)
def test_what_is_wrong_is_told_by_name(address: str, name: str, told: str) -> None:
    assert told in read_session_query(QueryParams(address)).faults[name]
