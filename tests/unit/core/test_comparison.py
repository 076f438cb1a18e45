"""What a comparison may say, and from how many sessions on."""

import math
import random

import pytest

from tidegate.core.comparison import (
    LEAST_SESSIONS,
    SessionGroup,
    difference,
    sessions_needed,
)


def group(costs: list[float]) -> SessionGroup:
    """Sessions of one request each."""
    return SessionGroup(
        sessions=len(costs),
        requests=len(costs),
        cost_nusd=round(sum(costs)),
        means=sum(costs),
        squares=sum(cost * cost for cost in costs),
    )


def drawn(mean: float, spread: float, sessions: int, seed: int) -> SessionGroup:
    dice = random.Random(seed)
    return group([dice.gauss(mean, spread) for _ in range(sessions)])


def test_the_spread_is_that_of_the_sessions() -> None:
    assert group([2.0, 4.0, 9.0]).mean == 5
    assert group([2.0, 4.0, 9.0]).variance == pytest.approx(13)
    assert group([7.0]).variance == 0
    assert (SessionGroup().mean, SessionGroup().variance) == (0, 0)
    both = group([2.0]) + group([4.0, 9.0])
    assert both == group([2.0, 4.0, 9.0])


@pytest.mark.parametrize("sessions", [0, 1, LEAST_SESSIONS - 1])
def test_of_few_sessions_not_even_the_number_is_known(sessions: int) -> None:
    few = group([1.0] * sessions)
    assert sessions_needed(few, SessionGroup()) is None
    assert difference(few, few) is None or sessions * 2 >= LEAST_SESSIONS


def test_the_more_sessions_differ_the_more_are_needed() -> None:
    """By hand: 2.8 x sqrt(2 x 50 x 50) / 10 squared is 392, for a spread of half the mean."""
    needed = sessions_needed(drawn(100, 50, 20_000, 1), drawn(100, 50, 20_000, 2))
    assert needed is not None
    assert needed == pytest.approx(392, rel=0.03)
    assert sessions_needed(group([5.0] * 40), SessionGroup()) == LEAST_SESSIONS


def test_too_few_of_either_kind_say_nothing() -> None:
    many, few = drawn(100, 50, 20_000, 1), drawn(100, 50, 100, 2)
    assert difference(many, few) is None
    assert difference(few, many) is None
    assert difference(SessionGroup(), many) is None


def test_enough_sessions_tell_the_difference_and_how_sure_it_is() -> None:
    found = difference(drawn(80, 40, 2_000, 1), drawn(100, 50, 2_000, 2))
    assert found is not None
    assert found.least < found.share < found.most
    assert found.least < 0.2 < found.most
    width = 2 * 1.96 * math.sqrt((40**2 + 50**2) / 2_000) / 100
    assert found.most - found.least == pytest.approx(width, rel=0.05)


def test_the_bounds_hold_the_truth_in_95_of_100() -> None:
    held = 0
    for seed in range(200):
        found = difference(drawn(90, 45, 500, 2 * seed), drawn(100, 45, 500, 2 * seed + 1))
        assert found is not None
        held += found.least <= 0.1 <= found.most
    assert 180 <= held <= 199
