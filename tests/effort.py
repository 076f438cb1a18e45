"""How hard property tests try: partly in `make check`, in full in `make test`, more in soak."""

import os

EFFORT = float(os.environ.get("TIDEGATE_TEST_EFFORT", "1"))


def examples(count: int) -> int:
    """How many examples to try where `count` is the full number."""
    return max(5, round(count * EFFORT))
