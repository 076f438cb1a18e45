"""Words of a line that speaks of something gone wrong: such lines are never touched."""

import re
from typing import Final

ALARM: Final = re.compile(
    r"(?i)err|fatal|panic|exception|traceback|fail|assert|undefined|cannot|not found|denied|fault"
    r"|unresolved|warn|✕|✗|✘|refused|timed? ?out|abort|kill"
)
