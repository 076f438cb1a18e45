"""The name of a spool, for what several machines share: whose workers put something aside."""

import contextlib
import os
from pathlib import Path
from typing import Final

from tidegate.services.ids import new_id

_FILE: Final = "place"  # beside the spool


def place_of(spool_dir: Path) -> str:
    """The spool's name, given once, by whichever process comes first."""
    while not (name := known_place(spool_dir)):
        draft = spool_dir.with_name(new_id("draft"))
        draft.touch(mode=0o600)
        draft.write_text(new_id("plc"))
        with contextlib.suppress(FileExistsError):
            os.link(draft, spool_dir.with_name(_FILE))
        draft.unlink()
    return name


def known_place(spool_dir: Path) -> str:
    """The same; empty where nobody asked for it yet, so that nothing is put aside from there."""
    try:
        return spool_dir.with_name(_FILE).read_text()
    except FileNotFoundError:
        return ""
