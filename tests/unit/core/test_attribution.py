"""What a request counts for, by the links of its session."""

import pytest

from tidegate.core.attribution import (
    FOREVER_US,
    Method,
    TimedLink,
    Whereabouts,
    changed,
    pieces_of,
    split_pull_request,
    stated_anew,
    where_at,
)

A, B = "github.com/acme/app", "github.com/acme/lib"


def repository(value: str, at_us: int, method: str = "launch") -> TimedLink:
    return TimedLink("repository", value, method, at_us)


def pull(value: str, at_us: int, method: str = "tool") -> TimedLink:
    return TimedLink("pull_request", value, method, at_us)


CASES: dict[str, tuple[list[TimedLink], dict[int, tuple[str, str]]]] = {
    "nothing is known": ([], {5: ("", "")}),
    "before the first it is the first": ([repository(A, 10)], {0: (A, ""), 10: (A, "")}),
    "the latest holds": (
        [repository(A, 10), repository(B, 20)],
        {0: (A, ""), 19: (A, ""), 20: (B, ""), 99: (B, "")},
    ),
    "what was done goes before what was started with": (
        [repository(B, 20, "tool"), repository(A, 10), repository(A, 30)],
        {0: (A, ""), 15: (A, ""), 20: (B, ""), 40: (B, "")},
    ),
    "what was done first holds for all before": (
        [repository(B, 5, "mcp"), repository(A, 10)],
        {0: (B, ""), 7: (B, ""), 12: (B, "")},
    ),
    "a turn's metadata go before the launch at the same time": (
        [repository(A, 10), repository(B, 10, "turn_metadata")],
        {10: (B, "")},
    ),
    "a person's word holds for all of it": (
        [repository(A, 10), repository(B, 50, "person"), repository(A, 60, "tool")],
        {0: (B, ""), 70: (B, "")},
    ),
    "a person says that there is none": (
        [repository(A, 10), repository("", 50, "person"), pull(f"{A}#1", 20)],
        {0: ("", ""), 70: ("", "")},
    ),
    "a pull request counts from the session's beginning": (
        [repository(A, 10), pull(f"{A}#1", 30)],
        {0: (A, "1"), 99: (A, "1")},
    ),
    "a pull request holds where its repository does": (
        [repository(A, 10), repository(B, 20), repository(A, 40), pull(f"{A}#1", 30)],
        {15: (A, "1"), 25: (B, ""), 45: (A, "1")},
    ),
    "each repository has its own": (
        [
            repository(A, 10), repository(B, 20), repository(A, 40),
            pull(f"{A}#1", 12), pull(f"{B}#2", 30), pull(f"{A}#3", 50),
        ],
        {0: (A, "1"), 20: (B, "2"), 45: (A, "1"), 50: (A, "3")},
    ),
    "a person's pull request replaces the others": (
        [repository(A, 10), pull(f"{A}#1", 12), pull(f"{A}#7", 90, "person")],
        {0: (A, "7"), 95: (A, "7")},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("links", "expected"), CASES.values(), ids=CASES)
def test_which_holds_when(links: list[TimedLink], expected: dict[int, tuple[str, str]]) -> None:
    for order in (links, links[::-1]):
        pieces = pieces_of(order)
        for at_us, (name, number) in expected.items():
            assert where_at(pieces, at_us) == Whereabouts(name, "", number)


def test_changes_are_the_times_at_which_two_differ() -> None:
    before = pieces_of([repository(A, 10), repository(B, 20)])
    after = pieces_of([repository(A, 10), repository(B, 30)])
    assert changed(before, before) == []
    assert changed(before, after) == [(20, 30, Whereabouts(A))]
    assert changed(pieces_of([]), after) == [
        (0, 30, Whereabouts(A)),
        (30, FOREVER_US, Whereabouts(B)),
    ]


@pytest.mark.parametrize(
    ("known", "said", "again_us", "added", "removed"),
    [
        ([], (A, 5), None, [(A, 5)], []),
        ([(A, 5)], (A, 9), None, [], []),
        ([(A, 5)], (A, 3), None, [(A, 3)], [(A, 5)]),
        ([(A, 5)], (B, 3), None, [(B, 3)], []),
        ([(A, 5)], (B, 9), None, [(B, 9)], []),
        ([(A, 5)], (B, 9), 12, [(B, 9), (A, 12)], []),
        ([(A, 5), (B, 20)], (B, 9), None, [(B, 9)], []),
    ],
)
def test_statements_are_kept_where_they_change(
    known: list[tuple[str, int]],
    said: tuple[str, int],
    again_us: int | None,
    added: list[tuple[str, int]],
    removed: list[tuple[str, int]],
) -> None:
    links = [repository(*each) for each in known]
    found = stated_anew(links, repository(*said), again_us=again_us)
    assert found == ([repository(*x) for x in added], [repository(*x) for x in removed])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(f"{A}#12", (A, "12")), ("#12", ("", "")), ("12", ("", "")), ("", ("", ""))],
)
def test_a_pull_request_names_its_repository(value: str, expected: tuple[str, str]) -> None:
    assert split_pull_request(value) == expected


def test_methods_are_those_of_the_store() -> None:
    assert {m.value for m in Method} == {
        "launch", "turn_metadata", "tool", "mcp", "branch", "person",
    }  # fmt: skip
