#!/usr/bin/env bash
# Install a lock file and this package into .venv. Usage: tools/install.sh requirements/NAME.lock
set -euo pipefail
uv=.tools/uv/bin/uv
[ -x .venv/bin/python ] || "$uv" venv --quiet --python "$(.tools/uv/bin/python -c 'import sys; print(sys.executable)')" .venv
export VIRTUAL_ENV=$PWD/.venv
# Compiled now, so that the first start is as fast as every other.
"$uv" pip install --quiet --compile-bytecode --require-hashes -r "$1"
"$uv" pip install --quiet --no-deps --no-build-isolation -e .
.venv/bin/python -m compileall -q src
