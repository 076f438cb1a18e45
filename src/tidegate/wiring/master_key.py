"""The master key: from the environment or a file that only its owner can read."""

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tidegate.config import ConfigError, Settings

KEY_BYTES: Final = 32
CHECK_FILE_NAME: Final = "master-key.check"


def open_master_key(settings: Settings) -> bytes:
    """Read the key, making its file on the first start; refuse one that does not fit the data.

    The data directory must exist. It keeps a check value, from which nothing of the key can be
    learned: a wrong key is told at once, not by secrets that cannot be read.
    """
    check_file = settings.data_dir / CHECK_FILE_NAME
    if settings.master_key:
        key, source = _decoded(settings.master_key, "TIDEGATE_MASTER_KEY"), "TIDEGATE_MASTER_KEY"
    else:
        path = settings.master_key_file
        _refuse_data_dir(path, settings.data_dir)
        key, source = _read_or_make(path, is_first_start=not check_file.exists()), str(path)
    _compare(key, check_file, source)
    return key


def _refuse_data_dir(path: Path, data_dir: Path) -> None:
    if path.resolve().is_relative_to(data_dir.resolve()):
        raise ConfigError(
            f"--master-key-file {path} lies in the data directory {data_dir}: a backup of the data "
            "would hold the key to it. Keep it elsewhere."
        )


def _read_or_make(path: Path, *, is_first_start: bool) -> bytes:
    try:
        return _read(path)
    except FileNotFoundError:
        if not is_first_start:
            raise ConfigError(
                f"The master key is missing: there is no file {path}, but the data directory was "
                "made with a key. Restore it, name it with --master-key-file, or set "
                "TIDEGATE_MASTER_KEY."
            ) from None
    except OSError as fault:
        raise ConfigError(f"--master-key-file {path}: {fault.strerror}.") from None
    try:
        return _make(path)
    except FileExistsError:  # another process was faster
        return _read(path)
    except OSError as fault:
        raise ConfigError(f"--master-key-file {path} cannot be made: {fault.strerror}.") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise ConfigError(
                f"--master-key-file {path} can be read by other users (mode {mode:04o}). "
                f"Close it with: chmod 600 {path}"
            )
        return _decoded(file.read(1024).decode("ascii", "replace").strip(), str(path))


def _make(path: Path) -> bytes:
    """Write a new key; a reader never sees half of it, and of two makers one wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = secrets.token_bytes(KEY_BYTES)
    with _draft(path, key.hex()) as draft:
        os.link(draft, path)
    return key


def _write_whole(path: Path, text: str) -> None:
    """Write a file that is there with all of its content, or not at all."""
    with _draft(path, text) as draft:
        draft.replace(path)


@contextlib.contextmanager
def _draft(path: Path, text: str) -> Iterator[Path]:
    """A private file with this line, beside where it is to be; removed if it is still there."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(f"{text}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _decoded(text: str, source: str) -> bytes:
    try:
        is_hex = len(text) == 2 * KEY_BYTES
        key = bytes.fromhex(text) if is_hex else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"{source}: expected 32 bytes as 64 hexadecimal digits or as base64. "
            "Make one with: openssl rand -hex 32"
        )
    return key


def _compare(key: bytes, check_file: Path, source: str) -> None:
    expected = hmac.digest(key, b"tidegate master key check", hashlib.sha256).hex()
    try:
        known = check_file.read_text().strip()
    except FileNotFoundError:
        _write_whole(check_file, expected)
        return
    if not hmac.compare_digest(known, expected):
        raise ConfigError(
            f"The master key from {source} is not the one that the data in {check_file.parent} "
            "was made with. Restore that key, or name it with --master-key-file."
        )
