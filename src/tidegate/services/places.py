"""The name of a spool, for what several machines share: whose workers put something aside."""

import contextlib
import os
from pathlib import Path
from typing import Final

from tidegate.services.ids import new_id

_FILE: Final = "place"  # beside the spool


def place_of(spool_dir: Path) -> str:
    """The spool's name, given once, by whichever process comes first.

    On a full disk a name that nobody will know: what is held then goes as if the machine were lost.
    """
    while not (name := known_place(spool_dir)):
        draft = spool_dir.with_name(new_id("draft"))
        try:
            draft.touch(mode=0o600)
            draft.write_text(new_id("plc"))
            os.link(draft, spool_dir.with_name(_FILE))
        except FileExistsError:
            continue
        except OSError:
            return new_id("plc")
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
    return name


def known_place(spool_dir: Path) -> str:
    """The same; empty where nobody asked for it yet, so that nothing is put aside from there."""
    try:
        return spool_dir.with_name(_FILE).read_text()
    except FileNotFoundError:
        return ""
