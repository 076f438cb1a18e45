"""The names of a spool and of those who put something aside there.

Several machines may share what is put aside: the spool's name says whose workers it was.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from tidegate.services.ids import new_id
from tidegate.store.file_locks import make_locked

HOLDER_SUFFIX: Final = ".holder"
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


def holder_name(spool_dir: Path, worker: str) -> str:
    """A name for one run of a worker. In the spool a file of that name is locked while it lives.

    On a full disk there is no such file; then only signs of life tell.
    """
    try:
        path, _ = make_locked(spool_dir, f"*{HOLDER_SUFFIX}", worker)  # open to the process's end
    except OSError:
        return f"{worker}-{new_id('run')}"
    return path.stem
