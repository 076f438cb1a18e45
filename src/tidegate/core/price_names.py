"""Names of models: which spellings mean the same entry of a price list.

A name counts as known when it is listed, or listed once its date (`-20251001`, `-2025-10-01`,
`@20251001`) or `-latest` is taken off. A mere prefix never counts: `claude-opus-4-8-turbo` is
another model than `claude-opus-4-8`, at a price that nobody has told us.
"""

import re
from typing import Final

CLAUDE: Final = "claude"
GPT: Final = "gpt"
FAMILIES: Final = (CLAUDE, GPT)

_DAY = r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_DASHED_DAY = r"20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_RELEASE = re.compile(rf"(?:[-@](?:{_DAY}|{_DASHED_DAY})|-latest)$")
_GPT_LIKE = re.compile(r"(?:gpt|chatgpt|codex|o\d)(?:$|[-.\d])")

# Claude Code shows the 1M-token window as `claude-opus-4-8[1m]`; other clients send it so.
_WINDOW_MARK = "[1m]"


def normal(name: str) -> str:
    """Return the name as price lists spell it: lower case, without the mark of a 1M window."""
    return name.strip().lower().removesuffix(_WINDOW_MARK)


def spellings(name: str) -> tuple[str, ...]:
    """Return what to look up for a normal name, the most exact first."""
    base = _RELEASE.sub("", name)
    return (name,) if base == name or not base else (name, base)


def family(name: str) -> str:
    """Return which family a normal name belongs to, "" if to neither."""
    if CLAUDE in name:
        return CLAUDE
    return GPT if _GPT_LIKE.match(name.rsplit("/", 1)[-1]) else ""


def family_or_of(name: str, provider: str) -> str:
    """Return the family of a normal name; a strange one counts as its provider's."""
    return family(name) or (CLAUDE if provider == "anthropic" else GPT)
