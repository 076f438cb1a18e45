"""What a command says when it cannot go on."""


class CommandError(Exception):
    """The command cannot go on. The message is one line for a person, with the remedy."""
