"""Forms that only our own pages can send."""

import pytest
from starlette.datastructures import Headers

from tidegate.console import csrf

ORIGINS = frozenset({"https://tidegate.example"})


def test_a_token_is_masked_anew_and_holds_for_its_cookie_alone() -> None:
    first, second = csrf.token_for("cookie"), csrf.token_for("cookie")
    assert first != second
    assert csrf.is_token_for("cookie", first)
    assert csrf.is_token_for("cookie", second)
    assert not csrf.is_token_for("another", first)


@pytest.mark.parametrize("token", ["", "zz", "00", "00" * 31, "00" * 32, "é" * 64])
def test_what_is_no_token(token: str) -> None:
    assert not csrf.is_token_for("cookie", token)


def test_without_a_cookie_no_token_holds() -> None:
    assert not csrf.is_token_for("", csrf.token_for(""))


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"origin": "https://tidegate.example", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "null"}, True),
        ({}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"origin": "https://tidegate.example", "sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://tidegate.example"}, False),
        ({"origin": "https://tidegate.example.evil"}, False),
        ({"origin": "https://evil.example"}, False),
    ],
)
def test_own_origin(headers: dict[str, str], own: bool) -> None:
    assert csrf.is_own_origin(Headers(headers), ORIGINS) is own
