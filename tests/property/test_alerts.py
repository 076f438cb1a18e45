"""Whatever values come at whatever times, each crossing is told once and only if there was one."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tidegate.core.alerts import Reading, State, crossing, step

LEVELS = (50, 80, 100)
READINGS = st.lists(st.tuples(st.integers(0, 130), st.integers(0, 5), st.booleans()), max_size=60)


@given(READINGS, st.sampled_from([80, 95, 100]))
def test_each_crossing_is_told_at_most_once(
    readings: list[tuple[int, int, bool]], release: int
) -> None:
    """Windows come in any order, as they do when a clock jumps; a restart changes nothing."""
    state = State(rule_id="r", organization_id="o", subject="s")
    told: set[str] = set()
    for value, window, fires in readings:
        reading = Reading(
            subject="s", value=value, window=str(window), may_fire=fires, release=release
        )
        taken = step(state, LEVELS, reading, 0)
        again = step(taken.state, LEVELS, reading, 0)
        assert again.fired == 0
        assert again.state == taken.state  # the same reading twice is one
        if taken.fired:
            name = crossing(reading, taken.fired, taken.rearmed)
            assert name not in told
            assert max(t for t in LEVELS if value >= t) == taken.fired
            assert taken.fired not in taken.passed
            told.add(name)
        state = replace(taken.state, alert_id="a" if taken.fired else taken.state.alert_id)
        assert value * 100 >= state.peak * release  # what is reached is not over


@given(st.lists(st.integers(0, 200), max_size=40))
def test_what_only_rises_is_told_once_a_threshold(values: list[int]) -> None:
    state = State(rule_id="r", organization_id="o", subject="s")
    told = []
    for value in sorted(values):
        taken = step(state, LEVELS, Reading(subject="s", value=value), 0)
        state = taken.state
        told += [taken.fired] if taken.fired else []
    reached = {t for t in LEVELS if values and max(values) >= t}
    assert len(told) == len(set(told))
    assert set(told) <= reached
    assert (max(told) if told else 0) == max(reached, default=0)
