"""JSON with comments and trailing commas, as agents' config files have it."""

import json
import re
from pathlib import Path
from typing import Any, Final

_STRING_OR_COMMENT: Final = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STRING_OR_COMMA: Final = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', re.DOTALL)


def parse_object(text: str) -> dict[str, Any] | None:
    """The object that a text holds; None if it is none."""
    bare = _STRING_OR_COMMENT.sub(lambda match: match[1] or " ", text.removeprefix("\ufeff"))
    try:
        document = json.loads(_STRING_OR_COMMA.sub(lambda match: match[1] or "", bare))
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def load_object(file: Path) -> dict[str, Any] | None:
    """The object that a file holds; None if there is no such file, or it holds none."""
    try:
        return parse_object(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
