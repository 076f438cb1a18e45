"""Lighthouse on the console's pages. It lives in `.tools/lighthouse`, at the versions that
tools/lighthouse locks; nothing of the product depends on it."""

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

_ROOT: Final = Path(__file__).parents[2]
_LOCKED: Final = _ROOT / "tools" / "lighthouse"
_PLACE: Final = (_ROOT / ".tools" / "lighthouse").resolve()  # npm minds links
_PROGRAM: Final = _PLACE / "node_modules" / ".bin" / "lighthouse"
_LOCK: Final = "package-lock.json"
_STAMP: Final = _PLACE / "installed"  # a copy of the lock that was installed
_INSTALLED_WITHIN_S: Final = 300
_RUN_WITHIN_S: Final = 180
CATEGORIES: Final = ("performance", "accessibility", "best-practices")
LEAST: Final = 95
"""The score that every page must have in every category."""


class NoLighthouse(Exception):
    """It is not here and cannot be had, or does not run; the text says why."""


class Scores(NamedTuple):
    """Medians of the runs on one page, and what most lowered them."""

    page: str
    scores: Mapping[str, float]  # by category, of 100
    faults: Sequence[str]

    @property
    def is_met(self) -> bool:
        return min(self.scores.values()) >= LEAST


def version() -> str:
    """The version that is locked."""
    package = json.loads((_LOCKED / "package.json").read_text())
    return str(package["dependencies"]["lighthouse"])


def audit(page: str, url: str, chromium: str, *, cookie: str, runs: int = 3) -> Scores:
    """The scores of a page. Raises NoLighthouse."""
    _install()
    return _median(page, [_run(url, chromium, cookie) for _ in range(runs)])


def _median(page: str, reports: Sequence[Mapping[str, Any]]) -> Scores:
    scores = {
        name: statistics.median(round(100 * r["categories"][name]["score"]) for r in reports)
        for name in CATEGORIES
    }
    return Scores(page, scores, _faults(reports[-1]))


def _faults(report: Mapping[str, Any]) -> list[str]:
    """The audits that cost points in this run."""
    weighed = {
        ref["id"]
        for c in CATEGORIES
        for ref in report["categories"][c]["auditRefs"]
        if ref["weight"]
    }
    audits = [report["audits"][name] for name in sorted(weighed)]
    return [a["title"] for a in audits if a["score"] is not None and a["score"] < 0.9]


def _run(url: str, chromium: str, cookie: str) -> dict[str, Any]:
    options = (
        "--preset=desktop",
        "--output=json",
        "--quiet",
        "--no-enable-error-reporting",
        f"--only-categories={','.join(CATEGORIES)}",
        "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
        *([f"--extra-headers={json.dumps({'Cookie': cookie})}"] if cookie else []),
    )
    environment = {**os.environ, "CHROME_PATH": chromium}
    try:
        done = subprocess.run(
            [_PROGRAM, url, *options],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_RUN_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoLighthouse(f"{url} took more than {_RUN_WITHIN_S} s") from None
    if done.returncode:
        raise NoLighthouse(f"{url}: {_last_line(done.stderr)}")
    report: dict[str, Any] = json.loads(done.stdout)
    if fault := report.get("runtimeError"):
        raise NoLighthouse(f"{url}: {fault['message']}")
    return report


def _install() -> None:
    lock = _LOCKED / _LOCK
    if _STAMP.exists() and _STAMP.read_bytes() == lock.read_bytes():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise NoLighthouse("npm is missing; on Debian: sudo apt-get install npm")
    sys.stderr.write(f"Installing Lighthouse {version()} into .tools/lighthouse (about 190 MB)\n")
    shutil.rmtree(_PLACE, ignore_errors=True)
    shutil.copytree(_LOCKED, _PLACE)
    try:
        done = subprocess.run(
            [npm, "ci", "--prefix", _PLACE, "--no-progress", "--loglevel=error"],
            capture_output=True,
            text=True,
            timeout=_INSTALLED_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoLighthouse(f"not installed within {_INSTALLED_WITHIN_S} s") from None
    if done.returncode:
        raise NoLighthouse(f"it cannot be installed: {_last_line(done.stderr)}")
    shutil.copyfile(lock, _STAMP)


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "no reason given")
