"""What tests of several kinds share."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.effort import EFFORT, examples
from tests.postgresql import Postgresql, running_postgresql

# The same examples in each `make check` and `make test`; soak and fuzzer look for new ones.
settings.register_profile(
    "effort", max_examples=examples(100), deadline=None, derandomize=EFFORT < 10
)
settings.load_profile("effort")

# Background jobs and nohup begin with these ignored, and what we start would inherit that.
for number, usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL server; each test makes a database of its own in it."""
    with running_postgresql() as server:
        yield server
