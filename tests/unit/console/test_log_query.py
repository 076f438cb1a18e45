"""The log's filters as they stand in the address."""

import pytest
from starlette.datastructures import QueryParams

from tidegate.console.log_query import LogQuery, read_log_query
from tidegate.services.request_log import LogFilter

EVERYTHING = (
    "range=custom&first=2026-11-01&last=2026-11-20&member=mem_1&member=mem_2&agent=codex"
    "&model=gpt-6&model=-&outcome=cut&key=key_1&session=ses_1&repository=github.com%2Facme%2Fapp"
    "&status=4xx&billing=api&captured=yes&estimated=no&unpriced=yes&ids=req_1&at=n1.req_1&open=req_2"
)


def test_an_address_leads_back_to_itself() -> None:
    query = read_log_query(QueryParams(EVERYTHING))
    assert query.faults == {}
    assert set(query.text().split("&")) == set(EVERYTHING.split("&"))
    assert read_log_query(QueryParams(query.text())) == query


def test_every_parameter_is_a_part_of_the_filter() -> None:
    query = read_log_query(QueryParams(EVERYTHING))
    assert query.filter(5, 9) == LogFilter(
        member_ids=("mem_1", "mem_2"),
        agents=("codex",),
        key_id="key_1",
        models=("gpt-6", ""),
        session_id="ses_1",
        repository="github.com/acme/app",
        outcomes=("cut",),
        billing="api",
        status_class="4xx",
        captured=True,
        estimated=False,
        price_unknown=True,
        start_us=5,
        end_us=9,
        ids="req_1",
    )


def test_what_is_usual_is_left_out() -> None:
    assert LogQuery().address() == "/logs"
    assert LogQuery().range_name == "24h"
    assert LogQuery(range="24h").address() == "/logs"
    assert LogQuery(ids="x").range_name == "all"
    assert LogQuery(ids="x", range="all").address() == "/logs?ids=x"
    assert LogQuery(ids="x", range="24h").address() == "/logs?range=24h&ids=x"


def test_another_filter_begins_with_the_newest_row() -> None:
    query = LogQuery(agent=("codex",), at="o1.req_1", open="req_1")
    assert query.url(status="5xx") == "/logs?agent=codex&status=5xx"
    assert query.with_row("req_2") == "/logs?agent=codex&at=o1.req_1&open=req_2"
    assert query.with_range("7d") == "/logs?range=7d&agent=codex"
    assert query.cleared() == "/logs"
    assert query.filters_text() == "agent=codex"
    assert query.kept("agent") == []


def test_values_are_told_once_and_without_blanks() -> None:
    query = read_log_query(QueryParams("model=+a+&model=a&model=&key=&ids=+x"))
    assert (query.model, query.key, query.ids, query.faults) == (("a",), "", "x", {})


@pytest.mark.parametrize(
    ("address", "name", "told"),
    [
        ("frobnicate=1", "frobnicate", "There is no filter “frobnicate”."),
        ("since=1", "since", "There is no filter"),
        ("agent=emacs", "agent", "Choose from claude_code, codex, opencode."),
        ("outcome=fine", "outcome", "is not a value of “outcome”"),
        ("status=600", "status", "Choose from 2xx, 3xx, 4xx, 5xx."),
        ("range=fortnight", "range", "Choose from 24h, 7d, 30d, 90d, all, custom, exact."),
        ("billing=cash", "billing", "Choose from api, subscription."),
        ("captured=maybe", "captured", "Choose from yes, no."),
        ("estimated=1", "estimated", "Choose from yes, no."),
        ("unpriced=x", "unpriced", "Choose from yes, no."),
        ("key=a&key=b", "key", "too many values of “key”"),
        ("&".join(f"member={i}" for i in range(101)), "member", "too many values of “member”"),
        (f"session={'s' * 501}", "session", "too long"),
        ("repository=a%00b", "repository", "characters that no name has"),
        ("model=%E2%80%AEx", "model", "characters that no name has"),
        (f"%00{'x' * 99}=1", f"?{'x' * 39}…", "There is no filter"),
    ],
)
def test_nonsense_is_told_by_its_name(address: str, name: str, told: str) -> None:
    query = read_log_query(QueryParams(address))
    assert list(query.faults) == [name]
    assert told in query.faults[name]
    assert query.is_filtered is False


def test_other_parameters_of_a_part_are_no_filters() -> None:
    assert read_log_query(QueryParams("since=n1.x&agent=codex"), "since").faults == {}
