"""The state in the address: read leniently, written canonically."""

import pytest
from starlette.datastructures import QueryParams

from tidegate.console.team_query import TeamQuery, read_query
from tidegate.services.team import Metric


def read(query: str) -> TeamQuery:
    return read_query(QueryParams(query))


@pytest.mark.parametrize(
    "query",
    [
        "",
        "sort=tokens",
        "sort=requests&range=24h&view=table&find=aiko&page=3",
        "range=custom&first=2026-01-01&last=2026-02-01",
        "chart=table&members=all&repositories=2&pulls=1&skip=2",
    ],
)
def test_what_is_written_is_read_the_same(query: str) -> None:
    state = read(query)
    assert read(state.text()) == state
    assert sorted(state.text().split("&")) == sorted(query.split("&"))


@pytest.mark.parametrize(
    "query",
    [
        "sort=profit&range=forever&view=3d&page=-1&repositories=x&pulls=99999999999999999999",
        "sort=&range=&page=",
        "page=%F0%9F%8C%8A&page=²",
        "first=2026-01-01&last=2026-01-02",
        "unknown=1&path=//elsewhere.example",
    ],
)
def test_nonsense_counts_as_not_given(query: str) -> None:
    assert read(query) == TeamQuery()


def test_the_address_of_another_state_keeps_the_rest() -> None:
    state = read("sort=tokens&range=7d&page=2")
    assert state.url(sort=Metric.COST) == "/?range=7d&page=2"
    assert state.with_range("90d") == "/?sort=tokens&range=90d"
    assert read("").url() == "/"
    assert read_query(QueryParams("sort=tokens"), "/my-usage").url() == "/my-usage?sort=tokens"


def test_a_form_sends_what_it_does_not_change() -> None:
    state = read("sort=tokens&range=7d&page=2&find=aiko")
    assert state.kept("find") == [("sort", "tokens"), ("range", "7d")]


@pytest.mark.parametrize("day", ["", "yesterday", "2026-02-30", "26-1-1", "2026-01-01T00:00"])
def test_what_is_no_day_is_none(day: str) -> None:
    assert read(f"range=custom&first={day}&last=2026-01-01").first_day is None


def test_what_is_looked_for_is_cut() -> None:
    assert len(read("find=" + "x" * 5000).find) == 100
