"""The inputs that the fuzzing starts from and that a plain test replays; small, by target."""

from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).parent / "corpus"


def inputs(target: str) -> list[Path]:
    return sorted((CORPUS / target).iterdir())
