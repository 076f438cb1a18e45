"""Fuzz one target in this process: `python -m tests.fuzz.engine TARGET SECONDS`."""

import sys
import tempfile

import atheris
from tests.fuzz.seeds import CORPUS

with atheris.instrument_imports(include=["tidegate"]):
    from tests.fuzz.targets import TARGETS

_LONGEST_BYTES = 4096  # of one input
_HANGS_S = 20  # an input that takes longer is a finding
_MEMORY_MB = 1024


def main() -> None:
    name, seconds = sys.argv[1:]
    seeds = CORPUS / name
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-") as grown:
        arguments = [
            sys.argv[0],
            f"-max_total_time={seconds}",
            f"-max_len={_LONGEST_BYTES}",
            f"-timeout={_HANGS_S}",
            f"-rss_limit_mb={_MEMORY_MB}",
            f"-artifact_prefix={seeds}/",
            grown,
            str(seeds),
        ]
        atheris.Setup(arguments, TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
