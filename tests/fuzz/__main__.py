"""Fuzz every target for some seconds: `python -m tests.fuzz --seconds 60 [TARGET...]`.

One process a target. What breaks a target is written to its corpus, to be mended and kept.
"""

import argparse
import importlib.util
import subprocess
import sys

from tests.fuzz.seeds import CORPUS
from tests.fuzz.targets import TARGETS


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=int, default=60, help="for each target")
    asked.add_argument("targets", nargs="*", help=" ".join(TARGETS))
    options = asked.parse_args()
    names = options.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        asked.error(f"no such target: {', '.join(unknown)}")
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("fuzz: not on this platform, for which atheris has no wheel\n")
        return 0
    failed = [name for name in names if not _run(name, options.seconds)]
    for name in failed:
        sys.stderr.write(f"fuzz: {name} failed; its input is in {CORPUS / name}\n")
    return 1 if failed else 0


def _run(name: str, seconds: int) -> bool:
    command = [sys.executable, "-m", "tests.fuzz.engine", name, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("INFO: Instr")]
    told = lines[-60:] if done.returncode else lines[-1:]
    sys.stdout.write("\n".join(f"{name}: {line}" for line in told) + "\n")
    sys.stdout.flush()
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
