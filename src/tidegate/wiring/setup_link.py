"""The link by which the first organization is made."""

import os
from pathlib import Path
from typing import IO, Final

from tidegate.wiring.logs import Log

FILE_NAME: Final = "setup-link"


def hand_out(url: str, *, data_dir: Path, stdout: IO[str], log: Log) -> None:
    """Print the link on a terminal; a log or a pipe is no place for a secret, so else a file."""
    if stdout.isatty():
        print(
            f"Make your organization here (once, within 15 minutes): {url}", file=stdout, flush=True
        )
        return
    path = data_dir / FILE_NAME
    withdraw(data_dir)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(url + "\n")
    log.info("no organization yet: the set-up link is in a file, valid for 15 minutes", path=path)


def withdraw(data_dir: Path) -> None:
    """Remove the link of an earlier start."""
    (data_dir / FILE_NAME).unlink(missing_ok=True)
