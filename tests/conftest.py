"""What tests of several kinds share."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.effort import examples
from tests.postgresql import Postgresql, running_postgresql

settings.register_profile("effort", max_examples=examples(100), deadline=None)
settings.load_profile("effort")

# A shell starts background jobs with SIGINT ignored, and what we start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL server; each test makes a database of its own in it."""
    with running_postgresql() as server:
        yield server
