"""Why a service refuses: one class per remedy, each message says what to do.

Refused
├── InvalidField   correct that field
├── NotFound       it does not exist in this organization
├── Conflict       it exists already, or something else stands in the way
├── Forbidden      someone of another role may do it
├── InvalidCode    the code, link or password is wrong, used or expired: ask for another
└── TooMany        wait, then try again
"""


class Refused(Exception):
    """Base of all refusals; the message is for the person who asked."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidField(Refused):
    """A value that cannot be taken; `field` names it."""


class NotFound(Refused):
    """There is no such thing in this organization."""


class Conflict(Refused):
    """The state of things forbids it."""


class InvalidCode(Refused):
    """A code, link or password that is wrong, used or expired; which one is not told."""


class Forbidden(Refused):
    """The role of whoever asks does not allow it."""


class TooMany(Refused):
    """Too many attempts; how long to wait is told."""

    def __init__(self, wait_s: int) -> None:
        minutes = -(-wait_s // 60)
        wait = "a minute" if minutes <= 1 else f"{minutes} minutes"
        super().__init__(f"Too many attempts. Wait {wait}, then try again.")
        self.wait_s = wait_s
