"""Versions of the engine that the product has. A session keeps the one that it began with.

A change in what the engine makes of any text is a new version: the old one's modules stay beside it
until no session can hold it any more, so that what was sent once is sent the same again.
"""

from typing import Final

ENGINE_VERSION: Final = 1
"""The version for new sessions."""

VERSIONS: Final = (1,)
"""All that the product still has, the newest last."""
