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
    r"(?P<chunk>Chunk ID: [0-9a-f]{1,16}\n)?"
    r"(?P<time>Wall time: (?P<seconds>\d+)\.\d+ seconds\n)?"
    r"(?P<exit>Process exited with code -?\d+\n)"
    r"(?:Original token count: \d+\n)?"
    r"(?P<output>Output:\n)"
)
_CUT: Final = "tokens truncated"  # then the count says how much there was


def split(text: str) -> tuple[str, str]:
    """What is sent of the envelope, and the output under it; nothing and the text without one.

    An envelope that was shortened before is one too, so that doing it twice changes nothing.
    """
    found = _ENVELOPE.match(text)
    if found is None:
        return "", text
    output = text[found.end() :]
    if found["chunk"] is None or _CUT in text:
        return found[0], output
    slow = "" if found["seconds"] in ("0", None) else found["time"]
    return f"{slow}{found['exit']}{found['output']}", output
