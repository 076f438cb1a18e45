"""What Codex writes above the output of a command: the exit code and what follows it stay.

Chunk ID: 45da93                    left out: names a piece of the terminal's stream
Wall time: 0.0521 seconds           left out when under a second
Process exited with code 0
Original token count: 57            left out: says what follows, which is all of it
Output:
"""

import re
from typing import Final

_ENVELOPE: Final = re.compile(
    r"Chunk ID: [0-9a-f]{1,16}\n"
    r"(?P<slow>Wall time: (?:(?P<short>0\.\d+)|\d+\.\d+) seconds\n)"
    r"(?P<exit>Process exited with code -?\d+\n)"
    r"(?:Original token count: \d+\n)?"
    r"(?=Output:\n)"
)
_CUT: Final = "tokens truncated"  # then the count says how much there was


def shorten(text: str) -> str | None:
    """The text with the exit code and the output; None where there is no such envelope."""
    found = _ENVELOPE.match(text)
    if found is None or _CUT in text:
        return None
    slow = "" if found["short"] else found["slow"]
    return f"{slow}{found['exit']}{text[found.end() :]}"
