"""What a command says when it cannot go on."""


class CommandError(Exception):
    """The command cannot go on. The message is one line for a person, with the remedy."""


def system_fault(fault: OSError) -> str:
    """What the system refused, and where: a full disk, a missing permission."""
    reason = fault.strerror or str(fault)
    return f"{fault.filename}: {reason}." if fault.filename else f"{reason}."
