"""A folder of this run alone: its files hold a key. Removed at the end, or by the next run."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tidegate.cli.agents.setup import PRIVATE_PREFIX

if sys.platform != "win32":
    from tidegate.wiring.runtime_dir import hold, remove_stale


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make the folder (mode 0700), and remove what runs left that were killed.

    The agent inherits the mark that it is in use: it may outlive us.
    """
    base = _base()
    if sys.platform != "win32":
        remove_stale(base, PRIVATE_PREFIX)
    with tempfile.TemporaryDirectory(
        prefix=PRIVATE_PREFIX, dir=base, ignore_cleanup_errors=True
    ) as folder:
        if sys.platform == "win32":
            yield Path(folder)
        else:
            mark = hold(Path(folder))
            os.set_inheritable(mark, True)
            try:
                yield Path(folder)
            finally:
                os.close(mark)


def _base() -> Path:
    """Memory that ends with the developer's login, where the system has it; else the usual."""
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = folder and os.access(folder, os.W_OK | os.X_OK)
    return Path(folder if usable else tempfile.gettempdir())
