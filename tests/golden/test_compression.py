"""Results as agents print them, with what is sent in their place. Made for these tests."""

import json
from pathlib import Path

import pytest

from tidegate.compression import compress_result

_FOLDER = Path(__file__).parent / "compression"


@pytest.mark.parametrize("path", sorted(_FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_what_is_sent(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    came = "\n".join(case["output"])
    sent = compress_result(case["tool"], case["input"], came, level=case["level"])
    # `sent` is null where the result goes out as it came.
    assert sent.split("\n") == (case["sent"] or case["output"])
