import pytest
from tests.unit.services.world import FakeClock

from tidegate.services.attempts import AttemptLimit
from tidegate.services.errors import TooMany

SECOND_US = 1_000_000


def spent(limit: AttemptLimit, subject: str = "a", most: int = 50) -> int:
    """How many attempts there are until it is too many."""
    for count in range(most):
        try:
            limit.begin(subject)
        except TooMany:
            return count
    return most


def test_attempts_run_out_and_come_back() -> None:
    clock = FakeClock()
    limit = AttemptLimit(clock, burst=3, refill_s=60)
    assert spent(limit) == 3
    assert spent(limit, "b") == 3
    with pytest.raises(TooMany) as caught:
        limit.begin("a")
    assert caught.value.wait_s == 60
    clock.now_us += 59 * SECOND_US
    assert spent(limit) == 0
    clock.now_us += SECOND_US
    assert spent(limit) == 1
    clock.now_us += 3600 * SECOND_US
    assert spent(limit) == 3


def test_a_right_attempt_is_given_back() -> None:
    limit = AttemptLimit(FakeClock(), burst=3, refill_s=60)
    limit.begin("a")
    limit.give_back("a")
    limit.give_back("a")
    assert spent(limit) == 3


def test_a_clock_that_goes_back_gives_nothing() -> None:
    clock = FakeClock()
    limit = AttemptLimit(clock, burst=1, refill_s=60)
    limit.begin("a")
    clock.now_us -= 3600 * SECOND_US
    assert spent(limit) == 0


def test_a_bounded_number_of_subjects_is_remembered() -> None:
    limit = AttemptLimit(FakeClock(), burst=1, refill_s=60, subjects=100)
    for n in range(10_000):
        limit.begin(str(n))
    assert spent(limit, "9999") == 0
    assert spent(limit, "0") == 1
    assert len(limit._buckets) == 100


@pytest.mark.parametrize(
    ("wait_s", "told"), [(1, "a minute"), (60, "a minute"), (61, "2 minutes"), (600, "10 minutes")]
)
def test_how_long_to_wait_is_told(wait_s: int, told: str) -> None:
    assert TooMany(wait_s).message == f"Too many attempts. Wait {told}, then try again."
