"""Why a service refuses: one class per remedy, each message says what to do.

Refused
├── InvalidField   correct that field
├── NotFound       it does not exist in this organization
├── Conflict       it exists already, or something else stands in the way
└── InvalidCode    the code or link is wrong, used or expired: ask for another
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
    """A code or link that is wrong, used or expired; which one is not told."""
