"""Every input of the corpus, among them all that the fuzzing has ever found, still holds."""

from pathlib import Path

import pytest
from tests.fuzz.seeds import inputs
from tests.fuzz.targets import TARGETS

CASES = [(name, path) for name in TARGETS for path in inputs(name)]


@pytest.mark.parametrize(("name", "path"), CASES, ids=lambda case: getattr(case, "name", case))
def test_an_input_of_the_corpus(name: str, path: Path) -> None:
    TARGETS[name](path.read_bytes())
