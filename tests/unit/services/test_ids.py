import re
import time

from tidegate.services.ids import new_id


def test_ids_are_uuid7_with_a_prefix_and_sort_by_time() -> None:
    before_ms = time.time_ns() // 1_000_000
    made = new_id("key")
    assert re.fullmatch(r"key_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}", made)
    assert before_ms <= int(made[4:16], 16) <= time.time_ns() // 1_000_000
    assert len({new_id("key") for _ in range(1000)}) == 1000


def test_ids_made_in_turn_within_a_millisecond_sort_in_turn() -> None:
    """Entries of the audit log are read in the order of their ids."""

    def later_than(earlier: str) -> str:
        at_ns = time.time_ns()
        while time.time_ns() < at_ns + 2_000:
            pass
        return new_id(earlier.partition("_")[0])

    made = [new_id("aud")]
    for _ in range(200):
        made.append(later_than(made[-1]))
    assert made == sorted(made)
