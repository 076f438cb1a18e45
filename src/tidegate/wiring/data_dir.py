"""The data directory: made with mode 0700, refused when others can look into it."""

import os
import stat
from pathlib import Path

from tidegate.wiring.lock import FILE_NAME as LOCK_FILE_NAME
from tidegate.wiring.orders import StartFailed

SPOOL = "spool"


def open_data_dir(path: Path) -> None:
    """Make the directory, or check the one that is there."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            _close_to_others(path)
        (path / SPOOL).mkdir(exist_ok=True, mode=0o700)
    except OSError as fault:
        raise StartFailed(f"The data directory {path}: {fault.strerror}.") from None


def _close_to_others(path: Path) -> None:
    """Tighten a directory that is empty or ours; any other may serve somebody else (/tmp!)."""
    is_ours = (path / LOCK_FILE_NAME).exists() or not any(path.iterdir())
    if not is_ours or path.stat().st_uid != os.geteuid():
        raise StartFailed(
            f"The data directory {path} is open to other users. "
            f"Close it with: chmod 700 {path}, or choose another with --data-dir."
        )
    path.chmod(0o700)
