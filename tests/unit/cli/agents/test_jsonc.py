"""JSON with comments, as agents' config files have it."""

from pathlib import Path

import pytest

from tidegate.cli.agents.jsonc import load_object, parse_object


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ('{"a": 1}', {"a": 1}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('{"a": 1, // one\n "b": /* two */ 2,\n}', {"a": 1, "b": 2}),
        ('{"a": [1, 2, ], }', {"a": [1, 2]}),
        ('{"url": "https://x/*y*/", "b": "1,}"}', {"url": "https://x/*y*/", "b": "1,}"}),
        ('{"a": "\\"// no"}', {"a": '"// no'}),
        ("[1]", None),
        ("{", None),
        ("", None),
    ],
)
def test_parse(text: str, parsed: object) -> None:
    assert parse_object(text) == parsed


def test_load(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    assert load_object(file) is None
    file.write_bytes(b'{"a": "\xff"}')
    assert load_object(file) is None
    assert load_object(tmp_path) is None
