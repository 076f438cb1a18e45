"""Defaults that depend on the machine: what `tidegate.config` falls back to."""

import os
from collections.abc import Mapping
from pathlib import Path


def data_dir(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base else _home(environ) / ".local/share") / "tidegate"


def master_key_file(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base else _home(environ) / ".config") / "tidegate/master.key"


def worker_count(_environ: Mapping[str, str]) -> int:
    """One per core, at most 4."""
    if hasattr(os, "sched_getaffinity"):
        return min(4, len(os.sched_getaffinity(0)))
    return min(4, os.cpu_count() or 1)


def runtime_base(environ: Mapping[str, str]) -> Path:
    """The user's own directory for what lives as long as a process, if there is one."""
    for name in ("XDG_RUNTIME_DIR", "TMPDIR"):
        if environ.get(name) and os.access(environ[name], os.W_OK | os.X_OK):
            return Path(environ[name])
    return Path("/tmp")  # noqa: S108 - only a directory of mode 0700 is made in it


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or Path.home())
